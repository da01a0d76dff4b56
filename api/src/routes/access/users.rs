//! The person who is signed in.

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::db::access_changes;
use common::db::users::{self, Role, User};
use common::ids::TenantId;
use diesel::result::{DatabaseErrorKind, Error as DatabaseError};
use diesel_async::AsyncConnection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::check_username;
use crate::access::{Access, InPerson, Origin, Person};
use crate::http::{ApiError, ApiResult, Json, Problems, Validate, codes};
use crate::openapi::examples;
use crate::state::AppState;

/// A person, as they see themselves.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    id: Uuid,
    email: Option<String>,
    username: String,
    created_at: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
    is_active: bool,
    tenant: MyTenant,
    role: MyRole,
}

/// What a person may do.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MyRole {
    /// One of ours; no tenant's staff.
    Operator,
    Owner,
    Admin,
    Agent,
    /// Uses the assistant only.
    Member,
}

impl MyRole {
    fn of(role: Role, access: &Access) -> Self {
        match role {
            _ if access.is_operator() => Self::Operator,
            Role::Owner => Self::Owner,
            Role::Admin => Self::Admin,
            Role::Agent => Self::Agent,
            Role::Member => Self::Member,
        }
    }
}

/// The tenant of a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyTenant {
    #[schema(value_type = Uuid)]
    id: TenantId,
    slug: String,
    name: String,
}

/// What a person may change about themselves.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeChange {
    /// 3 to 100 characters.
    username: String,
}

impl Validate for MeChange {
    fn validate(&self, problems: &mut Problems) {
        check_username(&self.username, problems);
    }
}

impl Me {
    fn new(user: User, access: &Access) -> Self {
        Self {
            id: user.public_id,
            email: user.email,
            username: user.username,
            created_at: user.created_at,
            last_login_at: user.last_login_at,
            is_active: user.is_active,
            tenant: MyTenant {
                id: access.tenant,
                slug: access.tenant_slug.clone(),
                name: access.tenant_name.clone(),
            },
            role: MyRole::of(user.role, access),
        }
    }
}

/// Tells who is signed in.
#[utoipa::path(
    get, path = "/api/v1/users/me", tag = "access", security(("bearer" = [])),
    responses((status = 200, description = "the person", body = Me, example = json!(examples::me())))
)]
pub async fn get_me(State(state): State<AppState>, person: Person) -> ApiResult<Json<Me>> {
    let (tenant, id) = (person.tenant, person.user);
    let user = state
        .read(async |conn| users::find(conn, tenant, id).await)
        .await?;
    let user = user.ok_or(codes::UNAUTHORIZED)?;
    Ok(Json(Me::new(user, &person)))
}

/// Changes the name of who is signed in.
#[utoipa::path(
    put, path = "/api/v1/users/me", tag = "access", security(("bearer" = [])),
    request_body(content = MeChange, example = json!({"username": "owner"})),
    responses(
        (status = 200, description = "the person", body = Me, example = json!(examples::me())),
        (status = 409, description = "`username_taken`"),
    )
)]
pub async fn update_me(
    State(state): State<AppState>,
    person: InPerson,
    origin: Origin,
    Json(body): Json<MeChange>,
) -> ApiResult<Json<Me>> {
    let (tenant, id) = (person.tenant, person.user);
    let (actor, now) = (origin.of(&person), state.ctx.clock.now());
    let username = body.username.trim();
    let name = |name: &str| Some(json!({ "username": name }));
    let mut conn = state.conn().await?;
    let renamed = conn
        .transaction(async |conn| {
            access_changes::insert(conn, tenant, id).await?;
            let change = (name(&person.username), name(username));
            let target = format!("user:{id}");
            actor
                .note(conn, tenant, "user.renamed", target, change, now)
                .await?;
            users::rename(conn, tenant, id, username).await
        })
        .await;
    let user = match renamed {
        Err(DatabaseError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
            return Err(codes::USERNAME_TAKEN.into());
        }
        renamed => renamed?.ok_or_else(|| ApiError::from(codes::UNAUTHORIZED))?,
    };
    state.access.evict(tenant, id);
    Ok(Json(Me::new(user, &person)))
}
