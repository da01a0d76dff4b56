//! How an outgoing message gets to the marketplace once and only once.
//!
//! No marketplace returns the id of a sent message or takes an idempotency key. So a send that may
//! have arrived blocks the chat until the history was read back twice, and is repeated only if the
//! history shows nothing that could be it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::words::words;

words! {
    /// Where a message stands. Incoming ones are `received`; outgoing ones go from `queued` over
    /// `sending` to one of the others.
    MessageState {
        Received = "received",
        Queued = "queued",
        Sending = "sending",
        Sent = "sent",
        Failed = "failed",
        /// It may or may not have arrived; the worker finds out.
        Unknown = "unknown",
    }
}

words! {
    /// How an attempt to send ended.
    AttemptOutcome {
        Sent = "sent",
        NotSent = "not_sent",
        MaybeSent = "maybe_sent",
    }
}

/// The waits of settling; configuration divides them in tests.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// From the end of an uncertain attempt to the first reading back.
    pub settle_after: Duration,
    /// From one reading back to the next.
    pub settle_again: Duration,
}

/// An unsettled message is given to a person when it stayed so for this long.
pub const SETTLE_WITHIN: Duration = Duration::from_secs(30 * 60);

/// A message that waits longer than this without an answer window is not sent any more.
pub const SEND_WITHIN: Duration = Duration::from_secs(30 * 60);

/// Failed because it could not be found out whether the message arrived.
pub const DELIVERY_UNKNOWN: &str = "delivery_unknown";

/// Said of a message that was sent without some of its files.
pub const FILES_LEFT_OUT: &str = "files_left_out";

/// The oldest outgoing message of a chat that is not settled, as its lease's holder sees it.
#[derive(Clone, Copy, Debug)]
pub struct Unsettled {
    pub state: MessageState,
    /// A queued message is not sent after this.
    pub send_before: Option<DateTime<Utc>>,
    /// When an unknown message is to be read back.
    pub settle_at: Option<DateTime<Utc>>,
}

/// What to do next with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Hand it to the marketplace.
    Send,
    /// Give up: its time is over.
    Expire,
    /// Whoever was sending it died: it may have arrived.
    Doubt { settle_at: DateTime<Utc> },
    /// Read the history back.
    ReadBack,
    /// Nothing before this time.
    Wait(DateTime<Utc>),
    /// It is settled.
    Done,
}

/// Decides what the holder of the chat's lease does with its oldest unsettled message.
pub fn next_step(message: &Unsettled, now: DateTime<Utc>, waits: &Waits) -> Step {
    match message.state {
        MessageState::Queued if message.send_before.is_some_and(|end| end <= now) => Step::Expire,
        MessageState::Queued => Step::Send,
        // Its sender's lease is over, and with it the time in which it could complete the request.
        MessageState::Sending => Step::Doubt {
            settle_at: now + waits.settle_after,
        },
        MessageState::Unknown => match message.settle_at {
            Some(at) if at > now => Step::Wait(at),
            _ => Step::ReadBack,
        },
        MessageState::Received | MessageState::Sent | MessageState::Failed => Step::Done,
    }
}

/// What a reading back of the chat's history shows about an unknown message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The message is there.
    Found,
    /// Our side wrote something there that nobody here knows of: it may be the message, changed.
    Unexplained,
    /// An earlier message that surely was sent is not there yet: the history lags.
    Lagging,
    /// It is not there.
    Nothing,
}

/// What follows from a reading back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Sent,
    /// Not clear yet.
    ReadAgain {
        at: DateTime<Utc>,
    },
    /// It did not arrive: send it once more.
    SendAgain,
    /// It cannot be known: show it to a person.
    AskPerson,
}

/// An unknown message that is being settled.
#[derive(Clone, Copy, Debug)]
pub struct Settling {
    /// When it became unknown for the first time.
    pub since: DateTime<Utc>,
    /// How often the history was read back since the last attempt, this time not counted.
    pub reads: u32,
    /// How many attempts may have arrived.
    pub uncertain_attempts: u32,
}

/// Decides about an unknown message after a complete reading back.
pub fn judge(
    settling: &Settling,
    evidence: Evidence,
    now: DateTime<Utc>,
    waits: &Waits,
) -> Verdict {
    let again = Verdict::ReadAgain {
        at: now + waits.settle_again,
    };
    match evidence {
        Evidence::Found => Verdict::Sent,
        _ if is_overdue(settling.since, now) => Verdict::AskPerson,
        // One look is not enough: an accepted message may show only later.
        _ if settling.reads == 0 => again,
        Evidence::Unexplained => Verdict::AskPerson,
        Evidence::Lagging => again,
        Evidence::Nothing if settling.uncertain_attempts > 1 => Verdict::AskPerson,
        Evidence::Nothing => Verdict::SendAgain,
    }
}

/// Whether an unknown message has been so for longer than anybody should wait.
pub fn is_overdue(unknown_since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - unknown_since >= TimeDelta::from_std(SETTLE_WITHIN).unwrap_or(TimeDelta::MAX)
}

/// The pause before the next try after `failures` tries in a row that surely did not arrive.
pub fn retry_pause(failures: u32) -> Duration {
    let seconds = 1_u64 << failures.min(6);
    Duration::from_secs(seconds.min(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits = Waits {
        settle_after: Duration::from_secs(60),
        settle_again: Duration::from_secs(30),
    };

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn unsettled(state: MessageState) -> Unsettled {
        Unsettled {
            state,
            send_before: Some(at(100)),
            settle_at: Some(at(60)),
        }
    }

    fn settling(reads: u32, uncertain_attempts: u32) -> Settling {
        Settling {
            since: at(0),
            reads,
            uncertain_attempts,
        }
    }

    #[test]
    fn a_queued_message_is_sent_until_its_time_is_over() {
        let queued = unsettled(MessageState::Queued);
        assert_eq!(next_step(&queued, at(99), &WAITS), Step::Send);
        assert_eq!(next_step(&queued, at(100), &WAITS), Step::Expire);
    }

    #[test]
    fn a_message_whose_sender_died_is_not_simply_sent_again() {
        let step = next_step(&unsettled(MessageState::Sending), at(10), &WAITS);
        assert_eq!(step, Step::Doubt { settle_at: at(70) });
    }

    #[test]
    fn an_unknown_message_is_read_back_only_after_the_wait() {
        let unknown = unsettled(MessageState::Unknown);
        assert_eq!(next_step(&unknown, at(59), &WAITS), Step::Wait(at(60)));
        assert_eq!(next_step(&unknown, at(60), &WAITS), Step::ReadBack);
    }

    #[test]
    fn nothing_found_once_is_not_enough_to_send_again() {
        let first = judge(&settling(0, 1), Evidence::Nothing, at(60), &WAITS);
        assert_eq!(first, Verdict::ReadAgain { at: at(90) });
        let second = judge(&settling(1, 1), Evidence::Nothing, at(90), &WAITS);
        assert_eq!(second, Verdict::SendAgain);
    }

    #[test]
    fn it_is_sent_again_only_once() {
        let verdict = judge(&settling(1, 2), Evidence::Nothing, at(90), &WAITS);
        assert_eq!(verdict, Verdict::AskPerson);
    }

    #[test]
    fn something_unexplained_is_shown_to_a_person() {
        let verdict = judge(&settling(1, 1), Evidence::Unexplained, at(90), &WAITS);
        assert_eq!(verdict, Verdict::AskPerson);
    }

    #[test]
    fn a_lagging_history_is_waited_for_but_not_for_ever() {
        let verdict = judge(&settling(9, 1), Evidence::Lagging, at(90), &WAITS);
        assert_eq!(verdict, Verdict::ReadAgain { at: at(120) });
        let verdict = judge(&settling(60, 1), Evidence::Lagging, at(1800), &WAITS);
        assert_eq!(verdict, Verdict::AskPerson);
    }

    #[test]
    fn pauses_grow_to_a_minute() {
        assert_eq!(retry_pause(0), Duration::from_secs(1));
        assert_eq!(retry_pause(3), Duration::from_secs(8));
        assert_eq!(retry_pause(50), Duration::from_secs(60));
    }
}
