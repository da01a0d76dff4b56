//! What requests and answers about saved views hold.

use chrono::{DateTime, Utc};
use common::db::chats::ChatFilter;
use common::db::saved_views::SavedView;
use common::ids::SavedViewId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::chats::filters::ChatQuery;
use super::super::scope::Scope;
use crate::access::Access;
use crate::http::{ApiError, ApiResult, Problems, Validate, read_as};

/// What belongs to a page of the list, not to a view.
const OF_PAGES: [&str; 2] = ["limit", "cursor"];

/// A view to save.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewView {
    #[serde(default)]
    pub(super) scope: Scope,
    /// 1 to 100 characters.
    pub(super) name: String,
    /// The query parameters of `GET /api/chats` by name, without `limit` and `cursor`; `me` is
    /// whoever looks.
    #[schema(value_type = Object)]
    pub(super) filter: Map<String, Value>,
    /// Its place: the smallest first.
    #[serde(default)]
    pub(super) position: i32,
}

impl Validate for NewView {
    fn validate(&self, problems: &mut Problems) {
        check_name(&self.name, problems);
    }
}

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewChange {
    pub(super) name: Option<String>,
    /// Instead of the whole filter.
    #[schema(value_type = Option<Object>)]
    pub(super) filter: Option<Map<String, Value>>,
    pub(super) position: Option<i32>,
}

impl Validate for ViewChange {
    fn validate(&self, problems: &mut Problems) {
        if let Some(name) = &self.name {
            check_name(name, problems);
        }
    }
}

fn check_name(name: &str, problems: &mut Problems) {
    let is_fit = (1..=100).contains(&name.trim().chars().count());
    problems.require(is_fit, "name", "must be 1 to 100 characters");
}

/// The chats that this person sees in a view: read as the list reads its query.
pub(super) fn filter_of(filter: &Map<String, Value>, access: &Access) -> ApiResult<ChatFilter> {
    let mut problems = Problems::default();
    for name in OF_PAGES {
        let message = "is of a page, not of a view";
        problems.require(!filter.contains_key(name), &within(name), message);
    }
    problems.check()?;
    let mut filter = filter.clone();
    // In a query everything is text.
    if let Some(id @ Value::Number(_)) = filter.get_mut("assigned_to") {
        *id = Value::String(id.to_string());
    }
    let query: ChatQuery = read_as(&filter, "filter")?;
    query.filter(access).map_err(|error| prefixed(&error))
}

/// The filter as it is kept: without what was left open.
pub(super) fn stored(filter: &Map<String, Value>) -> Value {
    let given = filter.iter().filter(|(_, value)| !value.is_null());
    given
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn within(name: &str) -> String {
    format!("filter.{name}")
}

/// The same problem with the field's place in the body.
fn prefixed(error: &ApiError) -> ApiError {
    let details = error.details.as_ref();
    let problem = details.and_then(|details| details.get(0));
    let text = |name: &str| {
        let text = problem.and_then(|problem| problem.get(name)?.as_str());
        text.unwrap_or_default()
    };
    ApiError::of_field(&within(text("field")), text("message"))
}

/// The views that somebody has.
#[derive(Debug, Serialize, ToSchema)]
pub struct SavedViews {
    pub(super) views: Vec<SavedViewView>,
}

/// A filter of the list of chats that people come back to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SavedView)]
pub struct SavedViewView {
    #[schema(value_type = i64)]
    id: SavedViewId,
    scope: Scope,
    name: String,
    /// The query parameters of `GET /api/chats` by name.
    #[schema(value_type = Object)]
    filter: Value,
    /// Its place: the smallest first.
    position: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<SavedView> for SavedViewView {
    fn from(view: SavedView) -> Self {
        Self {
            id: view.id,
            scope: Scope::of(view.owner_id),
            name: view.name,
            filter: view.filter,
            position: view.position,
            created_at: view.created_at,
            updated_at: view.updated_at,
        }
    }
}

/// How many chats a view holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct ViewCount {
    /// Exact to 999, then 1000 meaning more.
    pub(super) count: i64,
}
