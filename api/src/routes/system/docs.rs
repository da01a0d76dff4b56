//! The API's own description.

use std::future::{Ready, ready};
use std::sync::OnceLock;

use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use utoipa::openapi::OpenApi;

use crate::routes::document;

/// The OpenAPI document of this API.
#[utoipa::path(
    get, path = "/openapi.json", tag = "system",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, example = json!({"openapi": "3.1.0"})))
)]
pub fn openapi_json() -> Ready<([(HeaderName, &'static str); 1], &'static str)> {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| to_json(&document()));
    ready(([(CONTENT_TYPE, "application/json")], text))
}

/// The document as JSON.
pub fn to_json(document: &OpenApi) -> String {
    document.to_pretty_json().unwrap_or_default()
}
