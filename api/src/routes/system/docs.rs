//! The API's own description.

use std::future::{Ready, ready};
use std::sync::OnceLock;

use axum::Json;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::routes::document;

/// The OpenAPI document of this API.
#[utoipa::path(
    get, path = "/openapi.json", tag = "system",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, example = json!({"openapi": "3.1.0"})))
)]
pub fn openapi_json() -> Ready<Json<&'static Value>> {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| to_json(&document()));
    ready(Json(document))
}

/// The document as JSON.
pub fn to_json(document: &OpenApi) -> Value {
    serde_json::to_value(document).unwrap_or(Value::Null)
}
