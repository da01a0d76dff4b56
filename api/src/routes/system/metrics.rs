//! Numbers for Prometheus: for this machine, or whoever has the token.

use std::net::SocketAddr;
use std::sync::OnceLock;

use axum::extract::{ConnectInfo, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use secrecy::ExposeSecret;

use crate::access::bearer_token;
use crate::http::{ApiError, ApiResult, codes, describe_metrics};
use crate::state::AppState;

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// From 1 ms to 10 s.
const BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Numbers of this process in Prometheus' text form.
#[utoipa::path(
    get, path = "/metrics", tag = "system",
    responses(
        (status = 200, description = "numbers", body = String, content_type = "text/plain",
            example = "http_requests_total{method=\"GET\",route=\"/health\",status=\"200\"} 1"),
        (status = 401, description = "neither from loopback nor with `METRICS_TOKEN`"),
    )
)]
pub async fn get_metrics(
    State(state): State<AppState>,
    peer: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
) -> ApiResult<([(HeaderName, &'static str); 1], String)> {
    let token = state.config.metrics_token.as_ref();
    let has_token = token.is_some_and(|token| {
        bearer_token(&headers).is_some_and(|given| is_same(given, token.expose_secret()))
    });
    // A proxy on this machine brings strangers: they carry its header.
    let is_local = peer.is_some_and(|peer| peer.0.0.ip().to_canonical().is_loopback())
        && !headers.contains_key("x-forwarded-for");
    if !is_local && !has_token {
        return Err(codes::UNAUTHORIZED.into());
    }
    let handle = handle().ok_or_else(|| ApiError::internal("no metrics recorder"))?;
    // Rendering walks all series: away from the threads that answer.
    let text = tokio::task::spawn_blocking(move || handle.render()).await;
    let text = text.map_err(ApiError::internal)?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}

/// Starts to record; a second call does nothing.
pub fn record() {
    let installed = HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(BUCKETS);
        builder.and_then(PrometheusBuilder::install_recorder).ok()
    });
    if installed.is_none() {
        tracing::warn!("metrics are not recorded");
    }
    describe_metrics();
}

/// Keeps the recorder tidy; to be called now and then.
pub fn tidy() {
    if let Some(handle) = handle() {
        handle.run_upkeep();
    }
}

fn handle() -> Option<PrometheusHandle> {
    HANDLE.get().cloned().flatten()
}

/// Compares without telling by the time it takes where two texts differ.
fn is_same(left: &str, right: &str) -> bool {
    use sha2::{Digest, Sha256};
    Sha256::digest(left) == Sha256::digest(right)
}
