//! Invitations into the team: a link that one person can use once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use common::db::invites::{self, Invite, NewInvite};
use common::db::users::{self, Role};
use common::ids::{InviteId, TenantId, UserId};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::access::{Admin, OpaqueToken, Origin};
use crate::http::{ApiError, ApiResult, Json, PathId, Problems, Query, Validate, codes};
use crate::idempotency::{Answer, IdempotencyKey};
use crate::openapi::examples;
use crate::paging::{cut, page_size, read_cursor, write_cursor};
use crate::routes::access::auth::{check_username, is_email};
use crate::state::AppState;

/// How many invitations the team's first page shows.
const SHOWN: i64 = 100;

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// Becomes their e-mail, and cannot be chosen otherwise. Without one they sign in with tenant and
    /// username.
    email: Option<String>,
    /// For whom it is meant, 3 to 100 characters; they choose their name themselves.
    username: Option<String>,
    /// `agent`, or `admin`.
    role: Role,
}

impl Validate for NewInvitation {
    fn validate(&self, problems: &mut Problems) {
        if let Some(email) = &self.email {
            problems.require(is_email(email), "email", "must be an e-mail address");
        }
        if let Some(username) = &self.username {
            check_username(username, problems);
        }
        let is_invited = matches!(self.role, Role::Agent | Role::Admin);
        problems.require(is_invited, "role", "must be agent or admin");
    }
}

/// An invitation that nobody has accepted yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct InviteView {
    #[schema(value_type = i64)]
    id: InviteId,
    email: Option<String>,
    username: Option<String>,
    role: Role,
    #[schema(value_type = i64)]
    invited_by: UserId,
    expires_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

/// A new invitation with its link.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedInvite {
    #[serde(flatten)]
    invite: InviteView,
    /// To be given to the person; it is not shown again.
    link: String,
}

/// A page of invitations.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitePage {
    /// Those that can still be accepted, the newest first.
    invites: Vec<InviteView>,
    /// To be passed on as `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// Which invitations to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InviteQuery {
    /// How many, 1 to 100; 50 if not given.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl From<Invite> for InviteView {
    fn from(invite: Invite) -> Self {
        Self {
            id: invite.id,
            email: invite.email,
            username: invite.username,
            role: invite.role,
            invited_by: invite.invited_by,
            expires_at: invite.expires_at,
            created_at: invite.created_at,
        }
    }
}

/// Lists the invitations that can still be accepted.
#[utoipa::path(
    get, path = "/api/team/invites", tag = "team", security(("bearer" = [])), params(InviteQuery),
    responses((status = 200, description = "invitations", body = InvitePage, example = json!(examples::invite_page())))
)]
pub async fn list_invites(
    State(state): State<AppState>,
    admin: Admin,
    Query(query): Query<InviteQuery>,
) -> ApiResult<Json<InvitePage>> {
    let size = page_size(query.limit)?;
    let behind: Option<InviteId> = read_cursor(query.cursor.as_deref())?;
    let (tenant, now) = (admin.tenant, state.ctx.clock.now());
    let mut rows = state
        .read(async |conn| invites::list_pending(conn, tenant, behind, size + 1, now).await)
        .await?;
    let has_more = cut(&mut rows, size);
    let last = rows.last().filter(|_| has_more);
    let next_cursor = last.map(|last| write_cursor(&last.id)).transpose()?;
    Ok(Json(InvitePage {
        invites: rows.into_iter().map(InviteView::from).collect(),
        next_cursor,
    }))
}

/// Invites a person into the team.
///
/// Nobody gives a role that is more than their own. Whoever has not proven their e-mail cannot
/// invite.
#[utoipa::path(
    post, path = "/api/team/invites", tag = "team", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = examples::IDEMPOTENCY_KEY)),
    request_body(content = NewInvitation, example = json!(examples::new_invite())),
    responses(
        (status = 201, description = "invited", body = IssuedInvite, example = json!(examples::issued_invite())),
        (status = 403, description = "`forbidden`, `email_unconfirmed`"),
        (status = 409, description = "`email_taken`: somebody of the team has it; `idempotency_conflict`, `in_progress`"),
    )
)]
pub async fn create_invite(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    key: IdempotencyKey,
    Json(body): Json<NewInvitation>,
) -> ApiResult<Response> {
    let token = OpaqueToken::issue("", admin.tenant);
    let (actor, now) = (origin.of(&admin), state.ctx.clock.now());
    let lifetime = TimeDelta::from_std(state.config.access.invite_ttl);
    let row = NewInvite {
        tenant_id: admin.tenant,
        token_hash: &token.hash,
        role: body.role,
        email: body.email.as_deref().map(str::trim),
        username: body.username.as_deref().map(str::trim),
        invited_by: admin.user,
        expires_at: now + lifetime.unwrap_or(TimeDelta::zero()),
        created_at: now,
    };
    let mut conn = state.conn().await?;
    let answer = conn
        .transaction(async |conn| {
            if let Some(answer) = key.answered(conn, &admin).await? {
                return Ok(answer);
            }
            check(conn, &admin, &row).await?;
            let invite = invites::insert(conn, &row).await?;
            let target = format!("invite:{}", invite.id);
            let change = (None, Some(facts(&invite)));
            actor
                .note(
                    conn,
                    invite.tenant_id,
                    "invite.created",
                    target,
                    change,
                    now,
                )
                .await?;
            let location = format!("/api/team/invites/{}", invite.id);
            let issued = IssuedInvite {
                link: link(&state, &token.text),
                invite: invite.into(),
            };
            let answer = Answer::created(location, &issued)?;
            key.keep(conn, &admin, &answer).await?;
            ApiResult::Ok(answer)
        })
        .await?;
    Ok(answer.into_response())
}

/// Takes an invitation back.
#[utoipa::path(
    delete, path = "/api/team/invites/{id}", tag = "team", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the invitation's id")),
    responses((status = 204, description = "taken back"))
)]
pub async fn delete_invite(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    PathId(id): PathId<InviteId>,
) -> ApiResult<StatusCode> {
    let (tenant, actor, now) = (admin.tenant, origin.of(&admin), state.ctx.clock.now());
    let mut conn = state.conn().await?;
    conn.transaction(async |conn| {
        let invite = invites::withdraw(conn, tenant, id, now).await?;
        let invite = invite.ok_or(codes::INVITE_NOT_FOUND)?;
        let target = format!("invite:{id}");
        let change = (Some(facts(&invite)), None);
        actor
            .note(conn, tenant, "invite.deleted", target, change, now)
            .await?;
        ApiResult::Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The newest invitations that can still be accepted.
pub(super) async fn newest(state: &AppState, tenant: TenantId) -> ApiResult<Vec<InviteView>> {
    let now = state.ctx.clock.now();
    let rows = state
        .read(async |conn| invites::list_pending(conn, tenant, None, SHOWN, now).await)
        .await?;
    Ok(rows.into_iter().map(InviteView::from).collect())
}

/// Whether the caller, as they are now, may invite this person.
async fn check(
    conn: &mut AsyncPgConnection,
    admin: &Admin,
    invite: &NewInvite<'_>,
) -> ApiResult<()> {
    let tenant = admin.tenant;
    let caller = users::lock(conn, tenant, admin.user).await?;
    let caller = caller.ok_or(codes::FORBIDDEN)?;
    let role = caller.role.at_most(admin.role);
    if !caller.is_active || !role.leads() || !role.covers(invite.role) {
        return Err(codes::FORBIDDEN.into());
    }
    if caller.confirmed_at.is_none() {
        return Err(codes::EMAIL_UNCONFIRMED.into());
    }
    if let Some(email) = invite.email
        && users::find_by_email(conn, tenant, email).await?.is_some()
    {
        return Err(taken());
    }
    Ok(())
}

/// Somebody of the team has the e-mail.
pub(in crate::routes::access) fn taken() -> ApiError {
    ApiError::from(codes::EMAIL_TAKEN).with_message("somebody of the team has this e-mail")
}

fn link(state: &AppState, token: &SecretString) -> String {
    let base = state.config.base_url.trim_end_matches('/');
    format!("{base}/accept-invite?token={}", token.expose_secret())
}

/// What the audit log keeps of an invitation: never its token.
pub(in crate::routes::access) fn facts(invite: &Invite) -> Value {
    json!({
        "email": invite.email, "username": invite.username, "role": invite.role,
        "invited_by": invite.invited_by, "expires_at": invite.expires_at,
    })
}
