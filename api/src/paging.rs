//! Pages of a list: how many, and where the next one goes on.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::http::{ApiError, ApiResult};

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many, 1 to 100; 50 if not given.
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

const USUAL: i64 = 50;
const MOST: i64 = 100;

/// How many items a page has: 1 to 100, by default 50.
pub fn page_size(limit: Option<i64>) -> ApiResult<i64> {
    match limit {
        None => Ok(USUAL),
        Some(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        Some(_) => Err(ApiError::of_field("limit", "must be 1 to 100")),
    }
}

/// A cursor as clients pass it on.
pub fn write_cursor(cursor: &impl Serialize) -> ApiResult<String> {
    let json = serde_json::to_vec(cursor).map_err(ApiError::internal)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(json))
}

/// The cursor that a client passed on.
pub fn read_cursor<T: DeserializeOwned>(cursor: Option<&str>) -> ApiResult<Option<T>> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    let json = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let read = json.and_then(|json| serde_json::from_slice(&json).ok());
    read.map(Some)
        .ok_or_else(|| ApiError::of_field("cursor", "is not a cursor of this list"))
}

/// Cuts what was read one beyond the page; tells whether there is more.
pub fn cut<T>(items: &mut Vec<T>, size: i64) -> bool {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let has_more = items.len() > size;
    items.truncate(size);
    has_more
}
