//! Within which time which buyers are to be answered.

pub mod preview;
pub mod terms;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use common::channel::Marketplace;
use common::db::chats;
use common::db::sla_rules::{self, SlaRuleRow};
use common::domain::deadlines::DEFAULT_OBLIGATION;
use common::ids::{BusinessHoursId, SellerId, SlaRuleId};
use diesel_async::AsyncConnection;
use serde::Serialize;
use utoipa::ToSchema;

use super::business_hours::taken;
use crate::access::{Admin, Origin, Staff};
use crate::http::{ApiResult, Json, PathId, codes};
use crate::openapi::examples;
use crate::state::AppState;

pub use self::preview::{__path_preview_sla_rule, preview_sla_rule};
pub use self::terms::RuleBody;

/// A rule within which time buyers are answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SlaRule)]
pub struct RuleView {
    #[schema(value_type = i64)]
    id: SlaRuleId,
    name: String,
    /// The highest that matches counts; of equals the more specific, then the older.
    priority: i32,
    is_active: bool,
    marketplace: Option<Marketplace>,
    #[schema(value_type = Option<i64>)]
    seller_id: Option<SellerId>,
    intent: Option<String>,
    keyword: Option<String>,
    chat_type: Option<String>,
    matches_everything: bool,
    /// In seconds.
    answer_within_s: i32,
    /// The last so many seconds are at risk; null: the last quarter.
    at_risk_s: Option<i32>,
    /// The hours that it counts by; null: the wall clock.
    #[schema(value_type = Option<i64>)]
    business_hours_id: Option<BusinessHoursId>,
    /// Why this rule stands.
    source: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// All rules of the tenant, and what counts where none matches.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleList {
    /// The highest priority first.
    sla_rules: Vec<RuleView>,
    default: DefaultRule,
}

/// What counts where no rule matches.
#[derive(Debug, Serialize, ToSchema)]
pub struct DefaultRule {
    /// In seconds, by the wall clock.
    answer_within_s: u64,
    source: &'static str,
}

const DEFAULT: DefaultRule = DefaultRule {
    answer_within_s: DEFAULT_OBLIGATION.as_secs(),
    source: "ours: no marketplace publishes a time to answer; only Ozon's window of 48 hours is firm",
};

impl From<SlaRuleRow> for RuleView {
    fn from(row: SlaRuleRow) -> Self {
        let terms = row.terms;
        Self {
            id: row.id,
            name: terms.name,
            priority: terms.priority,
            is_active: terms.is_active,
            marketplace: terms.marketplace,
            seller_id: terms.seller_id,
            intent: terms.intent,
            keyword: terms.keyword,
            chat_type: terms.chat_type,
            matches_everything: terms.matches_everything,
            answer_within_s: terms.answer_within_s,
            at_risk_s: terms.at_risk_s,
            business_hours_id: terms.business_hours_id,
            source: terms.source,
            created_at: row.created_at,
            updated_at: terms.updated_at,
        }
    }
}

/// Lists the tenant's rules.
#[utoipa::path(
    get, path = "/api/sla-rules", tag = "rules", security(("bearer" = [])),
    responses((status = 200, description = "rules", body = RuleList, example = json!(examples::sla_rules())))
)]
pub async fn list_sla_rules(
    State(state): State<AppState>,
    staff: Staff,
) -> ApiResult<Json<RuleList>> {
    let tenant = staff.tenant;
    let rows = state
        .read(async |conn| sla_rules::all(conn, tenant).await)
        .await?;
    Ok(Json(RuleList {
        sla_rules: rows.into_iter().map(RuleView::from).collect(),
        default: DEFAULT,
    }))
}

/// Shows a rule.
#[utoipa::path(
    get, path = "/api/sla-rules/{id}", tag = "rules", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the rule's id")),
    responses((status = 200, description = "the rule", body = RuleView, example = json!(examples::sla_rule())))
)]
pub async fn get_sla_rule(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<SlaRuleId>,
) -> ApiResult<Json<RuleView>> {
    let tenant = staff.tenant;
    let found = state
        .read(async |conn| sla_rules::find(conn, tenant, id).await)
        .await?;
    Ok(Json(found.ok_or(codes::SLA_RULE_NOT_FOUND)?.into()))
}

/// Adds a rule; the deadlines of open chats follow within seconds.
#[utoipa::path(
    post, path = "/api/sla-rules", tag = "rules", security(("bearer" = [])),
    request_body(content = RuleBody, example = json!(examples::new_sla_rule())),
    responses(
        (status = 201, description = "added", body = RuleView, example = json!(examples::sla_rule())),
        (status = 409, description = "`name_taken`"),
    )
)]
pub async fn create_sla_rule(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    Json(body): Json<RuleBody>,
) -> ApiResult<Response> {
    let (tenant, now) = (admin.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let row = conn
        .transaction(async |conn| {
            body.check_references(conn, tenant).await?;
            let row = sla_rules::insert(conn, tenant, &body.terms(now)).await;
            let row = row.map_err(taken)?;
            chats::ring_all(conn, tenant, now).await?;
            let change = (None, Some(body.json()));
            let target = format!("sla_rule:{}", row.id);
            origin
                .of(&admin)
                .note(conn, tenant, "sla_rule.created", target, change, now)
                .await?;
            ApiResult::Ok(row)
        })
        .await?;
    let location = [(LOCATION, format!("/api/sla-rules/{}", row.id))];
    Ok((StatusCode::CREATED, location, Json(RuleView::from(row))).into_response())
}

/// Replaces a rule; the deadlines of open chats follow within seconds.
#[utoipa::path(
    put, path = "/api/sla-rules/{id}", tag = "rules", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the rule's id")),
    request_body(content = RuleBody, example = json!(examples::new_sla_rule())),
    responses(
        (status = 200, description = "replaced", body = RuleView, example = json!(examples::sla_rule())),
        (status = 409, description = "`name_taken`"),
    )
)]
pub async fn replace_sla_rule(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    PathId(id): PathId<SlaRuleId>,
    Json(body): Json<RuleBody>,
) -> ApiResult<Json<RuleView>> {
    let (tenant, now) = (admin.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let row = conn
        .transaction(async |conn| {
            let before = sla_rules::find(conn, tenant, id).await?;
            let before = before.ok_or(codes::SLA_RULE_NOT_FOUND)?;
            body.check_references(conn, tenant).await?;
            let row = sla_rules::update(conn, tenant, id, &body.terms(now)).await;
            let row = row.map_err(taken)?.ok_or(codes::SLA_RULE_NOT_FOUND)?;
            chats::ring_all(conn, tenant, now).await?;
            let change = (Some(RuleBody::of(&before).json()), Some(body.json()));
            let target = format!("sla_rule:{id}");
            origin
                .of(&admin)
                .note(conn, tenant, "sla_rule.updated", target, change, now)
                .await?;
            ApiResult::Ok(row)
        })
        .await?;
    Ok(Json(row.into()))
}

/// Deletes a rule; the deadlines of open chats follow within seconds.
#[utoipa::path(
    delete, path = "/api/sla-rules/{id}", tag = "rules", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the rule's id")),
    responses((status = 204, description = "deleted"))
)]
pub async fn delete_sla_rule(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    PathId(id): PathId<SlaRuleId>,
) -> ApiResult<StatusCode> {
    let (tenant, now) = (admin.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    conn.transaction(async |conn| {
        let before = sla_rules::find(conn, tenant, id).await?;
        let before = before.ok_or(codes::SLA_RULE_NOT_FOUND)?;
        sla_rules::delete(conn, tenant, id).await?;
        chats::ring_all(conn, tenant, now).await?;
        let change = (Some(RuleBody::of(&before).json()), None);
        let target = format!("sla_rule:{id}");
        origin
            .of(&admin)
            .note(conn, tenant, "sla_rule.deleted", target, change, now)
            .await?;
        ApiResult::Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
