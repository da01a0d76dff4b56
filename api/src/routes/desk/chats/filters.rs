//! The filters of the list of chats.

use chrono::{DateTime, Utc};
use common::channel::Marketplace;
use common::db::chats::{Assignee, ChatFilter, ChatSort, SuggestionFilter};
use common::domain::deadlines::{ChatStatus, DeadlineState};
use common::ids::{SellerId, UserId};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::access::Access;
use crate::http::{ApiError, ApiResult};

/// Which chats to list; what is left out does not matter.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ChatQuery {
    #[param(value_type = Option<i64>)]
    seller_id: Option<SellerId>,
    marketplace: Option<Marketplace>,
    /// For chats of marketplaces the same as `marketplace`.
    channel: Option<Marketplace>,
    status: Option<ChatStatus>,
    /// `true`: only chats with messages that nobody has read or answered.
    unread_only: Option<bool>,
    /// `me`, `none`, or a person's id.
    assigned_to: Option<String>,
    #[param(inline)]
    deadline: Option<DeadlineQuery>,
    /// Whether the last thing we wrote could not be sent.
    send_error: Option<bool>,
    /// Where the newest draft of an answer stands.
    #[param(inline)]
    suggestion: Option<SuggestionQuery>,
    /// A tag, spelled as the chats bear it.
    tag: Option<String>,
    /// Whether the chat rests.
    snoozed: Option<bool>,
    /// Part of the buyer's name or of the order number, up to 100 characters, in any case; `е` finds `ё`.
    search: Option<String>,
    /// RFC 3339, inclusive.
    changed_after: Option<DateTime<Utc>>,
    /// `deadline`: the most urgent first; `recent`: the newest message first.
    #[param(inline)]
    pub(super) sort: Option<SortQuery>,
    /// How many, 1 to 100; 50 if not given.
    pub(super) limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
}

/// How near the deadline is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineQuery {
    /// In the last quarter of its span.
    AtRisk,
    Breached,
}

/// What became of the newest draft.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuggestionQuery {
    /// It can be sent.
    Ready,
    /// A check forbids sending it as it is.
    Held,
}

/// In which order.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SortQuery {
    /// The most urgent first.
    Deadline,
    /// The newest message first.
    Recent,
}

impl From<SortQuery> for ChatSort {
    fn from(sort: SortQuery) -> Self {
        match sort {
            SortQuery::Deadline => Self::Deadline,
            SortQuery::Recent => Self::Recent,
        }
    }
}

impl ChatQuery {
    /// The filter, as this person asks for it.
    pub(in crate::routes::desk) fn filter(self, access: &Access) -> ApiResult<ChatFilter> {
        let channels = (self.marketplace, self.channel);
        if let (Some(marketplace), Some(channel)) = channels
            && marketplace != channel
        {
            return Err(ApiError::of_field(
                "channel",
                "is another one than marketplace",
            ));
        }
        let search = self.search.map(|search| search.trim().to_owned());
        if search
            .as_ref()
            .is_some_and(|search| search.chars().count() > 100)
        {
            return Err(ApiError::of_field(
                "search",
                "must be at most 100 characters",
            ));
        }
        Ok(ChatFilter {
            seller: self.seller_id,
            channel: channels.0.or(channels.1),
            status: self.status,
            unread_only: self.unread_only.unwrap_or(false),
            assignee: assignee(self.assigned_to.as_deref(), access)?,
            deadline: self.deadline.map(|deadline| match deadline {
                DeadlineQuery::AtRisk => DeadlineState::AtRisk,
                DeadlineQuery::Breached => DeadlineState::Breached,
            }),
            send_error: self.send_error,
            suggestion: self.suggestion.map(|suggestion| match suggestion {
                SuggestionQuery::Ready => SuggestionFilter::Ready,
                SuggestionQuery::Held => SuggestionFilter::Held,
            }),
            tag: self.tag.map(|tag| tag.trim().to_owned()),
            snoozed: self.snoozed,
            search: search.filter(|search| !search.is_empty()),
            changed_after: self.changed_after,
        })
    }
}

fn assignee(text: Option<&str>, access: &Access) -> ApiResult<Option<Assignee>> {
    Ok(Some(match text {
        None => return Ok(None),
        Some("me") => Assignee::User(access.user),
        Some("none") => Assignee::Nobody,
        Some(id) => {
            let id = id.parse().map_err(|_| {
                ApiError::of_field("assigned_to", "must be `me`, `none` or a person's id")
            })?;
            Assignee::User(UserId(id))
        }
    }))
}
