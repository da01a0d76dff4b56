//! The pages that show the API's description: Swagger UI to try it, ReDoc to read it.

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::http::{ApiResult, codes};
use crate::state::AppState;

/// All of it comes from here, but for drawings in its own style sheet and one style that it adds itself.
const SWAGGER_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// ReDoc makes its styles as it runs, and a worker of its own text to search in; the picture of its
/// maker stays away.
const REDOC_POLICY: &str = "default-src 'none'; script-src 'self'; style-src-elem 'unsafe-inline'; \
     img-src data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

const REDOC: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Chat Center</title>
<style>body { margin: 0 }</style>
<redoc spec-url="/openapi.json"></redoc>
<script src="/redoc/redoc.standalone.js"></script>
</html>
"#;

const NO_REDOC: &str = "ReDoc is not here: scripts/redoc fetches it (or REDOC_FILE names its script); \
     /docs shows the same document.\n";

/// The pages, each with what it may load.
pub fn pages() -> Router<AppState> {
    let swagger = SwaggerUi::new("/docs").config(Config::from("/openapi.json"));
    let redoc = Router::new()
        .route("/redoc", get(redoc_page))
        .route("/redoc/redoc.standalone.js", get(redoc_script));
    Router::from(swagger)
        .layer(policy(SWAGGER_POLICY))
        .merge(redoc.layer(policy(REDOC_POLICY)))
}

fn policy(text: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    let value = HeaderValue::from_static(text);
    SetResponseHeaderLayer::overriding(CONTENT_SECURITY_POLICY, value)
}

async fn redoc_page(State(state): State<AppState>) -> Response {
    match tokio::fs::try_exists(&state.config.redoc_file).await {
        Ok(true) => Html(REDOC).into_response(),
        _ => NO_REDOC.into_response(),
    }
}

async fn redoc_script(
    State(state): State<AppState>,
) -> ApiResult<([(HeaderName, &'static str); 1], Vec<u8>)> {
    let script = tokio::fs::read(&state.config.redoc_file).await;
    let script = script.map_err(|_| codes::NOT_FOUND)?;
    Ok(([(CONTENT_TYPE, "text/javascript; charset=utf-8")], script))
}
