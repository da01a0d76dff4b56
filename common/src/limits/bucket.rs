//! What a limit means: a bucket that holds some requests and fills at a steady pace.

use std::time::Duration;

use super::Urgency;
use crate::marketplaces::{Limit, Operation};

/// Limits of fewer requests than this are buckets at the marketplace too: they may be emptied at once.
const COUNTED_BY_WINDOW: u32 = 20;
/// The part of a bucket that may be emptied at once, and the part of it that reads leave to sends.
const FIFTH: u32 = 5;
const HOUR: Duration = Duration::from_secs(3_600);

/// Everything that one request takes: all of it or nothing.
#[derive(Debug)]
pub(super) struct Want {
    pub(super) buckets: Vec<Bucket>,
    pub(super) parallel: Option<Parallel>,
}

/// A bucket, and how much of it this request may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) key: String,
    /// The time in which one request's room comes back.
    pub(super) interval: Duration,
    /// How far ahead of its pace this request may put the bucket.
    pub(super) room: Duration,
    /// How far any request may.
    pub(super) full: Duration,
}

/// The places for requests of an account that run at the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parallel {
    pub(super) key: String,
    pub(super) places: usize,
    /// Those of them that reads may take.
    pub(super) for_reads: usize,
    pub(super) urgency: Urgency,
}

/// The limits that count this operation.
pub(super) fn limits(
    usual: &'static [Limit],
    requests_per_hour: Option<u32>,
    operation: Operation,
) -> impl Iterator<Item = Limit> {
    let lowered = requests_per_hour
        .filter(|_| operation != Operation::Probe)
        .map(|requests| Limit {
            operation: Some(operation),
            // Files may be asked for ten times as often (FACTS 2.3).
            requests: match operation {
                Operation::FetchFile => requests.saturating_mul(10),
                _ => requests,
            },
            per: HOUR,
        });
    let counts = move |limit: &&Limit| limit.operation.is_none_or(|only| only == operation);
    let replaced = lowered.is_some();
    let usual = usual
        .iter()
        .filter(counts)
        .filter(move |limit| !replaced || limit.operation.is_none());
    usual.copied().chain(lowered)
}

impl Bucket {
    /// The bucket of a marketplace's limit.
    pub(super) fn of_limit(account: &str, limit: &Limit, urgency: Urgency) -> Self {
        let requests = limit.requests.max(1);
        // Where a marketplace counts what came within a window, a full bucket and what flows into it meanwhile would be
        // twice the limit: so it holds a fifth and fills more slowly, and no window sees more than the limit.
        let (burst, interval) = if requests < COUNTED_BY_WINDOW {
            (requests, limit.per / requests)
        } else {
            let burst = requests / FIFTH;
            (burst, limit.per / (requests - burst))
        };
        let reserve = match (urgency, limit.operation) {
            (Urgency::Read, None) if burst > 1 => (burst / FIFTH).max(1),
            _ => 0,
        };
        let operation = limit.operation.map_or("all", name);
        let (requests, seconds) = (limit.requests, limit.per.as_secs());
        Self {
            key: format!("lim:{account}:{operation}:{requests}/{seconds}"),
            interval,
            room: interval * (burst - reserve),
            full: interval * burst,
        }
    }

    /// The bucket of tries that may all come at once.
    pub(super) fn of_tries(key: &str, limit: u32, per: Duration) -> Self {
        let limit = limit.max(1);
        let interval = per / limit;
        Self {
            key: format!("rate:{key}"),
            interval,
            room: interval * limit,
            full: interval * limit,
        }
    }
}

impl Parallel {
    /// Places of which the last is for sends only.
    pub(super) fn new(account: &str, places: usize, urgency: Urgency) -> Self {
        let places = places.max(1);
        Self {
            key: format!("lim:{account}:parallel"),
            places,
            for_reads: (places - 1).max(1),
            urgency,
        }
    }
}

fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::Probe => "probe",
        Operation::ListChats => "list_chats",
        Operation::ReadMessages => "read_messages",
        Operation::FetchFile => "fetch_file",
        Operation::SendText => "send_text",
        Operation::SendFile => "send_file",
        Operation::MarkRead => "mark_read",
        Operation::StartChat => "start_chat",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Limit = Limit {
        operation: None,
        requests: 50,
        per: Duration::from_secs(1),
    };
    const LISTS: Limit = Limit {
        operation: Some(Operation::ListChats),
        requests: 10,
        per: Duration::from_secs(10),
    };
    static BOTH: [Limit; 2] = [ALL, LISTS];

    #[test]
    fn a_limit_counts_its_operation_or_all() {
        let count = |operation| limits(&BOTH, None, operation).count();
        assert_eq!(count(Operation::ListChats), 2);
        assert_eq!(count(Operation::SendText), 1);
    }

    #[test]
    fn a_lower_key_has_its_own_limit_for_each_chat_method() {
        let of = |operation| limits(&BOTH, Some(1), operation).collect::<Vec<_>>();
        let lists = of(Operation::ListChats);
        assert_eq!(lists.len(), 2);
        assert_eq!((lists[1].requests, lists[1].per), (1, HOUR));
        assert_eq!(of(Operation::SendText)[1].requests, 1);
        assert_eq!(of(Operation::Probe).len(), 1);
    }

    #[test]
    fn reads_leave_a_reserve_where_sends_share_the_bucket() {
        let read = Bucket::of_limit("a", &ALL, Urgency::Read);
        let send = Bucket::of_limit("a", &ALL, Urgency::Send);
        assert_eq!(send.room, send.interval * 10);
        assert_eq!(read.room, send.interval * 8);
        let own = Bucket::of_limit("a", &LISTS, Urgency::Read);
        assert_eq!(own.room, Duration::from_secs(10));
    }
}
