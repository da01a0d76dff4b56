//! Accepting an invitation: a person joins the team that invited them.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use common::db::invites;
use common::db::users::{self, NewUser, User};
use common::ids::new_public_id;
use diesel::result::{DatabaseErrorKind, Error as DatabaseError};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{check_password, check_username, limit_attempts, sign_in};
use crate::access::{ClientIp, OpaqueToken, Origin, SessionTokens};
use crate::http::{ApiError, ApiResult, GivenSecret, Json, Problems, Validate, codes};
use crate::openapi::examples;
use crate::routes::access::team::invites::{facts, taken};
use crate::state::AppState;

/// Who accepts an invitation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// The one in the link.
    #[schema(value_type = String)]
    token: GivenSecret,
    /// 3 to 100 characters.
    username: String,
    /// At least 8 characters.
    #[schema(value_type = String)]
    password: GivenSecret,
}

impl Validate for Acceptance {
    fn validate(&self, problems: &mut Problems) {
        check_username(&self.username, problems);
        check_password(&self.password, problems);
    }
}

/// Accepts an invitation, once.
///
/// Tenant, role and e-mail are the invitation's. The link was in the inviter's hands too, so the
/// e-mail is not proven by it.
#[utoipa::path(
    post, path = "/api/v1/auth/accept-invite", tag = "access",
    request_body(content = Acceptance, example = json!(examples::acceptance())),
    responses(
        (status = 200, description = "joined and signed in", body = SessionTokens, example = json!(examples::tokens())),
        (status = 401, description = "`invite_invalid`"),
        (status = 409, description = "`username_taken`, `email_taken`: the invitation stays valid"),
    )
)]
pub async fn accept_invite(
    State(state): State<AppState>,
    client: ClientIp,
    origin: Origin,
    Json(body): Json<Acceptance>,
) -> ApiResult<Response> {
    use secrecy::ExposeSecret;
    limit_attempts(&state, client, body.token.expose_secret()).await?;
    let token = OpaqueToken::parse("", body.token.expose_secret());
    let token = token.ok_or(codes::INVITE_INVALID)?;
    let now = state.ctx.clock.now();
    let pending = state
        .read(async |conn| invites::find_pending(conn, token.tenant, &token.hash, now).await)
        .await?;
    pending.ok_or(codes::INVITE_INVALID)?;
    let hash = state.passwords.hash((*body.password).clone()).await?;
    let mut conn = state.conn().await?;
    let username = body.username.trim();
    let user = conn
        .transaction(async |conn| join(conn, &origin, &token, username, &hash, now).await)
        .await?;
    sign_in(&state, &mut conn, &origin, &user, StatusCode::OK).await
}

/// Uses the invitation up and makes the person; both or neither.
async fn join(
    conn: &mut AsyncPgConnection,
    origin: &Origin,
    token: &OpaqueToken,
    username: &str,
    password_hash: &str,
    now: DateTime<Utc>,
) -> ApiResult<User> {
    let invite = invites::accept(conn, token.tenant, &token.hash, now).await?;
    let invite = invite.ok_or(codes::INVITE_INVALID)?;
    let user = NewUser {
        tenant_id: invite.tenant_id,
        public_id: new_public_id(),
        email: invite.email.as_deref(),
        username,
        password_hash,
        role: invite.role,
        confirmed_at: None,
        created_at: now,
    };
    let user = users::insert(conn, &user).await.map_err(occupied)?;
    let target = format!("invite:{}", invite.id);
    let joined = json!({ "user_id": user.id, "username": username, "role": user.role });
    let change = (Some(facts(&invite)), Some(joined));
    origin
        .of_user(&user)
        .note(conn, user.tenant_id, "invite.accepted", target, change, now)
        .await?;
    Ok(user)
}

/// Which of what must be unique is not.
fn occupied(error: DatabaseError) -> ApiError {
    match &error {
        DatabaseError::DatabaseError(DatabaseErrorKind::UniqueViolation, about) => {
            match about.constraint_name() {
                Some("users_email") => taken(),
                _ => codes::USERNAME_TAKEN.into(),
            }
        }
        _ => error.into(),
    }
}
