//! Until when a buyer should be answered, and how urgent that is.
//!
//! Two clocks: the *obligation* runs from the first buyer message without a delivered answer, the
//! marketplace's *window* from the last buyer message, by the wall clock.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::words::words;

words! {
    /// Whose turn it is.
    ChatStatus {
        /// An answer is owed.
        Open = "open",
        /// The buyer's turn.
        Waiting = "waiting",
        /// Closed by a person; a buyer's message reopens it.
        Closed = "closed",
    }
}

words! {
    /// Which of the two clocks is nearer.
    DeadlineClock {
        Obligation = "obligation",
        Window = "window",
    }
}

words! {
    /// How near a deadline is.
    DeadlineState {
        Ok = "ok",
        /// In the last quarter of its span.
        AtRisk = "at_risk",
        Breached = "breached",
    }
}

words! {
    /// What to do first.
    Priority {
        Urgent = "urgent",
        High = "high",
        Normal = "normal",
        Low = "low",
    }
}

/// The time to answer where no rule says otherwise. No marketplace publishes one.
pub const DEFAULT_OBLIGATION: Duration = Duration::from_secs(24 * 60 * 60);

/// What was there before a shop was connected starts no clock when it is older than this, where
/// the marketplace has no window of its own.
pub const FIRST_IMPORT_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// What the messages of a chat say about who owes an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    /// The first buyer message without a delivered answer.
    pub since: Option<DateTime<Utc>>,
    /// The last buyer message.
    pub last_buyer_at: Option<DateTime<Utc>>,
}

/// The clocks of a chat; none runs while nothing is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    pub obligation_due_at: Option<DateTime<Utc>>,
    pub window_closes_at: Option<DateTime<Utc>>,
    /// The nearer of the two, else the year 9999: the queue's order.
    pub queue_at: DateTime<Utc>,
}

/// The place in the queue of a chat that wants no answer.
pub const NEVER: DateTime<Utc> = {
    // 9999-12-31T00:00:00Z
    match DateTime::from_timestamp(253_402_214_400, 0) {
        Some(time) => time,
        None => DateTime::<Utc>::MAX_UTC,
    }
};

/// Works out the clocks of a chat. The window is known even while nothing is owed.
pub fn clocks(owed: Owed, status: ChatStatus, answer_window: Option<Duration>) -> Clocks {
    let window_closes_at = owed
        .last_buyer_at
        .zip(answer_window)
        .map(|(last, window)| last + window);
    let running = owed.since.filter(|_| status == ChatStatus::Open);
    let obligation_due_at = running.map(|since| since + DEFAULT_OBLIGATION);
    let queue_at = obligation_due_at
        .into_iter()
        .chain(window_closes_at.filter(|_| running.is_some()))
        .min()
        .unwrap_or(NEVER);
    Clocks {
        obligation_due_at,
        window_closes_at,
        queue_at,
    }
}

/// The deadline that a person sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub at: DateTime<Utc>,
    pub clock: DeadlineClock,
    pub state: DeadlineState,
    pub priority: Priority,
}

/// How the nearer running clock stands; none while nothing is owed.
pub fn deadline(owed: Owed, clocks: &Clocks, now: DateTime<Utc>) -> Option<Deadline> {
    let obligation = clocks.obligation_due_at?;
    let (at, clock, start) = match clocks.window_closes_at {
        Some(window) if window < obligation => (window, DeadlineClock::Window, owed.last_buyer_at?),
        _ => (obligation, DeadlineClock::Obligation, owed.since?),
    };
    let left = at - now;
    let state = if left <= TimeDelta::zero() {
        DeadlineState::Breached
    } else if left <= (at - start) / 4 {
        DeadlineState::AtRisk
    } else {
        DeadlineState::Ok
    };
    let priority = match state {
        DeadlineState::Breached => Priority::Urgent,
        DeadlineState::AtRisk => Priority::High,
        DeadlineState::Ok if left <= TimeDelta::hours(24) => Priority::Normal,
        DeadlineState::Ok => Priority::Low,
    };
    Some(Deadline {
        at,
        clock,
        state,
        priority,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Option<Duration> = Some(Duration::from_secs(48 * 60 * 60));

    fn hour(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + hour * 3600, 0).unwrap()
    }

    fn owed(since: i64, last: i64) -> Owed {
        Owed {
            since: Some(hour(since)),
            last_buyer_at: Some(hour(last)),
        }
    }

    #[test]
    fn the_obligation_runs_from_the_first_message_and_the_window_from_the_last() {
        let clocks = clocks(owed(0, 5), ChatStatus::Open, WINDOW);
        assert_eq!(clocks.obligation_due_at, Some(hour(24)));
        assert_eq!(clocks.window_closes_at, Some(hour(53)));
        assert_eq!(clocks.queue_at, hour(24));
    }

    #[test]
    fn nothing_owed_stands_at_the_end_of_the_queue() {
        let answered = Owed {
            since: None,
            last_buyer_at: Some(hour(5)),
        };
        let answered = clocks(answered, ChatStatus::Waiting, WINDOW);
        assert_eq!(answered.queue_at, NEVER);
        assert_eq!(answered.window_closes_at, Some(hour(53)));
        let closed = clocks(owed(0, 5), ChatStatus::Closed, WINDOW);
        assert_eq!(closed.queue_at, NEVER);
        assert_eq!(NEVER.to_rfc3339(), "9999-12-31T00:00:00+00:00");
    }

    #[test]
    fn the_last_quarter_is_at_risk() {
        let owed = owed(0, 0);
        let clocks = clocks(owed, ChatStatus::Open, None);
        let state = |now| deadline(owed, &clocks, hour(now)).unwrap().state;
        assert_eq!(state(17), DeadlineState::Ok);
        assert_eq!(state(18), DeadlineState::AtRisk);
        assert_eq!(state(24), DeadlineState::Breached);
    }

    #[test]
    fn a_window_that_closes_first_is_the_deadline() {
        let short = Some(Duration::from_secs(2 * 60 * 60));
        let owed = owed(0, 1);
        let clocks = clocks(owed, ChatStatus::Open, short);
        let deadline = deadline(owed, &clocks, hour(1)).unwrap();
        assert_eq!(
            (deadline.at, deadline.clock),
            (hour(3), DeadlineClock::Window)
        );
    }
}
