//! When a tenant's people work: what its rules count by.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use common::db::business_hours::{self, BusinessHoursRow, HoursTerms, StoredHours};
use common::db::chats;
use common::domain::business_hours::{BusinessHours, BusinessHoursSpec};
use common::ids::BusinessHoursId;
use diesel::result::{DatabaseErrorKind, Error as DatabaseError};
use diesel_async::AsyncConnection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::{Admin, Origin, Staff};
use crate::http::{ApiError, ApiResult, Json, PathId, Problems, Query, Validate, codes};
use crate::openapi::examples;
use crate::paging::{PageQuery, cut, page_size, read_cursor, write_cursor};
use crate::state::AppState;

/// The hours in which people work.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BusinessHours)]
pub struct HoursView {
    #[schema(value_type = i64)]
    id: BusinessHoursId,
    name: String,
    zone: String,
    week: common::domain::business_hours::WeekSpec,
    holidays: Vec<common::domain::business_hours::HolidaySpec>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A page of hours.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoursPage {
    business_hours: Vec<HoursView>,
    /// To be passed on as `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// Hours to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoursBody {
    /// 1 to 100 characters, each name once.
    name: String,
    /// The time zone, by its name in the IANA database: `Europe/Moscow`.
    zone: String,
    week: common::domain::business_hours::WeekSpec,
    /// Dates with hours of their own, at most 1000.
    #[serde(default)]
    holidays: Vec<common::domain::business_hours::HolidaySpec>,
}

impl HoursBody {
    fn spec(&self) -> BusinessHoursSpec {
        BusinessHoursSpec {
            zone: self.zone.clone(),
            week: self.week.clone(),
            holidays: self.holidays.clone(),
        }
    }

    fn terms(&self, now: DateTime<Utc>) -> HoursTerms {
        HoursTerms {
            name: self.name.trim().to_owned(),
            spec: StoredHours(self.spec()),
            updated_at: now,
        }
    }
}

impl Validate for HoursBody {
    fn validate(&self, problems: &mut Problems) {
        let is_decent = (1..=100).contains(&self.name.trim().chars().count());
        problems.require(is_decent, "name", "must be 1 to 100 characters");
        if let Err(problem) = BusinessHours::try_from(self.spec()) {
            problems.add("week", problem.to_string());
        }
    }
}

impl From<BusinessHoursRow> for HoursView {
    fn from(row: BusinessHoursRow) -> Self {
        let spec = row.spec.0;
        Self {
            id: row.id,
            name: row.name,
            zone: spec.zone,
            week: spec.week,
            holidays: spec.holidays,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Lists the tenant's hours.
#[utoipa::path(
    get, path = "/api/business-hours", tag = "rules", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "hours", body = HoursPage, example = json!(examples::hours_page())))
)]
pub async fn list_business_hours(
    State(state): State<AppState>,
    staff: Staff,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<HoursPage>> {
    let size = page_size(query.limit)?;
    let behind: Option<BusinessHoursId> = read_cursor(query.cursor.as_deref())?;
    let tenant = staff.tenant;
    let mut rows = state
        .read(async |conn| business_hours::list(conn, tenant, behind, size + 1).await)
        .await?;
    let has_more = cut(&mut rows, size);
    let last = rows.last().filter(|_| has_more).map(|last| last.id);
    Ok(Json(HoursPage {
        next_cursor: last.map(|last| write_cursor(&last)).transpose()?,
        business_hours: rows.into_iter().map(HoursView::from).collect(),
    }))
}

/// Shows hours.
#[utoipa::path(
    get, path = "/api/business-hours/{id}", tag = "rules", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the hours' id")),
    responses((status = 200, description = "the hours", body = HoursView, example = json!(examples::hours())))
)]
pub async fn get_business_hours(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<BusinessHoursId>,
) -> ApiResult<Json<HoursView>> {
    let tenant = staff.tenant;
    let found = state
        .read(async |conn| business_hours::find(conn, tenant, id).await)
        .await?;
    let found = found.ok_or(codes::BUSINESS_HOURS_NOT_FOUND)?;
    Ok(Json(found.into()))
}

/// Keeps new hours; rules may then count by them.
#[utoipa::path(
    post, path = "/api/business-hours", tag = "rules", security(("bearer" = [])),
    request_body(content = HoursBody, example = json!(examples::new_hours())),
    responses(
        (status = 201, description = "kept", body = HoursView, example = json!(examples::hours())),
        (status = 409, description = "`name_taken`"),
    )
)]
pub async fn create_business_hours(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    Json(body): Json<HoursBody>,
) -> ApiResult<Response> {
    let (tenant, now) = (admin.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let row = conn
        .transaction(async |conn| {
            let row = business_hours::insert(conn, tenant, &body.terms(now)).await;
            let row = row.map_err(taken)?;
            let change = (None, Some(json!(body.spec())));
            let target = format!("business_hours:{}", row.id);
            origin
                .of(&admin)
                .note(conn, tenant, "business_hours.created", target, change, now)
                .await?;
            ApiResult::Ok(row)
        })
        .await?;
    let location = [(LOCATION, format!("/api/business-hours/{}", row.id))];
    Ok((StatusCode::CREATED, location, Json(HoursView::from(row))).into_response())
}

/// Replaces hours; the deadlines of open chats follow within seconds.
#[utoipa::path(
    put, path = "/api/business-hours/{id}", tag = "rules", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the hours' id")),
    request_body(content = HoursBody, example = json!(examples::new_hours())),
    responses(
        (status = 200, description = "replaced", body = HoursView, example = json!(examples::hours())),
        (status = 409, description = "`name_taken`"),
    )
)]
pub async fn replace_business_hours(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    PathId(id): PathId<BusinessHoursId>,
    Json(body): Json<HoursBody>,
) -> ApiResult<Json<HoursView>> {
    let (tenant, now) = (admin.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let row = conn
        .transaction(async |conn| {
            let before = business_hours::find(conn, tenant, id).await?;
            let before = before.ok_or(codes::BUSINESS_HOURS_NOT_FOUND)?;
            let row = business_hours::update(conn, tenant, id, &body.terms(now)).await;
            let row = row.map_err(taken)?;
            let row = row.ok_or(codes::BUSINESS_HOURS_NOT_FOUND)?;
            chats::ring_all(conn, tenant, now).await?;
            let change: (Option<Value>, _) = (Some(json!(before.spec.0)), Some(json!(body.spec())));
            let target = format!("business_hours:{id}");
            origin
                .of(&admin)
                .note(conn, tenant, "business_hours.updated", target, change, now)
                .await?;
            ApiResult::Ok(row)
        })
        .await?;
    Ok(Json(row.into()))
}

/// Deletes hours that no rule counts by.
#[utoipa::path(
    delete, path = "/api/business-hours/{id}", tag = "rules", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the hours' id")),
    responses(
        (status = 204, description = "deleted"),
        (status = 409, description = "`hours_in_use`"),
    )
)]
pub async fn delete_business_hours(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    PathId(id): PathId<BusinessHoursId>,
) -> ApiResult<StatusCode> {
    let (tenant, now) = (admin.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    conn.transaction(async |conn| {
        let before = business_hours::find(conn, tenant, id).await?;
        let before = before.ok_or(codes::BUSINESS_HOURS_NOT_FOUND)?;
        let deleted = business_hours::delete(conn, tenant, id).await;
        deleted.map_err(|error| match error {
            DatabaseError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
                ApiError::from(codes::HOURS_IN_USE)
            }
            error => error.into(),
        })?;
        let change = (Some(json!(before.spec.0)), None);
        let target = format!("business_hours:{id}");
        origin
            .of(&admin)
            .note(conn, tenant, "business_hours.deleted", target, change, now)
            .await?;
        ApiResult::Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Another of the tenant has this name.
pub(super) fn taken(error: DatabaseError) -> ApiError {
    match error {
        DatabaseError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
            codes::NAME_TAKEN.into()
        }
        error => error.into(),
    }
}
