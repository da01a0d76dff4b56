//! One chat as a marketplace keeps it: what it took is true, what it shows comes late and in disorder.

use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

/// The longest time between taking a message and showing it: less than the first settling wait and
/// the second together, more than the first.
const LATEST_ECHO_MS: i64 = 80_000;

/// Who wrote a message, as only the model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Buyer,
    Cabinet,
    /// The reply with this number.
    Reply(i64),
}

/// A message that the marketplace took.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) id: u64,
    pub(super) at_ms: i64,
    pub(super) text: &'static str,
    pub(super) origin: Origin,
    shown_from_ms: i64,
}

impl Taken {
    pub(super) fn at(&self) -> DateTime<Utc> {
        time(self.at_ms)
    }
}

pub(super) fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_800_000_000_000 + ms).unwrap_or_default()
}

#[derive(Debug, Default)]
pub(super) struct Marketplace {
    pub(super) taken: Vec<Taken>,
}

impl Marketplace {
    pub(super) fn buyer_writes(&mut self, text: &'static str, now_ms: i64) {
        self.take(text, Origin::Buyer, now_ms, 0);
    }

    pub(super) fn cabinet_writes(&mut self, text: &'static str, now_ms: i64) {
        self.take(text, Origin::Cabinet, now_ms, 0);
    }

    /// Takes a reply; now and then it shows late.
    pub(super) fn takes_reply(
        &mut self,
        text: &'static str,
        reply: i64,
        now_ms: i64,
        rng: &mut StdRng,
    ) {
        let late_ms = match rng.random_range(0..4) {
            0 => rng.random_range(0..LATEST_ECHO_MS),
            _ => 0,
        };
        self.take(text, Origin::Reply(reply), now_ms, late_ms);
    }

    fn take(&mut self, text: &'static str, origin: Origin, now_ms: i64, late_ms: i64) {
        let after_last = self.taken.last().map_or(0, |last| last.at_ms + 1);
        self.taken.push(Taken {
            id: self.taken.len() as u64 + 1,
            at_ms: now_ms.max(after_last),
            text,
            origin,
            shown_from_ms: now_ms + late_ms,
        });
    }

    /// What the history shows now: in any order, some messages twice.
    pub(super) fn shown(&self, now_ms: i64, rng: &mut impl Rng) -> Vec<Taken> {
        let visible = |message: &&Taken| message.shown_from_ms <= now_ms;
        let mut shown: Vec<Taken> = self.taken.iter().filter(visible).cloned().collect();
        if rng.random_range(0..3) == 0 {
            let again: Vec<Taken> = shown.iter().take(2).cloned().collect();
            shown.extend(again);
            shown.shuffle(rng);
        }
        shown
    }
}
