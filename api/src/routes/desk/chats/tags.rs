//! What chats are tagged with.

use axum::extract::State;
use common::db::chats::{self, TagUse};
use common::ids::ChatId;
use common::views::ChatView;
use diesel_async::AsyncConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bounded;
use super::changes::{lock, published};
use crate::access::Staff;
use crate::http::{ApiResult, Json, PathId, Problems, Validate};
use crate::openapi::examples;
use crate::state::AppState;

const MOST_TAGS: usize = 20;
const LONGEST_TAG_CHARS: usize = 40;

/// The tags that a chat is to have, instead of those it has.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatTags {
    /// Up to 20 of 1 to 40 characters; spaces around them and repetitions in any case are left out.
    tags: Vec<String>,
    /// `version` of the chat; a later one gives 409 `chat_moved_on`.
    version: Option<i64>,
}

impl ChatTags {
    /// Trimmed, each once, in the order given.
    fn distinct(&self) -> Vec<String> {
        let (mut seen, mut distinct) = (Vec::new(), Vec::new());
        for tag in &self.tags {
            let (tag, folded) = (tag.trim(), tag.trim().to_lowercase());
            if !seen.contains(&folded) {
                seen.push(folded);
                distinct.push(tag.to_owned());
            }
        }
        distinct
    }
}

impl Validate for ChatTags {
    fn validate(&self, problems: &mut Problems) {
        // Looked at one by one only where there are few.
        let are_few = self.tags.len() <= 5 * MOST_TAGS && self.distinct().len() <= MOST_TAGS;
        problems.require(are_few, "tags", "must be at most 20 tags");
        for (index, tag) in self.tags.iter().enumerate().take(5 * MOST_TAGS) {
            let length = tag.trim().chars().count();
            let is_fit = (1..=LONGEST_TAG_CHARS).contains(&length);
            let is_fit = is_fit && !tag.trim().chars().any(char::is_control);
            let field = format!("tags[{index}]");
            problems.require(is_fit, &field, "must be 1 to 40 printable characters");
        }
    }
}

/// The tags in use.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tags {
    /// Those used most first; up to 200.
    tags: Vec<Tag>,
}

/// A tag.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tag {
    tag: String,
    /// How many chats bear it: exact to 999, then 1000 meaning more.
    chats: i64,
}

impl From<TagUse> for Tag {
    fn from(tag: TagUse) -> Self {
        Self {
            tag: tag.tag,
            chats: tag.chats,
        }
    }
}

/// Gives a chat these tags instead of those it has.
#[utoipa::path(
    put, path = "/api/chats/{id}/tags", tag = "chats", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id")),
    request_body(content = ChatTags, example = json!({"tags": ["возврат", "VIP"]})),
    responses(
        (status = 200, description = "the chat", body = ChatView, example = json!(examples::tagged_chat())),
        (status = 409, description = "`chat_moved_on`"),
    )
)]
pub async fn set_chat_tags(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
    Json(body): Json<ChatTags>,
) -> ApiResult<Json<ChatView>> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let tags = body.distinct();
    let mut conn = state.conn().await?;
    let chat = conn
        .transaction(async |conn| {
            let chat = lock(conn, tenant, id, body.version).await?;
            if chat.tags == tags {
                return Ok(chat);
            }
            ApiResult::Ok(chats::set_tags(conn, tenant, id, &tags, now).await?)
        })
        .await?;
    Ok(published(&state, &chat, now))
}

/// Lists the tags that chats bear; of very many tagged chats those changed last are looked through.
#[utoipa::path(
    get, path = "/api/tags", tag = "chats", security(("bearer" = [])),
    responses(
        (status = 200, description = "tags", body = Tags, example = json!({"tags": [{"tag": "VIP", "chats": 12}]})),
        (status = 503, description = "`query_too_broad`: it would take longer than 2 s"),
    )
)]
pub async fn list_tags(State(state): State<AppState>, staff: Staff) -> ApiResult<Json<Tags>> {
    let tenant = staff.tenant;
    let tags = bounded(&state, false, async |conn| {
        chats::tags_in_use(conn, tenant).await
    })
    .await?;
    let tags = tags.into_iter().map(Tag::from).collect();
    Ok(Json(Tags { tags }))
}
