//! The people of a tenant: who they are, what they may do, whether they still come in.

mod change;
pub mod invites;

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::db::chats;
use common::db::users::{self, MemberChange, Role, User};
use common::ids::{ChatId, TenantId, UserId};
use diesel_async::AsyncConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::invites::InviteView;
use crate::access::{Admin, Origin, Staff};
use crate::http::{ApiResult, Json, PathId, Problems, Query, Validate};
use crate::openapi::examples;
use crate::paging::{cut, page_size, read_cursor, write_cursor};
use crate::state::AppState;

/// A person of the team, as the others see them.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    /// What `assigned_to` and `user_id` of chats and messages mean.
    #[schema(value_type = i64)]
    id: UserId,
    public_id: Uuid,
    username: String,
    email: Option<String>,
    /// Whether it is proven that the e-mail is theirs.
    is_confirmed: bool,
    role: Role,
    /// `false`: they cannot come in any more.
    is_active: bool,
    last_login_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// A page of the team.
#[derive(Debug, Serialize, ToSchema)]
pub struct TeamPage {
    /// Who came first first; also those who were deactivated.
    team: Vec<Member>,
    /// The newest invitations that nobody has accepted yet: on the first page, for admins.
    invites: Vec<InviteView>,
    /// To be passed on as `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// Which people to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TeamQuery {
    is_active: Option<bool>,
    /// How many, 1 to 100; 50 if not given.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What to change about a person; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    /// At most your own role.
    role: Option<Role>,
    /// `false`: ends their sessions at once and takes their chats from them.
    is_active: Option<bool>,
}

impl Validate for MemberPatch {
    fn validate(&self, _: &mut Problems) {}
}

impl Member {
    fn new(user: User) -> Self {
        Self {
            id: user.id,
            public_id: user.public_id,
            username: user.username,
            is_confirmed: user.confirmed_at.is_some(),
            email: user.email,
            role: user.role,
            is_active: user.is_active,
            last_login_at: user.last_login_at,
            created_at: user.created_at,
        }
    }
}

/// Lists the people of the tenant.
#[utoipa::path(
    get, path = "/api/team", tag = "team", security(("bearer" = [])), params(TeamQuery),
    responses((status = 200, description = "people", body = TeamPage, example = json!(examples::team_page())))
)]
pub async fn list_team(
    State(state): State<AppState>,
    staff: Staff,
    Query(query): Query<TeamQuery>,
) -> ApiResult<Json<TeamPage>> {
    let size = page_size(query.limit)?;
    let after: Option<UserId> = read_cursor(query.cursor.as_deref())?;
    let (tenant, is_active) = (staff.tenant, query.is_active);
    let mut rows = state
        .read(async |conn| users::list(conn, tenant, is_active, after, size + 1).await)
        .await?;
    let has_more = cut(&mut rows, size);
    let last = rows.last().filter(|_| has_more);
    let next_cursor = last.map(|last| write_cursor(&last.id)).transpose()?;
    let invites = if staff.leads() && after.is_none() {
        invites::newest(&state, tenant).await?
    } else {
        Vec::new()
    };
    Ok(Json(TeamPage {
        team: rows.into_iter().map(Member::new).collect(),
        invites,
        next_cursor,
    }))
}

/// Changes what a person may do, or whether they may come in.
///
/// Only an owner changes owners and admins, and nobody themselves: so an owner is always left. Who is
/// deactivated is signed out within 5 s everywhere, loses what they invited to, and their chats
/// belong to nobody from then on, also the closed ones.
#[utoipa::path(
    patch, path = "/api/team/{user_id}", tag = "team", security(("bearer" = [])),
    params(("user_id" = i64, Path, description = "the person's id")),
    request_body(content = MemberPatch, example = json!({"role": "agent"})),
    responses(
        (status = 200, description = "changed", body = Member, example = json!(examples::member())),
        (status = 403, description = "`forbidden`, `not_oneself`"),
    )
)]
pub async fn update_member(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    PathId(id): PathId<UserId>,
    Json(body): Json<MemberPatch>,
) -> ApiResult<Json<Member>> {
    let wanted = MemberChange {
        role: body.role,
        is_active: body.is_active,
    };
    let (actor, now) = (origin.of(&admin), state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let (user, freed) = conn
        .transaction(async |conn| change::change(conn, &admin, &actor, id, wanted, now).await)
        .await?;
    state.access.evict(admin.tenant, id);
    publish(&state, admin.tenant, freed);
    Ok(Json(Member::new(user)))
}

/// Tells everybody that these chats belong to nobody now.
fn publish(state: &AppState, tenant: TenantId, freed: Vec<ChatId>) {
    if freed.is_empty() {
        return;
    }
    state.after_commit(move |ctx| async move {
        let Ok(mut conn) = ctx.pool.get().await else {
            return;
        };
        for id in freed {
            if let Ok(Some(chat)) = chats::find(&mut conn, tenant, id).await {
                ctx.publish_chat(&chat).await;
            }
        }
    });
}
