//! How often may a shop ask, and what do the limit headers say?

use std::collections::{HashMap, VecDeque};

use crate::clock::HOUR;

/// Counters of all shops; they start afresh with the process.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    windows: HashMap<usize, VecDeque<i64>>,
    buckets: HashMap<(usize, &'static str), Bucket>,
    hours: HashMap<(usize, &'static str), Hour>,
    /// Requests of a shop that are being answered right now.
    pub in_flight: HashMap<usize, u32>,
}

/// How a token bucket fills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Milliseconds until one more request is allowed.
    pub interval_ms: i64,
    /// Requests allowed at once.
    pub burst: u32,
}

/// What a token bucket answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Taken {
    /// Whether the request is allowed.
    pub is_allowed: bool,
    /// Requests still allowed at once.
    pub remaining: u32,
    /// Seconds until the next request is allowed.
    pub retry_seconds: i64,
    /// Seconds until the whole burst is allowed again.
    pub reset_seconds: i64,
}

/// What an hourly counter answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    /// Whether the request is allowed.
    pub is_allowed: bool,
    /// Requests left in this hour.
    pub remaining: u32,
    /// End of the hour, milliseconds since 1970.
    pub until: i64,
}

#[derive(Debug)]
struct Bucket {
    // in thousandths of an interval, so that no fraction is lost
    level_ms: i64,
    at: i64,
}

#[derive(Debug)]
struct Hour {
    until: i64,
    used: u32,
}

impl Limits {
    /// Whether this request is within `limit` for the last second.
    pub(crate) fn take_second(&mut self, shop: usize, limit: usize, now: i64) -> bool {
        let window = self.windows.entry(shop).or_default();
        while window.front().is_some_and(|at| *at <= now - 1000) {
            window.pop_front();
        }
        if window.len() >= limit {
            return false;
        }
        window.push_back(now);
        true
    }

    /// Takes one request out of the shop's bucket for that method.
    pub(crate) fn take_token(
        &mut self,
        shop: usize,
        method: &'static str,
        rate: Rate,
        now: i64,
    ) -> Taken {
        let full = rate.interval_ms * i64::from(rate.burst);
        let start = Bucket {
            level_ms: full,
            at: now,
        };
        let bucket = self.buckets.entry((shop, method)).or_insert(start);
        bucket.level_ms = (bucket.level_ms + now - bucket.at).min(full);
        bucket.at = now;
        let is_allowed = bucket.level_ms >= rate.interval_ms;
        if is_allowed {
            bucket.level_ms -= rate.interval_ms;
        }
        let missing = (rate.interval_ms - bucket.level_ms).max(0);
        Taken {
            is_allowed,
            remaining: u32::try_from(bucket.level_ms / rate.interval_ms).unwrap_or(0),
            retry_seconds: seconds(missing),
            reset_seconds: seconds(full - bucket.level_ms),
        }
    }

    /// Counts one request against the shop's hourly limit for that method.
    pub(crate) fn count_hour(
        &mut self,
        shop: usize,
        method: &'static str,
        limit: u32,
        now: i64,
    ) -> Counted {
        let hour = self.hours.entry((shop, method)).or_insert(Hour {
            until: now + HOUR,
            used: 0,
        });
        if now >= hour.until {
            hour.until = now + HOUR;
            hour.used = 0;
        }
        let is_allowed = hour.used < limit;
        hour.used = (hour.used + 1).min(limit);
        Counted {
            is_allowed,
            remaining: limit - hour.used,
            until: hour.until,
        }
    }

    /// Forgets a shop's counters, for a key of another kind.
    pub(crate) fn forget(&mut self, shop: usize) {
        self.windows.remove(&shop);
        self.buckets.retain(|(owner, _), _| *owner != shop);
        self.hours.retain(|(owner, _), _| *owner != shop);
    }
}

fn seconds(ms: i64) -> i64 {
    (ms + 999) / 1000
}

#[cfg(test)]
mod tests {
    use super::{Limits, Rate};

    #[test]
    fn a_bucket_refills_one_by_one() {
        let mut limits = Limits::default();
        let rate = Rate {
            interval_ms: 1000,
            burst: 10,
        };
        for left in (0..10).rev() {
            assert_eq!(limits.take_token(1, "chats", rate, 0).remaining, left);
        }
        let refused = limits.take_token(1, "chats", rate, 400);
        assert!(!refused.is_allowed);
        assert_eq!((refused.retry_seconds, refused.reset_seconds), (1, 10));
        assert!(limits.take_token(1, "events", rate, 400).is_allowed);
        assert!(limits.take_token(1, "chats", rate, 1000).is_allowed);
        assert!(!limits.take_token(1, "chats", rate, 1001).is_allowed);
    }

    #[test]
    fn a_second_slides() {
        let mut limits = Limits::default();
        assert!((0..50).all(|at| limits.take_second(1, 50, at)));
        assert!(!limits.take_second(1, 50, 999));
        assert!(limits.take_second(2, 50, 999));
        assert!(limits.take_second(1, 50, 1000));
        assert!(!limits.take_second(1, 50, 1000));
    }

    #[test]
    fn an_hour_ends() {
        let mut limits = Limits::default();
        assert_eq!(limits.count_hour(1, "chats", 2, 0).remaining, 1);
        assert!(limits.count_hour(1, "chats", 2, 1).is_allowed);
        assert!(!limits.count_hour(1, "chats", 2, 2).is_allowed);
        assert!(limits.count_hour(1, "chats", 2, 3_600_000).is_allowed);
    }
}
