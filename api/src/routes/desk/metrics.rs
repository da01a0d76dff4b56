//! How answering goes: drafts and what became of them, first answers, breaches.

use axum::extract::State;
use chrono::TimeDelta;
use common::db::reply_metrics::{self, ReplyMetrics};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Staff;
use crate::http::{ApiError, ApiResult, Json, Query};
use crate::openapi::examples;
use crate::state::AppState;

const USUAL_DAYS: i64 = 7;
const MOST_DAYS: i64 = 90;

/// Over which time.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MetricsQuery {
    /// The last so many days, 1 to 90; 7 if not given.
    days: Option<i64>,
}

/// How answering went.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplyMetrics)]
pub struct ReplyMetricsView {
    days: i64,
    /// Drafts that could have been sent: those that were ready, and held ones that somebody used.
    eligible: i64,
    /// Sent as they were.
    accepted: i64,
    /// Sent after a person changed them.
    edited: i64,
    rejected: i64,
    /// The chat moved on before anybody decided.
    stale: i64,
    /// Drafts that a check forbade to send as they were.
    held: i64,
    first_answer: FirstAnswer,
    breaches: Breaches,
}

/// From the first unanswered buyer message to the delivered answer, of answers in this time.
#[derive(Debug, Serialize, ToSchema)]
pub struct FirstAnswer {
    answered: i64,
    /// In seconds; null where nothing was answered.
    median_s: Option<i64>,
    /// In seconds.
    p90_s: Option<i64>,
}

/// Answers that came too late or are still owed, by cause.
#[derive(Debug, Serialize, ToSchema)]
pub struct Breaches {
    total: i64,
    /// Nobody answered.
    no_answer: i64,
    /// What was written could not be sent.
    send_failed: i64,
    /// The shop's chats could not be read.
    shop_error: i64,
    /// The shop's key may not send.
    read_only: i64,
}

impl ReplyMetricsView {
    fn new(days: i64, metrics: &ReplyMetrics) -> Self {
        Self {
            days,
            eligible: metrics.eligible,
            accepted: metrics.accepted,
            edited: metrics.edited,
            rejected: metrics.rejected,
            stale: metrics.stale,
            held: metrics.held,
            first_answer: FirstAnswer {
                answered: metrics.answered,
                median_s: metrics.median_s,
                p90_s: metrics.p90_s,
            },
            breaches: Breaches {
                total: metrics.breached,
                no_answer: metrics.no_answer,
                send_failed: metrics.send_failed,
                shop_error: metrics.shop_error,
                read_only: metrics.read_only,
            },
        }
    }
}

/// Shows how answering went.
#[utoipa::path(
    get, path = "/api/metrics/replies", tag = "metrics", security(("bearer" = [])),
    params(MetricsQuery),
    responses((status = 200, description = "figures", body = ReplyMetricsView, example = json!(examples::reply_metrics())))
)]
pub async fn get_reply_metrics(
    State(state): State<AppState>,
    staff: Staff,
    Query(query): Query<MetricsQuery>,
) -> ApiResult<Json<ReplyMetricsView>> {
    let days = query.days.unwrap_or(USUAL_DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(ApiError::of_field("days", "must be 1 to 90"));
    }
    let tenant = staff.tenant;
    let since = state.ctx.clock.now() - TimeDelta::days(days);
    let metrics = state
        .read(async |conn| reply_metrics::since(conn, tenant, since).await)
        .await?;
    Ok(Json(ReplyMetricsView::new(days, &metrics)))
}
