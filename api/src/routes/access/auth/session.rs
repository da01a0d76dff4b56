//! Staying signed in, and signing out.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use common::db::access_changes;
use common::db::sessions::{self, Session};
use common::db::tenants::Tenant;
use common::db::users::User;
use common::ids::{SessionId, TenantId};
use diesel::QueryResult;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{answer, session_end};
use crate::access::{
    Access, Actor, Credential, Origin, RefreshCookie, RefreshToken, SessionTokens,
    authenticate_token, bearer_token, clearing_cookie,
};
use crate::http::{ApiResult, Json, OptionalJson, Problems, Validate, codes};
use crate::openapi::examples;
use crate::state::AppState;

/// For so long the direct predecessor of a refresh token is answered with the same successor: two
/// tabs may ask at the same moment.
const TWO_TABS: TimeDelta = TimeDelta::seconds(10);

/// The refresh token, unless it comes as a cookie.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshBody {
    refresh_token: Option<String>,
}

impl Validate for RefreshBody {
    fn validate(&self, _: &mut Problems) {}
}

/// What a sign-out answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedOut {
    #[schema(example = "signed_out")]
    status: &'static str,
}

/// Gives a new pair of tokens for a refresh token.
///
/// For 10 s the direct predecessor gets the same pair again; any other reuse ends the session.
#[utoipa::path(
    post, path = "/api/v1/auth/refresh", tag = "access",
    request_body(content = Option<RefreshBody>, example = json!(examples::refresh())),
    responses(
        (status = 200, description = "a new pair", body = SessionTokens, example = json!(examples::tokens())),
        (status = 401, description = "`refresh_token_invalid`, `refresh_token_reused`"),
    )
)]
pub async fn refresh(
    State(state): State<AppState>,
    RefreshCookie(cookie): RefreshCookie,
    origin: Origin,
    OptionalJson(body): OptionalJson<RefreshBody>,
) -> ApiResult<Response> {
    let token = body.refresh_token.or(cookie);
    let token = token.as_deref().and_then(RefreshToken::parse);
    let token = token.ok_or(codes::REFRESH_TOKEN_INVALID)?;
    let (session, user, tenant) = find(&state, &token).await?;
    let now = state.ctx.clock.now();
    Access::of(&session, &user, &tenant, now).ok_or(codes::REFRESH_TOKEN_INVALID)?;
    let mut conn = state.conn().await?;
    let session = rotate(&state, &mut conn, &origin, &token, session).await?;
    let secret = &state.config.access.auth_token_secret;
    let tokens = SessionTokens::of(&state.tokens, secret, &session, &user)?;
    Ok(answer(&state, StatusCode::OK, tokens))
}

/// Ends the session, whichever of its tokens is given.
#[utoipa::path(
    post, path = "/api/v1/auth/logout", tag = "access",
    request_body(content = Option<RefreshBody>, example = json!(examples::refresh())),
    responses(
        (status = 200, description = "signed out", body = SignedOut, example = json!({"status": "signed_out"})),
        (status = 401, description = "no token of a session was given"),
    )
)]
pub async fn logout(
    State(state): State<AppState>,
    RefreshCookie(cookie): RefreshCookie,
    origin: Origin,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson<RefreshBody>,
) -> ApiResult<Response> {
    let token = body.refresh_token.or(cookie);
    let (tenant, id, actor) = match token.as_deref().and_then(RefreshToken::parse) {
        Some(token) => {
            let (_, user, _) = find(&state, &token).await?;
            (token.tenant, token.session, origin.of_user(&user))
        }
        None => {
            let token = bearer_token(&headers).ok_or(codes::UNAUTHORIZED)?;
            let access = authenticate_token(&state, token).await?;
            let Credential::Session(id) = access.credential else {
                return Err(codes::UNAUTHORIZED.into());
            };
            (access.tenant, id, origin.of(&access))
        }
    };
    let mut conn = state.conn().await?;
    let now = state.ctx.clock.now();
    conn.transaction(async |conn| end(conn, tenant, id, &actor, "session.ended", now).await)
        .await?
        .inspect(|session| state.access.evict(session.tenant_id, session.user_id));
    let status = SignedOut {
        status: "signed_out",
    };
    let mut response = Json(status).into_response();
    if let Some(cookie) = clearing_cookie(&state) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The session of a refresh token that we made.
async fn find(state: &AppState, token: &RefreshToken) -> ApiResult<(Session, User, Tenant)> {
    let (tenant, id) = (token.tenant, token.session);
    let found = state
        .read(async |conn| sessions::find_with_user(conn, tenant, id).await)
        .await?;
    let secret = &state.config.access.auth_token_secret;
    found
        .filter(|(session, ..)| token.is_ours(secret, &session.nonce))
        .ok_or_else(|| codes::REFRESH_TOKEN_INVALID.into())
}

/// The session as it stands after this token was used.
async fn rotate(
    state: &AppState,
    conn: &mut AsyncPgConnection,
    origin: &Origin,
    token: &RefreshToken,
    seen: Session,
) -> ApiResult<Session> {
    let now = state.ctx.clock.now();
    let (tenant, id, generation) = (token.tenant, token.session, token.generation);
    let end_at = session_end(state, now);
    let rotated = sessions::rotate(conn, tenant, id, generation, now, end_at).await?;
    if let Some(session) = rotated {
        return Ok(session);
    }
    let current = sessions::find_with_user(conn, tenant, id).await?;
    let current = current.map_or(seen, |(session, ..)| session);
    let is_predecessor = generation + 1 == current.generation;
    if current.revoked_at.is_some() {
        return Err(codes::REFRESH_TOKEN_INVALID.into());
    }
    if is_predecessor && now - current.rotated_at <= TWO_TABS {
        return Ok(current);
    }
    let actor = origin.of_somebody();
    conn.transaction(async |conn| end(conn, tenant, id, &actor, "session.reused", now).await)
        .await?;
    state.access.evict(tenant, current.user_id);
    tracing::warn!(%tenant, user = %current.user_id, session = %id, "a refresh token was reused");
    Err(codes::REFRESH_TOKEN_REUSED.into())
}

/// Ends a session and writes down why; none if it has ended already.
async fn end(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SessionId,
    actor: &Actor,
    action: &'static str,
    now: DateTime<Utc>,
) -> QueryResult<Option<Session>> {
    let Some(session) = sessions::revoke(conn, tenant, id, now).await? else {
        return Ok(None);
    };
    access_changes::insert(conn, tenant, session.user_id).await?;
    let target = format!("user:{}", session.user_id);
    let change = (Some(json!({ "session_id": id })), None);
    actor
        .note(conn, tenant, action, target, change, now)
        .await?;
    Ok(Some(session))
}
