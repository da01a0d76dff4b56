//! Registering and signing in.

pub mod invite;
pub mod session;

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use common::db::sessions::{self, NewSession};
use common::db::tenants::{self, NewTenant, Tenant};
use common::db::users::{self, NewUser, Role, User};
use common::ids::{TenantId, UserId, new_public_id};
use common::secrets::hex;
use diesel::QueryResult;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::{ClientIp, Origin, SessionTokens, candidates, refresh_cookie};
use crate::http::{ApiError, ApiResult, GivenSecret, Json, Problems, Validate, codes};
use crate::openapi::examples;
use crate::state::AppState;

const MINUTE: Duration = Duration::from_secs(60);
/// Longer than any password a person remembers; a bound on the work of hashing it.
const LONGEST_PASSWORD: usize = 1024;

/// Who wants to join.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Up to 254 characters.
    email: String,
    /// 3 to 100 characters.
    username: String,
    /// At least 8 characters.
    #[schema(value_type = String)]
    password: GivenSecret,
}

impl Validate for Registration {
    fn validate(&self, problems: &mut Problems) {
        problems.require(is_email(&self.email), "email", "must be an e-mail address");
        check_username(&self.username, problems);
        check_password(&self.password, problems);
    }
}

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// With a tenant also the username: not everybody has an e-mail.
    email: String,
    #[schema(value_type = String)]
    password: GivenSecret,
    /// The slug of the tenant, where the e-mail lives in several.
    tenant: Option<String>,
}

impl Validate for Credentials {
    fn validate(&self, problems: &mut Problems) {
        problems.require(!self.email.trim().is_empty(), "email", "must not be empty");
        problems.require(self.email.len() <= 254, "email", "is too long");
        let length = self.password.expose_secret().len();
        let is_sane = (1..=LONGEST_PASSWORD).contains(&length);
        problems.require(is_sane, "password", "must be 1 to 1024 bytes");
    }
}

/// Registers a person, who becomes the owner of a new tenant.
///
/// The tenant's slug comes from the username, numbered if it is taken.
#[utoipa::path(
    post, path = "/api/v1/auth/register", tag = "access",
    request_body(content = Registration, example = json!(examples::registration())),
    responses(
        (status = 201, description = "signed in", body = SessionTokens, example = json!(examples::tokens())),
        (status = 409, description = "`email_taken`"),
    )
)]
pub async fn register(
    State(state): State<AppState>,
    client: ClientIp,
    origin: Origin,
    Json(body): Json<Registration>,
) -> ApiResult<Response> {
    limit_attempts(&state, client, &body.email).await?;
    let email = body.email.trim();
    let is_proven = state
        .read(async |conn| users::is_email_proven_across_tenants(conn, email).await)
        .await?;
    let hash = state.passwords.hash((*body.password).clone()).await?;
    if is_proven {
        return Err(codes::EMAIL_TAKEN.into());
    }
    let now = state.ctx.clock.now();
    let mut conn = state.conn().await?;
    let person = NewPerson {
        email,
        username: body.username.trim(),
        password_hash: &hash,
        now,
    };
    let user = conn
        .transaction(async |conn| {
            let user = create_owner(conn, &person).await?;
            let (target, made) = (format!("user:{}", user.id), json!({ "role": user.role }));
            origin
                .of_user(&user)
                .note(
                    conn,
                    user.tenant_id,
                    "user.registered",
                    target,
                    (None, Some(made)),
                    now,
                )
                .await?;
            ApiResult::Ok(user)
        })
        .await?;
    sign_in(&state, &mut conn, &origin, &user, StatusCode::CREATED).await
}

/// Signs a person in.
///
/// Without a tenant at most three users of the e-mail are tried.
#[utoipa::path(
    post, path = "/api/v1/auth/login", tag = "access",
    request_body(content = Credentials, example = json!(examples::credentials())),
    responses(
        (status = 200, description = "signed in", body = SessionTokens, example = json!(examples::tokens())),
        (status = 401, description = "`invalid_credentials`"),
        (status = 409, description = "`tenant_required`, with `{\"tenants\": [slug]}` in `details`"),
    )
)]
pub async fn login(
    State(state): State<AppState>,
    client: ClientIp,
    origin: Origin,
    Json(body): Json<Credentials>,
) -> ApiResult<Response> {
    limit_attempts(&state, client, &body.email).await?;
    let candidates = sign_in_candidates(&state, &body).await?;
    let hashes = candidates
        .iter()
        .map(|(user, _)| user.password_hash.clone())
        .collect();
    let fits = state
        .passwords
        .verify((*body.password).clone(), hashes)
        .await?;
    let meant = candidates
        .iter()
        .map(|(user, _)| (user.tenant_id, user.id))
        .collect();
    let mut fitting = candidates
        .into_iter()
        .zip(fits)
        .filter(|((user, tenant), fits)| *fits && user.is_active && tenant.blocked_at.is_none())
        .map(|(candidate, _)| candidate)
        .collect::<Vec<_>>();
    if fitting.len() > 1 {
        let slugs: Vec<_> = fitting.iter().map(|(_, tenant)| &tenant.slug).collect();
        let details = json!({ "tenants": slugs });
        return Err(ApiError::from(codes::TENANT_REQUIRED).with_details(details));
    }
    let Some((user, _)) = fitting.pop() else {
        note_failure(&state, origin, meant);
        return Err(codes::INVALID_CREDENTIALS.into());
    };
    let mut conn = state.conn().await?;
    sign_in(&state, &mut conn, &origin, &user, StatusCode::OK).await
}

/// Writes down whose account somebody could not get into; beside the request, so that it takes the
/// same time for an e-mail that nobody has.
fn note_failure(state: &AppState, origin: Origin, meant: Vec<(TenantId, UserId)>) {
    let now = state.ctx.clock.now();
    state.after_commit(move |ctx| async move {
        let noted = async {
            let mut conn = ctx.pool.get().await?;
            let actor = origin.of_somebody();
            for (tenant, user) in meant {
                let target = format!("user:{user}");
                actor
                    .note(
                        &mut conn,
                        tenant,
                        "sign_in.failed",
                        target,
                        (None, None),
                        now,
                    )
                    .await?;
            }
            anyhow::Ok(())
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "a failed sign-in is not in the audit log");
        }
    });
}

async fn sign_in_candidates(
    state: &AppState,
    body: &Credentials,
) -> ApiResult<Vec<(User, Tenant)>> {
    let email = body.email.trim();
    let Some(slug) = body.tenant.as_deref() else {
        return state
            .read(async |conn| users::sign_in_candidates_across_tenants(conn, email).await)
            .await;
    };
    state
        .read(async |conn| {
            let Some(tenant) = tenants::find_by_slug(conn, slug).await? else {
                return Ok(Vec::new());
            };
            let user = if email.contains('@') {
                users::find_by_email(conn, tenant.id, email).await?
            } else {
                users::find_by_username(conn, tenant.id, email).await?
            };
            Ok(user
                .into_iter()
                .map(|user| (user, tenant.clone()))
                .collect())
        })
        .await
}

struct NewPerson<'a> {
    email: &'a str,
    username: &'a str,
    password_hash: &'a str,
    now: DateTime<Utc>,
}

async fn create_owner(conn: &mut AsyncPgConnection, person: &NewPerson<'_>) -> ApiResult<User> {
    let id = TenantId(new_public_id());
    for slug in candidates(person.username) {
        let tenant = NewTenant {
            id,
            slug: &slug,
            name: person.username,
            created_at: person.now,
        };
        if tenants::insert_new(conn, &tenant).await?.is_some() {
            let user = NewUser {
                tenant_id: id,
                public_id: new_public_id(),
                email: Some(person.email),
                username: person.username,
                password_hash: person.password_hash,
                role: Role::Owner,
                confirmed_at: None,
                created_at: person.now,
            };
            return Ok(users::insert(conn, &user).await?);
        }
    }
    Err(ApiError::internal("no slug is free"))
}

async fn sign_in(
    state: &AppState,
    conn: &mut AsyncPgConnection,
    origin: &Origin,
    user: &User,
    status: StatusCode,
) -> ApiResult<Response> {
    let now = state.ctx.clock.now();
    let session = NewSession {
        tenant_id: user.tenant_id,
        user_id: user.id,
        nonce: Uuid::new_v4(),
        rotated_at: now,
        expires_at: session_end(state, now),
        created_at: now,
    };
    let (tenant, actor) = (user.tenant_id, origin.of_user(user));
    let session = conn
        .transaction(async |conn| {
            let session = sessions::insert(conn, &session).await?;
            users::note_login(conn, tenant, user.id, now).await?;
            let target = format!("user:{}", user.id);
            let change = (None, Some(json!({ "session_id": session.id })));
            actor
                .note(conn, tenant, "sign_in.succeeded", target, change, now)
                .await?;
            QueryResult::Ok(session)
        })
        .await?;
    let secret = &state.config.access.auth_token_secret;
    let tokens = SessionTokens::of(&state.tokens, secret, &session, user)?;
    Ok(answer(state, status, tokens))
}

/// When a session ends that is used at `now`.
fn session_end(state: &AppState, now: DateTime<Utc>) -> DateTime<Utc> {
    let length = TimeDelta::from_std(state.config.access.session_ttl);
    now + length.unwrap_or(TimeDelta::zero())
}

/// Tokens as the body, the refresh token also as a cookie.
fn answer(state: &AppState, status: StatusCode, tokens: SessionTokens) -> Response {
    let cookie = refresh_cookie(state, &tokens.refresh_token);
    let mut response = (status, Json(tokens)).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Attempts are counted before anything is looked up.
async fn limit_attempts(state: &AppState, ClientIp(ip): ClientIp, email: &str) -> ApiResult<()> {
    // Redis need not know who it is.
    let email = Sha256::digest(email.trim().to_lowercase());
    let limits = [
        (format!("sign-in:{ip}"), 60),
        (format!("sign-in:{ip}:{}", hex(&email[..16])), 10),
    ];
    for (key, limit) in limits {
        let counted = state.sign_in_limits.check(&key, limit, MINUTE).await;
        counted.map_err(|wait| {
            ApiError::from(codes::TOO_MANY_REQUESTS).retry_after(wait.retry_after)
        })?;
    }
    Ok(())
}

pub(super) fn check_username(username: &str, problems: &mut Problems) {
    let length = username.trim().chars().count();
    let is_decent = (3..=100).contains(&length) && !username.chars().any(char::is_control);
    problems.require(is_decent, "username", "must be 3 to 100 characters");
}

fn check_password(password: &SecretString, problems: &mut Problems) {
    let password = password.expose_secret();
    let is_long = password.chars().count() >= 8;
    problems.require(is_long, "password", "must be at least 8 characters");
    let is_short = password.len() <= LONGEST_PASSWORD;
    problems.require(is_short, "password", "must be at most 1024 bytes");
}

pub(super) fn is_email(email: &str) -> bool {
    let email = email.trim();
    let is_plain = !email
        .chars()
        .any(|it| it.is_whitespace() || it.is_control());
    let Some((local, domain)) = email.rsplit_once('@') else {
        return false;
    };
    is_plain
        && email.len() <= 254
        && !local.is_empty()
        && !local.contains('@')
        && !domain.is_empty()
}
