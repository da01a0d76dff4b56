//! Drafts of answers: where one stands, when one is to be made, and what became of it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::SuggestionId;
use crate::words::words;

words! {
    /// Where the newest draft of a chat stands.
    SuggestionState {
        /// None is there and none is wanted.
        None = "none",
        /// One is being made.
        Wanted = "wanted",
        /// It may be sent.
        Ready = "ready",
        /// Made, but a check forbids to send it as it is.
        Held = "held",
        /// Something happened in the chat since it was made.
        Stale = "stale",
        /// The provider gave none.
        Failed = "failed",
    }
}

words! {
    /// What became of a draft.
    OutcomeKind {
        SentAsIs = "sent_as_is",
        /// Sent after a person changed it.
        Edited = "edited",
        /// A person did not want it.
        Rejected = "rejected",
        /// The buyer wrote again, or the chat was answered without it.
        Stale = "stale",
    }
}

/// The newest draft, beside the chat that the queue lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatSuggestion {
    #[serde(default)]
    pub id: Option<SuggestionId>,
    pub state: SuggestionState,
    /// What the buyer wants, as the newest draft says; rules may ask for it.
    #[serde(default)]
    pub intent: Option<String>,
    /// Since when a draft has been wanted.
    #[serde(default)]
    pub wanted_since: Option<DateTime<Utc>>,
    /// How often the provider failed at it.
    #[serde(default)]
    pub failures: u32,
}

impl ChatSuggestion {
    /// Where it stands when no draft is being made.
    pub fn settled(
        id: Option<SuggestionId>,
        state: SuggestionState,
        intent: Option<String>,
    ) -> Self {
        Self {
            id,
            state,
            intent,
            wanted_since: None,
            failures: 0,
        }
    }
}

/// A buyer who writes on is waited for: one draft answers all of it.
const DEBOUNCE: TimeDelta = TimeDelta::seconds(3);
/// But for no longer than this.
const DEBOUNCE_AT_MOST: TimeDelta = TimeDelta::seconds(30);

/// When a draft is to be made that is wanted now, and was wanted first at `since`.
pub fn due_at(now: DateTime<Utc>, since: DateTime<Utc>) -> DateTime<Utc> {
    (now + DEBOUNCE).min(since + DEBOUNCE_AT_MOST).max(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn a_draft_waits_for_a_buyer_who_writes_on_but_not_for_ever() {
        assert_eq!(due_at(second(0), second(0)), second(3));
        assert_eq!(due_at(second(10), second(0)), second(13));
        assert_eq!(due_at(second(29), second(0)), second(30));
        assert_eq!(due_at(second(50), second(0)), second(50));
    }
}
