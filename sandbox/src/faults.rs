//! What goes wrong on request, where, and for how long?

use serde::{Deserialize, Serialize};

/// The ways in which an answer goes wrong.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// `value` ms pass before the request is handled; it is handled even if the caller has gone.
    Latency,
    /// The status `value` (default 500) is answered and nothing done.
    Status,
    /// The request is carried out, then the connection dropped after `value` ms (default 0).
    CutAfterAccept,
    /// Half of the body is sent under the full length, then the connection dropped.
    Truncate,
    /// Lists hold each item twice.
    Duplicate,
    /// The items of a list are shuffled.
    Reorder,
    /// Pages begin `value` items (default 5) too early.
    Redeliver,
    /// 429, at Yandex Market 420, with `Retry-After: value` (default 1).
    RateLimit,
    /// Sends accepted meanwhile show only `value` ms later (default 5000), with their true id and time.
    LateEcho,
    /// New messages show in the chat list at once, in history and events `value` ms later (default 2000).
    ListAhead,
    /// The language model answers 200 with a body that is not its API's, of the sort `value`.
    Garbage,
    /// The language model says nothing.
    Empty,
}

/// A fault in force.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Fault {
    /// Marketplace or `llm`, optionally `:path`; the path equals the request's, or is its beginning or end.
    pub target: String,
    /// What goes wrong.
    pub kind: Kind,
    /// Milliseconds, status, seconds or items, by kind.
    pub value: i64,
    /// Only for this seller.
    pub seller: Option<String>,
    /// How likely it strikes, 0 to 1.
    pub probability: f64,
    /// How often it may still strike; null for always.
    pub times: Option<u32>,
    /// The world's time at which it ends, ms since 1970; null for never.
    pub until: Option<i64>,
}

/// What the faults in force mean for one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    /// Milliseconds to wait before handling.
    pub latency_ms: u64,
    /// Status to answer instead of handling.
    pub status: Option<u16>,
    /// Seconds of a refusal for too many requests.
    pub retry_after: Option<i64>,
    /// Milliseconds after which the connection is dropped unanswered.
    pub cut_after_ms: Option<u64>,
    /// Whether half of the body is sent.
    pub truncate: bool,
    /// What happens to lists.
    pub twist: Twist,
    /// Delay in ms of the echo of a send.
    pub late_echo_ms: i64,
    /// The sort of a body that is not the API's.
    pub garbage: Option<i64>,
    /// Whether the language model says nothing.
    pub is_empty: bool,
}

/// What happens to the items of a list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Twist {
    /// Each item twice.
    pub duplicate: bool,
    /// Shuffled by this number.
    pub shuffle: Option<u64>,
    /// The page begins so many items too early.
    pub redeliver: usize,
}

impl Twist {
    /// Changes the items of an answer.
    pub(crate) fn apply<T: Clone>(&self, mut items: Vec<T>) -> Vec<T> {
        if self.duplicate {
            items = items
                .into_iter()
                .flat_map(|item| [item.clone(), item])
                .collect();
        }
        if let Some(number) = self.shuffle {
            for at in (1..items.len()).rev() {
                let salt = u64::try_from(at).unwrap_or(0);
                items.swap(at, crate::ids::pick(number, "shuffle", salt, at + 1));
            }
        }
        items
    }

    /// How many items earlier a page of `limit` items begins; at least half of it stays new.
    pub(crate) fn step_back(&self, limit: usize) -> usize {
        self.redeliver.min(limit / 2)
    }
}

/// All faults, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<Fault>,
    rolls: u64,
}

impl Faults {
    /// Puts a fault into force.
    pub(crate) fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Takes faults out of force: all, or those of one target.
    pub(crate) fn clear(&mut self, target: Option<&str>) {
        self.faults
            .retain(|fault| target.is_some_and(|target| fault.target != target));
    }

    /// Those in force now.
    pub(crate) fn in_force(&self, now: i64) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(move |fault| is_on(fault, now))
    }

    /// Whether some fault strikes this request, and how.
    pub(crate) fn plan(&mut self, name: &str, path: &str, seller: Option<&str>, now: i64) -> Plan {
        let mut plan = Plan::default();
        for at in 0..self.faults.len() {
            let fault = &self.faults[at];
            let is_ours = fault.seller.is_none() || fault.seller.as_deref() == seller;
            let is_meant = is_ours && matches(&fault.target, name, Some(path));
            // new messages, not requests, meet this one
            if fault.kind == Kind::ListAhead || !is_meant || !is_on(fault, now) {
                continue;
            }
            if self.strikes(at) {
                let fault = &self.faults[at];
                strike(&mut plan, fault.kind, fault.value, self.rolls);
            }
        }
        plan
    }

    /// How long a new message is hidden from history and events, in ms.
    pub(crate) fn hides_new_messages(&self, name: &str, seller: &str, now: i64) -> i64 {
        let meant = self.in_force(now).filter(|fault| {
            fault.kind == Kind::ListAhead
                && matches(&fault.target, name, None)
                && fault.seller.as_deref().is_none_or(|ours| ours == seller)
        });
        meant.map(|fault| fault.value).max().unwrap_or(0)
    }

    fn strikes(&mut self, at: usize) -> bool {
        self.rolls += 1;
        let roll = crate::ids::mix(0, "fault", self.rolls) % 1_000_000;
        let fault = &mut self.faults[at];
        let is_hit = (roll as f64) < fault.probability * 1e6;
        if is_hit && let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
        }
        is_hit
    }
}

fn strike(plan: &mut Plan, kind: Kind, value: i64, roll: u64) {
    let positive = u64::try_from(value).unwrap_or(0);
    match kind {
        Kind::Latency => plan.latency_ms += positive,
        Kind::Status => plan.status = u16::try_from(value).ok(),
        Kind::CutAfterAccept => plan.cut_after_ms = Some(positive),
        Kind::Truncate => plan.truncate = true,
        Kind::Duplicate => plan.twist.duplicate = true,
        Kind::Reorder => plan.twist.shuffle = Some(roll),
        Kind::Redeliver => plan.twist.redeliver = usize::try_from(value).unwrap_or(0),
        Kind::RateLimit => plan.retry_after = Some(value),
        Kind::LateEcho => plan.late_echo_ms = plan.late_echo_ms.max(value),
        Kind::ListAhead => {}
        Kind::Garbage => plan.garbage = Some(value),
        Kind::Empty => plan.is_empty = true,
    }
}

fn is_on(fault: &Fault, now: i64) -> bool {
    fault.until.is_none_or(|until| now < until) && fault.times != Some(0)
}

// without a path only the name counts
fn matches(target: &str, name: &str, path: Option<&str>) -> bool {
    let (named, wanted) = target.split_once(':').unwrap_or((target, ""));
    if named != name {
        return false;
    }
    path.is_none_or(|path| path.starts_with(wanted) || path.ends_with(wanted))
}

impl Kind {
    /// The value if none is given.
    pub(crate) fn default_value(self) -> i64 {
        match self {
            Self::Latency => 1000,
            Self::Status => 500,
            Self::Redeliver => 5,
            Self::RateLimit => 1,
            Self::LateEcho => 5000,
            Self::ListAhead => 2000,
            Self::CutAfterAccept
            | Self::Truncate
            | Self::Duplicate
            | Self::Reorder
            | Self::Garbage
            | Self::Empty => 0,
        }
    }

    /// Whether it can happen there: to the language model, or else to a marketplace.
    pub(crate) fn fits(self, is_llm: bool) -> bool {
        match self {
            Self::Latency
            | Self::Status
            | Self::RateLimit
            | Self::CutAfterAccept
            | Self::Truncate => true,
            Self::Garbage | Self::Empty => is_llm,
            Self::Duplicate
            | Self::Reorder
            | Self::Redeliver
            | Self::LateEcho
            | Self::ListAhead => !is_llm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Twist, matches};

    #[test]
    fn a_target_names_a_marketplace_or_one_of_its_paths() {
        let ozon = "ozon";
        assert!(matches("ozon", ozon, Some("/v3/chat/list")));
        assert!(matches("ozon:/v3/chat/list", ozon, Some("/v3/chat/list")));
        assert!(matches("ozon:/list", ozon, Some("/v3/chat/list")));
        assert!(!matches(
            "ozon:/v3/chat/list",
            ozon,
            Some("/v3/chat/history")
        ));
        assert!(!matches("wildberries", ozon, Some("/v3/chat/list")));
    }

    #[test]
    fn a_twist_doubles_and_shuffles_but_loses_nothing() {
        let twist = Twist {
            duplicate: true,
            shuffle: Some(3),
            redeliver: 0,
        };
        let mut items = twist.apply((0..20).collect());
        assert_ne!(items[..4], [0, 0, 1, 1]);
        items.sort_unstable();
        assert_eq!(items.len(), 40);
        items.dedup();
        assert_eq!(items, (0..20).collect::<Vec<_>>());
    }
}
