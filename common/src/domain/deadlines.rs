//! Until when a buyer should be answered, and how urgent that is.
//!
//! Two clocks: the *obligation* runs from the first buyer message without a delivered answer, the
//! marketplace's *window* from the last buyer message, by the wall clock.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{ObligationId, SlaRuleId};
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
        /// In the last quarter of its span, or as the rule says.
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

/// The obligation in force: its rule, and when it falls due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligation {
    /// Its row.
    #[serde(default)]
    pub id: Option<ObligationId>,
    pub started_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    /// From when on it is at risk.
    #[serde(default)]
    pub at_risk_at: Option<DateTime<Utc>>,
    /// The rule that set it; none: the default.
    #[serde(default)]
    pub rule_id: Option<SlaRuleId>,
    #[serde(default)]
    pub rule_name: Option<String>,
    #[serde(default)]
    pub warned_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub breached_at: Option<DateTime<Utc>>,
    /// People are yet to be told what was noted last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
}

impl Obligation {
    /// The obligation where no rule says otherwise: by the wall clock.
    pub fn by_default(started_at: DateTime<Utc>) -> Self {
        let due_at = started_at + DEFAULT_OBLIGATION;
        Self {
            id: None,
            started_at,
            due_at,
            at_risk_at: Some(last_quarter(started_at, due_at)),
            rule_id: None,
            rule_name: None,
            warned_at: None,
            breached_at: None,
            untold: false,
        }
    }
}

/// The nearer of the clocks that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearer {
    pub at: DateTime<Utc>,
    pub clock: DeadlineClock,
    pub at_risk_at: DateTime<Utc>,
}

/// The clocks of a chat; none but the window runs while nothing is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    pub window_closes_at: Option<DateTime<Utc>>,
    pub nearer: Option<Nearer>,
    /// Until when the chat rests; ends when the nearer clock is at risk.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// The nearer clock while an answer is owed and the chat does not rest, else the year 9999: the
    /// queue's order.
    pub queue_at: DateTime<Utc>,
    /// When the chat is to be looked at next: to warn, to find a breach, to end its rest.
    pub alarm_at: Option<DateTime<Utc>>,
}

/// The place in the queue of a chat that wants no answer.
pub const NEVER: DateTime<Utc> = {
    // 9999-12-31T00:00:00Z
    match DateTime::from_timestamp(253_402_214_400, 0) {
        Some(time) => time,
        None => DateTime::<Utc>::MAX_UTC,
    }
};

impl Clocks {
    /// From when on the chat is at risk; none once it is over: whoever counts those at risk would
    /// read all that ever were.
    pub fn at_risk_at(&self, obligation: Option<&Obligation>) -> Option<DateTime<Utc>> {
        let is_over = obligation.is_some_and(|it| it.breached_at.is_some());
        self.nearer
            .filter(|_| !is_over)
            .map(|nearer| nearer.at_risk_at)
    }
}

/// Works out the clocks of a chat; an obligation is given only while an answer is owed.
pub fn clocks(
    owed: Owed,
    obligation: Option<&Obligation>,
    answer_window: Option<Duration>,
    snoozed_until: Option<DateTime<Utc>>,
) -> Clocks {
    let window_closes_at = owed
        .last_buyer_at
        .zip(answer_window)
        .map(|(last, window)| last + window);
    let nearer = obligation.map(|obligation| nearer(owed, obligation, window_closes_at));
    let snoozed_until = match nearer {
        Some(nearer) => snoozed_until.map(|until| until.min(nearer.at_risk_at)),
        None => snoozed_until,
    };
    let queue_at = nearer
        .filter(|_| snoozed_until.is_none())
        .map_or(NEVER, |nearer| nearer.at);
    let alarm_at = obligation
        .zip(nearer)
        .into_iter()
        .flat_map(|(obligation, nearer)| alarms(obligation, nearer))
        .chain(snoozed_until)
        .min();
    Clocks {
        window_closes_at,
        nearer,
        snoozed_until,
        queue_at,
        alarm_at,
    }
}

/// Which clock is nearer while an answer is owed.
pub fn nearer(
    owed: Owed,
    obligation: &Obligation,
    window_closes_at: Option<DateTime<Utc>>,
) -> Nearer {
    let of_window = window_closes_at.zip(owed.last_buyer_at);
    match of_window {
        Some((closes_at, last)) if closes_at < obligation.due_at => Nearer {
            at: closes_at,
            clock: DeadlineClock::Window,
            at_risk_at: last_quarter(last, closes_at),
        },
        _ => Nearer {
            at: obligation.due_at,
            clock: DeadlineClock::Obligation,
            at_risk_at: obligation
                .at_risk_at
                .unwrap_or_else(|| last_quarter(obligation.started_at, obligation.due_at)),
        },
    }
}

/// When to warn and when to find a breach, as far as that is still to be done.
fn alarms(obligation: &Obligation, nearer: Nearer) -> impl Iterator<Item = DateTime<Utc>> {
    let warn = (obligation.warned_at.is_none() && obligation.breached_at.is_none())
        .then_some(nearer.at_risk_at);
    let breach = obligation.breached_at.is_none().then_some(nearer.at);
    warn.into_iter().chain(breach)
}

fn last_quarter(start: DateTime<Utc>, end: DateTime<Utc>) -> DateTime<Utc> {
    end - (end - start) / 4
}

/// The deadline that a person sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub at: DateTime<Utc>,
    pub clock: DeadlineClock,
    pub state: DeadlineState,
    pub priority: Priority,
}

/// How the nearer running clock stands.
pub fn deadline(nearer: &Nearer, now: DateTime<Utc>) -> Deadline {
    let left = nearer.at - now;
    let state = if left <= TimeDelta::zero() {
        DeadlineState::Breached
    } else if now >= nearer.at_risk_at {
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
    Deadline {
        at: nearer.at,
        clock: nearer.clock,
        state,
        priority,
    }
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

    fn by_default(since: i64) -> Obligation {
        Obligation::by_default(hour(since))
    }

    fn stands(nearer: Nearer, at: i64) -> (DeadlineState, Priority) {
        let deadline = deadline(&nearer, hour(at));
        (deadline.state, deadline.priority)
    }

    #[test]
    fn the_obligation_runs_from_the_first_message_and_the_window_from_the_last() {
        let clocks = clocks(owed(0, 5), Some(&by_default(0)), WINDOW, None);
        assert_eq!(clocks.window_closes_at, Some(hour(53)));
        assert_eq!(clocks.queue_at, hour(24));
        assert_eq!(clocks.alarm_at, Some(hour(18)));
    }

    #[test]
    fn nothing_owed_stands_at_the_end_of_the_queue() {
        let answered = Owed {
            since: None,
            last_buyer_at: Some(hour(5)),
        };
        let answered = clocks(answered, None, WINDOW, None);
        assert_eq!(answered.queue_at, NEVER);
        assert_eq!(answered.alarm_at, None);
        assert_eq!(answered.window_closes_at, Some(hour(53)));
        assert_eq!(NEVER.to_rfc3339(), "9999-12-31T00:00:00+00:00");
    }

    #[test]
    fn the_last_quarter_is_at_risk_and_what_is_over_is_urgent() {
        let nearer = clocks(owed(0, 0), Some(&by_default(0)), None, None)
            .nearer
            .unwrap();
        assert_eq!(stands(nearer, 0), (DeadlineState::Ok, Priority::Normal));
        assert_eq!(stands(nearer, 17), (DeadlineState::Ok, Priority::Normal));
        assert_eq!(stands(nearer, 18), (DeadlineState::AtRisk, Priority::High));
        assert_eq!(
            stands(nearer, 24),
            (DeadlineState::Breached, Priority::Urgent)
        );
        let far = Nearer {
            at: hour(60),
            clock: DeadlineClock::Obligation,
            at_risk_at: hour(50),
        };
        assert_eq!(stands(far, 0), (DeadlineState::Ok, Priority::Low));
    }

    #[test]
    fn the_nearer_clock_counts() {
        let generous = Obligation {
            due_at: hour(72),
            at_risk_at: Some(hour(54)),
            ..by_default(0)
        };
        let nearer = clocks(owed(0, 4), Some(&generous), WINDOW, None)
            .nearer
            .unwrap();
        assert_eq!((nearer.clock, nearer.at), (DeadlineClock::Window, hour(52)));
        assert_eq!(nearer.at_risk_at, hour(40));
    }

    #[test]
    fn a_rest_ends_when_the_clock_is_at_risk() {
        let resting = clocks(owed(0, 0), Some(&by_default(0)), None, Some(hour(20)));
        assert_eq!(resting.snoozed_until, Some(hour(18)));
        assert_eq!(resting.queue_at, NEVER);
        assert_eq!(resting.alarm_at, Some(hour(18)));
        let short = clocks(owed(0, 0), Some(&by_default(0)), None, Some(hour(3)));
        assert_eq!(short.alarm_at, Some(hour(3)));
    }

    #[test]
    fn each_alarm_rings_once() {
        let warned = Obligation {
            warned_at: Some(hour(18)),
            ..by_default(0)
        };
        let after_warning = clocks(owed(0, 0), Some(&warned), None, None);
        assert_eq!(after_warning.alarm_at, Some(hour(24)));
        let breached = Obligation {
            breached_at: Some(hour(24)),
            ..warned
        };
        let after_breach = clocks(owed(0, 0), Some(&breached), None, None);
        assert_eq!(after_breach.alarm_at, None);
        assert_eq!(after_breach.queue_at, hour(24));
    }
}
