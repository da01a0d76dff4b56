//! What this process itself has used: asked before Redis, and instead of it while it is away.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Urgency;
use super::bucket::{Bucket, Parallel, Want};

/// Buckets that are full again are forgotten when there are this many.
const TIDY_AT: usize = 1_024;

/// Buckets and places as this process knows them.
#[derive(Default)]
pub(super) struct Local {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When each bucket is full again.
    full_at: HashMap<String, Instant>,
    running: HashMap<String, Running>,
    tidy_at: usize,
}

#[derive(Clone, Copy, Default)]
struct Running {
    sends: usize,
    reads: usize,
}

/// Why a request may not be made now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Wait(Duration),
    Full,
}

impl Local {
    /// Takes all that is wanted, or nothing.
    pub(super) fn take(&self, want: &Want, now: Instant) -> Result<(), Refused> {
        let mut state = self.lock();
        let waits = want.buckets.iter().map(|bucket| state.wait(bucket, now));
        let wait = waits.max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(Refused::Wait(wait));
        }
        if let Some(parallel) = &want.parallel {
            state.start(parallel)?;
        }
        for bucket in &want.buckets {
            let full_at = state.full_at(bucket, now) + bucket.interval;
            state.full_at.insert(bucket.key.clone(), full_at);
        }
        state.tidy(now);
        Ok(())
    }

    /// Undoes a take whose request was not made.
    pub(super) fn give_back(&self, want: &Want) {
        self.end(want);
        let mut state = self.lock();
        for bucket in &want.buckets {
            if let Some(full_at) = state.full_at.get_mut(&bucket.key) {
                *full_at = full_at.checked_sub(bucket.interval).unwrap_or(*full_at);
            }
        }
    }

    /// Frees the place of a request that ended.
    pub(super) fn end(&self, want: &Want) {
        let Some(parallel) = &want.parallel else {
            return;
        };
        let mut state = self.lock();
        if let Some(running) = state.running.get_mut(&parallel.key) {
            let of_kind = running.of(parallel.urgency);
            *of_kind = of_kind.saturating_sub(1);
            if running.sends + running.reads == 0 {
                state.running.remove(&parallel.key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn full_at(&self, bucket: &Bucket, now: Instant) -> Instant {
        self.full_at
            .get(&bucket.key)
            .map_or(now, |full_at| (*full_at).max(now))
    }

    fn wait(&self, bucket: &Bucket, now: Instant) -> Duration {
        let ahead = self.full_at(bucket, now) - now + bucket.interval;
        ahead.saturating_sub(bucket.room)
    }

    fn start(&mut self, parallel: &Parallel) -> Result<(), Refused> {
        let running = self.running.entry(parallel.key.clone()).or_default();
        let full = running.sends + running.reads >= parallel.places;
        let reads_full = parallel.urgency == Urgency::Read && running.reads >= parallel.for_reads;
        if full || reads_full {
            return Err(Refused::Full);
        }
        *running.of(parallel.urgency) += 1;
        Ok(())
    }

    fn tidy(&mut self, now: Instant) {
        if self.full_at.len() >= self.tidy_at.max(TIDY_AT) {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.tidy_at = 2 * self.full_at.len();
        }
    }
}

impl Running {
    fn of(&mut self, urgency: Urgency) -> &mut usize {
        match urgency {
            Urgency::Send => &mut self.sends,
            Urgency::Read => &mut self.reads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marketplaces::{Limit, Operation};

    fn want(requests: u32, per: Duration, urgency: Urgency) -> Want {
        let limit = Limit {
            operation: None,
            requests,
            per,
        };
        Want {
            buckets: vec![Bucket::of_limit("a", &limit, urgency)],
            parallel: None,
        }
    }

    /// Takes as often as allowed for three windows; returns the moments, in milliseconds.
    fn moments(want: &Want, per: Duration) -> Vec<u64> {
        let (local, start) = (Local::default(), Instant::now());
        let (mut now, mut moments) = (start, Vec::new());
        while now < start + 3 * per {
            match local.take(want, now) {
                Ok(()) => moments.push((now - start).as_millis() as u64),
                Err(Refused::Wait(wait)) => now += wait,
                Err(Refused::Full) => unreachable!("no places are wanted"),
            }
        }
        moments
    }

    #[test]
    fn no_window_sees_more_than_a_limit_that_is_counted_by_windows() {
        for (requests, seconds) in [(50, 1), (1_000, 3_600), (20, 10), (23, 7)] {
            let per = Duration::from_secs(seconds);
            let moments = moments(&want(requests, per, Urgency::Send), per);
            let most = moments
                .iter()
                .map(|from| {
                    let within = from..&(from + per.as_millis() as u64);
                    moments.iter().filter(|at| within.contains(at)).count()
                })
                .max();
            assert!(most <= Some(requests as usize), "{requests}: {most:?}");
            assert!(moments.len() > 2 * requests as usize, "and uses most of it");
        }
    }

    #[test]
    fn a_small_limit_may_be_used_at_once_and_comes_back_evenly() {
        let per = Duration::from_secs(10);
        let moments = moments(&want(10, per, Urgency::Send), per);
        assert_eq!(moments[9], 0);
        assert_eq!(moments[10], 1_000);
        assert_eq!(moments[11], 2_000);
        let hourly = Duration::from_secs(3_600);
        assert_eq!(want_times(1, hourly), [0, 3_600_000, 7_200_000]);
    }

    fn want_times(requests: u32, per: Duration) -> Vec<u64> {
        moments(&want(requests, per, Urgency::Read), per)
    }

    #[test]
    fn reads_leave_room_for_sends() {
        let (local, now) = (Local::default(), Instant::now());
        let second = Duration::from_secs(1);
        let (read, send) = (
            want(50, second, Urgency::Read),
            want(50, second, Urgency::Send),
        );
        let reads = (0..50)
            .take_while(|_| local.take(&read, now).is_ok())
            .count();
        let sends = (0..50)
            .take_while(|_| local.take(&send, now).is_ok())
            .count();
        assert_eq!((reads, sends), (8, 2));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (local, now) = (Local::default(), Instant::now());
        let want = want(1, Duration::from_secs(10), Urgency::Send);
        assert_eq!(local.take(&want, now), Ok(()));
        let refused = Refused::Wait(Duration::from_secs(10));
        assert_eq!(local.take(&want, now), Err(refused));
        local.give_back(&want);
        assert_eq!(local.take(&want, now), Ok(()));
    }

    #[test]
    fn one_place_stays_for_sends() {
        let local = Local::default();
        let place = |urgency| Want {
            buckets: Vec::new(),
            parallel: Some(Parallel::new("a", 2, urgency)),
        };
        let (read, send) = (place(Urgency::Read), place(Urgency::Send));
        let now = Instant::now();
        assert_eq!(local.take(&read, now), Ok(()));
        assert_eq!(local.take(&read, now), Err(Refused::Full));
        assert_eq!(local.take(&send, now), Ok(()));
        assert_eq!(local.take(&send, now), Err(Refused::Full));
        local.end(&read);
        assert_eq!(local.take(&read, now), Ok(()));
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let key = |operation| {
            let limit = Limit {
                operation: Some(operation),
                requests: 1,
                per: Duration::from_secs(1),
            };
            Bucket::of_limit("ozon:7", &limit, Urgency::Read).key
        };
        assert_eq!(key(Operation::ListChats), "lim:ozon:7:list_chats:1/1");
        assert_ne!(key(Operation::SendText), key(Operation::MarkRead));
    }
}
