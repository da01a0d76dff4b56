//! What is written down about each request: a log line with ids only, a counter, a histogram.

use std::time::Duration;

use axum::http::StatusCode;
use common::ids::{TenantId, UserId};

use super::error::ApiError;

/// A request that was answered.
pub(super) struct Seen<'a> {
    pub(super) method: &'static str,
    /// The template of its path.
    pub(super) route: &'a str,
    pub(super) status: StatusCode,
    pub(super) took: Duration,
    pub(super) request_id: &'a str,
    pub(super) caller: Option<(TenantId, UserId)>,
    pub(super) error: Option<&'a ApiError>,
}

/// Tells the metrics what they mean.
pub fn describe_metrics() {
    metrics::describe_counter!("http_requests_total", "requests by route and status");
    metrics::describe_histogram!(
        "http_request_duration_seconds",
        metrics::Unit::Seconds,
        "time to the head of the answer, by route"
    );
    metrics::describe_counter!("http_panics_total", "requests that ended in a panic");
}

pub(super) fn observe(seen: &Seen<'_>) {
    let labels = [
        ("method", seen.method.to_owned()),
        ("route", seen.route.to_owned()),
    ];
    metrics::histogram!("http_request_duration_seconds", &labels).record(seen.took);
    let status = seen.status.as_u16().to_string();
    let [method, route] = labels;
    metrics::counter!("http_requests_total", &[method, route, ("status", status)]).increment(1);
    log(seen);
}

fn log(seen: &Seen<'_>) {
    let tenant = seen.caller.map(|(tenant, _)| tenant.to_string());
    let user = seen.caller.map(|(_, user)| user.0);
    let code = seen.error.map(|error| error.code.name);
    let cause = seen.error.and_then(|error| error.cause.as_deref());
    let ms = u64::try_from(seen.took.as_millis()).unwrap_or(u64::MAX);
    if seen.status.is_server_error() && seen.status != StatusCode::SERVICE_UNAVAILABLE {
        tracing::error!(
            method = seen.method,
            route = seen.route,
            status = seen.status.as_u16(),
            ms,
            request_id = seen.request_id,
            tenant,
            user,
            code,
            cause,
            "request failed"
        );
    } else if seen.status.is_server_error() {
        tracing::warn!(
            method = seen.method,
            route = seen.route,
            status = seen.status.as_u16(),
            ms,
            request_id = seen.request_id,
            tenant,
            user,
            code,
            cause,
            "request refused"
        );
    } else {
        tracing::info!(
            method = seen.method,
            route = seen.route,
            status = seen.status.as_u16(),
            ms,
            request_id = seen.request_id,
            tenant,
            user,
            code,
            "request"
        );
    }
}
