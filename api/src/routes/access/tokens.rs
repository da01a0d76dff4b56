//! Keys for programs: made by an admin, shown once, revoked.

use std::collections::HashSet;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use common::db::api_tokens::{self, ApiToken, NewApiToken, TokenScope};
use common::db::{access_changes, users};
use common::ids::{ApiTokenId, TenantId, UserId};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::access::{API_TOKEN_PREFIX, Admin, AdminInPerson, OpaqueToken, Origin};
use crate::http::{ApiError, ApiResult, Json, PathId, Problems, Query, Validate, codes};
use crate::openapi::examples;
use crate::paging::{cut, page_size, read_cursor, write_cursor};
use crate::state::AppState;

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for, 1 to 100 characters; the audit log names it.
    name: String,
    /// `read`: sees what an agent sees. `write`: also does what an agent does. `admin`: also sees and
    /// does what an admin may. Each includes the ones before it.
    scopes: Vec<TokenScope>,
    /// Null or left out: it does not expire.
    expires_at: Option<DateTime<Utc>>,
}

impl Validate for NewToken {
    fn validate(&self, problems: &mut Problems) {
        let length = self.name.trim().chars().count();
        let is_decent = (1..=100).contains(&length) && !self.name.chars().any(char::is_control);
        problems.require(is_decent, "name", "must be 1 to 100 characters");
        let different: HashSet<_> = self.scopes.iter().collect();
        let is_set = !self.scopes.is_empty() && different.len() == self.scopes.len();
        problems.require(is_set, "scopes", "must be one or more, each once");
    }
}

/// A token, without the token itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    #[schema(value_type = i64)]
    id: ApiTokenId,
    name: String,
    scopes: Vec<TokenScope>,
    /// For whom it acts: it never may more than they may now.
    #[schema(value_type = i64)]
    created_by: UserId,
    expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    last_used_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// A new token.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedToken {
    #[serde(flatten)]
    about: TokenView,
    /// To be sent as `Authorization: Bearer …`; it is not shown again.
    token: String,
}

/// A page of tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenPage {
    /// Those that were not revoked, the newest first.
    tokens: Vec<TokenView>,
    /// To be passed on as `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// Which tokens to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TokenQuery {
    /// How many, 1 to 100; 50 if not given.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl From<ApiToken> for TokenView {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            scopes: token.scopes,
            created_by: token.created_by,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            created_at: token.created_at,
        }
    }
}

/// Lists the tenant's tokens.
#[utoipa::path(
    get, path = "/api/tokens", tag = "tokens", security(("bearer" = [])), params(TokenQuery),
    responses((status = 200, description = "tokens", body = TokenPage, example = json!(examples::token_page())))
)]
pub async fn list_tokens(
    State(state): State<AppState>,
    admin: Admin,
    Query(query): Query<TokenQuery>,
) -> ApiResult<Json<TokenPage>> {
    let size = page_size(query.limit)?;
    let behind: Option<ApiTokenId> = read_cursor(query.cursor.as_deref())?;
    let tenant = admin.tenant;
    let mut rows = state
        .read(async |conn| api_tokens::list(conn, tenant, behind, size + 1).await)
        .await?;
    let has_more = cut(&mut rows, size);
    let last = rows.last().filter(|_| has_more);
    let next_cursor = last.map(|last| write_cursor(&last.id)).transpose()?;
    Ok(Json(TokenPage {
        tokens: rows.into_iter().map(TokenView::from).collect(),
        next_cursor,
    }))
}

/// Makes a token, which is shown this once.
///
/// It acts for whoever makes it: what it writes is theirs, and when they may less, it may less. A token
/// makes no tokens.
#[utoipa::path(
    post, path = "/api/tokens", tag = "tokens", security(("bearer" = [])),
    request_body(content = NewToken, example = json!(examples::new_token())),
    responses((status = 201, description = "made", body = IssuedToken, example = json!(examples::issued_token())))
)]
pub async fn create_token(
    State(state): State<AppState>,
    admin: AdminInPerson,
    origin: Origin,
    Json(body): Json<NewToken>,
) -> ApiResult<Response> {
    let now = state.ctx.clock.now();
    if body.expires_at.is_some_and(|at| at <= now) {
        return Err(ApiError::of_field("expires_at", "must be in the future"));
    }
    let issued = OpaqueToken::issue(API_TOKEN_PREFIX, admin.tenant);
    let row = NewApiToken {
        tenant_id: admin.tenant,
        name: body.name.trim(),
        token_hash: &issued.hash,
        scopes: &body.scopes,
        created_by: admin.user,
        expires_at: body.expires_at,
        created_at: now,
    };
    let actor = origin.of(&admin);
    let mut conn = state.conn().await?;
    let token = conn
        .transaction(async |conn| {
            check(conn, admin.tenant, admin.user).await?;
            let token = api_tokens::insert(conn, &row).await?;
            let target = format!("token:{}", token.id);
            let change = (None, Some(facts(&token)));
            actor
                .note(conn, token.tenant_id, "token.created", target, change, now)
                .await?;
            ApiResult::Ok(token)
        })
        .await?;
    let location = [(LOCATION, format!("/api/tokens/{}", token.id))];
    let issued = IssuedToken {
        about: token.into(),
        token: issued.text.expose_secret().to_owned(),
    };
    Ok((StatusCode::CREATED, location, Json(issued)).into_response())
}

/// Revokes a token: within 2 s it opens nothing any more.
#[utoipa::path(
    delete, path = "/api/tokens/{id}", tag = "tokens", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the token's id")),
    responses((status = 204, description = "revoked"))
)]
pub async fn delete_token(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    PathId(id): PathId<ApiTokenId>,
) -> ApiResult<StatusCode> {
    let (tenant, actor, now) = (admin.tenant, origin.of(&admin), state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let token = conn
        .transaction(async |conn| {
            let token = api_tokens::revoke(conn, tenant, id, now).await?;
            let token = token.ok_or(codes::TOKEN_NOT_FOUND)?;
            access_changes::insert(conn, tenant, token.created_by).await?;
            let target = format!("token:{id}");
            let change = (Some(facts(&token)), None);
            actor
                .note(conn, tenant, "token.deleted", target, change, now)
                .await?;
            ApiResult::Ok(token)
        })
        .await?;
    state.access.evict(tenant, token.created_by);
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the caller, as they are now, may make tokens.
async fn check(conn: &mut AsyncPgConnection, tenant: TenantId, user: UserId) -> ApiResult<()> {
    let caller = users::lock(conn, tenant, user).await?;
    match caller {
        Some(caller) if caller.is_active && caller.role.leads() => Ok(()),
        _ => Err(codes::FORBIDDEN.into()),
    }
}

/// What the audit log keeps of a token: never the token itself.
fn facts(token: &ApiToken) -> Value {
    json!({ "name": token.name, "scopes": token.scopes, "expires_at": token.expires_at })
}
