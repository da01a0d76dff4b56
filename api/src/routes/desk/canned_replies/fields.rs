//! What requests and answers about canned replies hold.

use chrono::{DateTime, Utc};
use common::db::canned_replies::CannedReply;
use common::domain::canned_replies::unknown_variables;
use common::ids::{CannedReplyId, ChatId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::scope::Scope;
use crate::http::{Problems, Validate};

/// The longest text in characters: what the most patient marketplace takes.
const LONGEST_TEXT_CHARS: usize = 4096;

/// A canned reply to keep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReply {
    #[serde(default)]
    pub(super) scope: Scope,
    /// 1 to 40 characters without spaces; each once, in any case, among the shared ones and among
    /// one's own.
    pub(super) shortcut: String,
    /// 1 to 100 characters.
    pub(super) title: String,
    /// 1 to 4096 characters, with `{buyer}`, `{order}`, `{product}`, `{agent}`, `{shop}`.
    pub(super) text: String,
}

impl Validate for NewReply {
    fn validate(&self, problems: &mut Problems) {
        check_shortcut(&self.shortcut, problems);
        check_title(&self.title, problems);
        check_text(&self.text, problems);
    }
}

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyChange {
    pub(super) shortcut: Option<String>,
    pub(super) title: Option<String>,
    pub(super) text: Option<String>,
}

impl Validate for ReplyChange {
    fn validate(&self, problems: &mut Problems) {
        if let Some(shortcut) = &self.shortcut {
            check_shortcut(shortcut, problems);
        }
        if let Some(title) = &self.title {
            check_title(title, problems);
        }
        if let Some(text) = &self.text {
            check_text(text, problems);
        }
    }
}

fn check_shortcut(shortcut: &str, problems: &mut Problems) {
    let is_fit = (1..=40).contains(&shortcut.chars().count());
    let is_one_word = !shortcut.contains(|it: char| it.is_whitespace() || it.is_control());
    let message = "must be 1 to 40 characters without spaces";
    problems.require(is_fit && is_one_word, "shortcut", message);
}

fn check_title(title: &str, problems: &mut Problems) {
    let is_fit = (1..=100).contains(&title.trim().chars().count());
    problems.require(is_fit, "title", "must be 1 to 100 characters");
}

fn check_text(text: &str, problems: &mut Problems) {
    let is_fit = !text.trim().is_empty() && text.chars().count() <= LONGEST_TEXT_CHARS;
    problems.require(
        is_fit,
        "text",
        "must be 1 to 4096 characters, not only spaces",
    );
    if let Some(name) = unknown_variables(text).first() {
        let known = "{buyer}, {order}, {product}, {agent} and {shop}";
        problems.add(
            "text",
            format!("{{{name}}} is no variable: there are {known}"),
        );
    }
}

/// The chat that is answered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenderFor {
    #[schema(value_type = i64)]
    pub(super) chat_id: ChatId,
}

impl Validate for RenderFor {
    fn validate(&self, _: &mut Problems) {}
}

/// A canned reply with its variables filled in.
#[derive(Debug, Serialize, ToSchema)]
pub struct RenderedReply {
    pub(super) text: String,
    /// Variables for which nothing is known, as in `order`: they were left out of the text.
    pub(super) missing: Vec<&'static str>,
}

/// What there is to choose from.
#[derive(Debug, Serialize, ToSchema)]
pub struct CannedReplies {
    /// By shortcut; of the same one one's own first.
    pub(super) canned_replies: Vec<CannedReplyView>,
}

/// An answer that is written once and used often.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CannedReply)]
pub struct CannedReplyView {
    #[schema(value_type = i64)]
    id: CannedReplyId,
    scope: Scope,
    shortcut: String,
    title: String,
    text: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<CannedReply> for CannedReplyView {
    fn from(reply: CannedReply) -> Self {
        Self {
            id: reply.id,
            scope: Scope::of(reply.owner_id),
            shortcut: reply.shortcut,
            title: reply.title,
            text: reply.text,
            created_at: reply.created_at,
            updated_at: reply.updated_at,
        }
    }
}
