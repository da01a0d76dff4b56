//! Which message of a marketplace's history is the echo of one that we sent.
//!
//! Marketplaces show our own messages like anybody's of the shop, under ids that the send did not
//! return. An echo is told by its text, its order and its time: it is bound to the message that we
//! have, never stored as a second one.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::delivery::MessageState;
use crate::ids::MessageId;

/// One of our messages that has no external id yet. Given in the order of sending.
#[derive(Clone, Debug)]
pub struct Unbound {
    pub id: MessageId,
    /// The text in the form in which both sides compare equal.
    pub canonical: String,
    pub state: MessageState,
    /// The newest message of the chat when it, or one of the same text shortly before it, was first
    /// sent; an echo is not older.
    pub baseline_at: Option<DateTime<Utc>>,
    /// Its echo should have shown long ago, or it was given up: it takes one only if no other can.
    pub overdue: bool,
    /// The marketplace's own time of the message, where its answer told it.
    pub vendor_at: Option<DateTime<Utc>>,
}

/// A message of our side that the history shows and that is not stored yet, oldest first.
#[derive(Clone, Debug)]
pub struct Shown {
    pub canonical: String,
    pub at: DateTime<Utc>,
    /// Surely written by hand in the marketplace's cabinet.
    pub by_hand: bool,
}

/// Whose a shown message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The echo of this message.
    Echo(MessageId),
    /// It may be the echo of a message that is being sent right now: look again later.
    NotYetClear,
    /// Written elsewhere, by somebody of the shop.
    Elsewhere,
}

/// A message that surely was sent should show within this time.
pub const ECHO_WITHIN: Duration = Duration::from_secs(600);

/// Tells for each shown message whose it is; no message is bound twice.
pub fn attribute(unbound: &[Unbound], shown: &[Shown]) -> Vec<Origin> {
    let mut free: Vec<&Unbound> = unbound.iter().collect();
    free.sort_by_key(|message| message.overdue);
    shown
        .iter()
        .map(|message| {
            let Some(position) = position_of_echo(&free, message) else {
                return Origin::Elsewhere;
            };
            if free[position].state == MessageState::Sending {
                return Origin::NotYetClear;
            }
            Origin::Echo(free.remove(position).id)
        })
        .collect()
}

fn position_of_echo(free: &[&Unbound], shown: &Shown) -> Option<usize> {
    if shown.by_hand {
        return None;
    }
    let same_text = |message: &&Unbound| {
        message.canonical == shown.canonical
            && message.baseline_at.is_none_or(|oldest| shown.at >= oldest)
    };
    free.iter()
        .position(|message| message.vendor_at == Some(shown.at) && same_text(message))
        .or_else(|| free.iter().position(same_text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn unbound(id: i64, text: &str, state: MessageState) -> Unbound {
        Unbound {
            id: MessageId(id),
            canonical: text.to_owned(),
            state,
            baseline_at: Some(at(10)),
            overdue: state == MessageState::Failed,
            vendor_at: None,
        }
    }

    fn shown(text: &str, second: i64) -> Shown {
        Shown {
            canonical: text.to_owned(),
            at: at(second),
            by_hand: false,
        }
    }

    #[test]
    fn the_same_text_sent_twice_is_bound_in_order() {
        let ours = [
            unbound(1, "да", MessageState::Sent),
            unbound(2, "да", MessageState::Sent),
        ];
        let origins = attribute(&ours, &[shown("да", 11), shown("да", 12), shown("да", 13)]);
        assert_eq!(
            origins,
            [
                Origin::Echo(MessageId(1)),
                Origin::Echo(MessageId(2)),
                Origin::Elsewhere
            ]
        );
    }

    #[test]
    fn a_message_older_than_the_attempt_is_not_its_echo() {
        let ours = [unbound(1, "да", MessageState::Unknown)];
        assert_eq!(attribute(&ours, &[shown("да", 9)]), [Origin::Elsewhere]);
    }

    #[test]
    fn nothing_is_decided_while_the_send_runs() {
        let ours = [unbound(1, "да", MessageState::Sending)];
        assert_eq!(attribute(&ours, &[shown("да", 11)]), [Origin::NotYetClear]);
        assert_eq!(attribute(&ours, &[shown("нет", 11)]), [Origin::Elsewhere]);
    }

    #[test]
    fn what_was_surely_sent_comes_before_what_was_given_up() {
        let ours = [
            unbound(1, "да", MessageState::Failed),
            unbound(2, "да", MessageState::Sent),
        ];
        let origins = attribute(&ours, &[shown("да", 11), shown("да", 12)]);
        assert_eq!(
            origins,
            [Origin::Echo(MessageId(2)), Origin::Echo(MessageId(1))]
        );
    }

    #[test]
    fn a_told_time_decides_between_equal_texts() {
        let mut second = unbound(2, "да", MessageState::Sent);
        second.vendor_at = Some(at(11));
        let ours = [unbound(1, "да", MessageState::Unknown), second];
        let origins = attribute(&ours, &[shown("да", 11)]);
        assert_eq!(origins, [Origin::Echo(MessageId(2))]);
    }

    #[test]
    fn what_was_written_by_hand_is_never_an_echo() {
        let by_hand = Shown {
            by_hand: true,
            ..shown("да", 11)
        };
        let ours = [unbound(1, "да", MessageState::Sent)];
        assert_eq!(attribute(&ours, &[by_hand]), [Origin::Elsewhere]);
    }
}
