//! Who changed what.

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::db::audit_log::{self, Entry, EntryCursor, EntryFilter};
use common::ids::{AuditEntryId, TenantId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::access::Admin;
use crate::http::{ApiResult, Json, Query};
use crate::openapi::examples;
use crate::paging::{cut, page_size, read_cursor, write_cursor};
use crate::state::AppState;

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    #[schema(value_type = i64)]
    id: AuditEntryId,
    at: DateTime<Utc>,
    actor: AuditActor,
    /// What was done, as in `seller.updated`.
    action: String,
    /// To what, as in `seller:12`.
    target: String,
    ip: Option<String>,
    user_agent: Option<String>,
    /// What the object was, as far as it matters; null if it is new.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// What it is since; null if it is gone.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
}

/// Who did it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditActor {
    /// As they were called then; a token by its own name.
    name: String,
    /// The person of the tenant; null: somebody who is not signed in, one of ours, or a program.
    #[schema(value_type = Option<i64>)]
    user_id: Option<UserId>,
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// The newest first.
    entries: Vec<AuditEntry>,
    /// To be passed on as `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// Which entries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// The whole name of who did it.
    actor: Option<String>,
    /// As in `seller.updated`.
    action: Option<String>,
    /// As in `seller:12`.
    target: Option<String>,
    /// Only entries at this time or later.
    from: Option<DateTime<Utc>>,
    /// Only entries before this time.
    to: Option<DateTime<Utc>>,
    /// How many, 1 to 100; 50 if not given.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl AuditEntry {
    fn new(entry: Entry, tenant: TenantId) -> Self {
        let is_of_tenant = entry.actor_tenant_id == Some(tenant);
        Self {
            id: entry.id,
            at: entry.at,
            actor: AuditActor {
                name: entry.actor,
                user_id: entry.actor_user_id.filter(|_| is_of_tenant),
            },
            action: entry.action,
            target: entry.target,
            ip: entry.ip,
            user_agent: entry.user_agent,
            before: entry.before,
            after: entry.after,
        }
    }
}

/// Lists who changed what in the tenant.
#[utoipa::path(
    get, path = "/api/audit-log", tag = "team", security(("bearer" = [])), params(AuditQuery),
    responses((status = 200, description = "entries", body = AuditPage, example = json!(examples::audit_page())))
)]
pub async fn list_audit_log(
    State(state): State<AppState>,
    admin: Admin,
    Query(query): Query<AuditQuery>,
) -> ApiResult<Json<AuditPage>> {
    let size = page_size(query.limit)?;
    let behind: Option<EntryCursor> = read_cursor(query.cursor.as_deref())?;
    let filter = EntryFilter {
        actor: query.actor,
        action: query.action,
        target: query.target,
        from: query.from,
        to: query.to,
    };
    let tenant = admin.tenant;
    let mut rows = state
        .read(async |conn| audit_log::list(conn, tenant, &filter, behind, size + 1).await)
        .await?;
    let has_more = cut(&mut rows, size);
    let last = rows.last().filter(|_| has_more);
    let next_cursor = last
        .map(|last| {
            let (at, id) = (last.at, last.id);
            write_cursor(&EntryCursor { at, id })
        })
        .transpose()?;
    let entries = rows.into_iter().map(|row| AuditEntry::new(row, tenant));
    Ok(Json(AuditPage {
        entries: entries.collect(),
        next_cursor,
    }))
}
