//! The product's side of one chat: rows as in the database, moved only by the rules under test.

use std::collections::HashSet;
use std::time::Duration;

use common::domain::delivery::{
    Evidence, MessageState, SEND_WITHIN, Settling, Step, Unsettled, Verdict, Waits, judge,
    next_step, retry_pause,
};
use common::domain::echoes::{ECHO_WITHIN, Origin as Attributed, Shown, Unbound, attribute};
use common::ids::MessageId;
use rand::RngExt;
use rand::rngs::StdRng;

use super::Plant;
use super::marketplace::{Marketplace, Origin, Taken, time};

const WAITS: Waits = Waits {
    settle_after: Duration::from_secs(60),
    settle_again: Duration::from_secs(30),
};
const LEASE_MS: i64 = 20_000;

/// A reply of ours.
#[derive(Debug)]
struct Reply {
    text: &'static str,
    state: MessageState,
    queued_ms: i64,
    settle_at_ms: Option<i64>,
    reads: u32,
    attempts: u32,
    uncertain: u32,
    first_uncertain_ms: i64,
    /// The newest stored message when its first attempt that may have arrived began.
    baseline: Option<(u64, i64)>,
    bound: Option<u64>,
    was_unknown: bool,
    asks_person: bool,
    /// An attempt was made that did not surely fail.
    may_have_arrived: bool,
}

#[derive(Debug)]
pub(super) struct Product {
    plant: Plant,
    replies: Vec<Reply>,
    /// External ids that are stored, ours and others'.
    stored: HashSet<u64>,
    /// What others of our side wrote, and when it was stored.
    stored_elsewhere: Vec<(Taken, i64)>,
    newest_stored: Option<(u64, i64)>,
    leased_until_ms: i64,
    due_ms: i64,
}

impl Product {
    pub(super) fn new(plant: Plant) -> Self {
        Self {
            plant,
            replies: Vec::new(),
            stored: HashSet::new(),
            stored_elsewhere: Vec::new(),
            newest_stored: None,
            leased_until_ms: 0,
            due_ms: 0,
        }
    }

    pub(super) fn reply(&mut self, text: &'static str, now_ms: i64) {
        self.replies.push(Reply {
            text,
            state: MessageState::Queued,
            queued_ms: now_ms,
            settle_at_ms: None,
            reads: 0,
            attempts: 0,
            uncertain: 0,
            first_uncertain_ms: 0,
            baseline: None,
            bound: None,
            was_unknown: false,
            asks_person: false,
            may_have_arrived: false,
        });
        self.due_ms = self.due_ms.min(now_ms);
    }

    /// Stores what a history shows: each message once, echoes bound.
    pub(super) fn poll(&mut self, shown: &[Taken], now_ms: i64) {
        let mut fresh: Vec<&Taken> = Vec::new();
        let mut seen = self.stored.clone();
        fresh.extend(shown.iter().filter(|message| seen.insert(message.id)));
        fresh.sort_by_key(|message| (message.at_ms, message.id));
        let ours: Vec<&Taken> = fresh
            .iter()
            .copied()
            .filter(|message| message.origin != Origin::Buyer)
            .collect();
        let attributed = attribute(
            &self.unbound(now_ms),
            &ours.iter().map(|it| plain(it)).collect::<Vec<_>>(),
        );
        for (message, whose) in ours.into_iter().zip(attributed) {
            match whose {
                Attributed::NotYetClear => {}
                Attributed::Elsewhere => {
                    self.stored_elsewhere.push((message.clone(), now_ms));
                    self.store(message);
                }
                Attributed::Echo(id) => {
                    let reply = &mut self.replies[id.0 as usize];
                    reply.bound = Some(message.id);
                    reply.state = MessageState::Sent;
                    reply.asks_person = false;
                    self.store(message);
                    self.due_ms = 0;
                }
            }
        }
        for message in fresh {
            if message.origin == Origin::Buyer {
                self.store(message);
            }
        }
    }

    fn store(&mut self, message: &Taken) {
        self.stored.insert(message.id);
        let key = (message.id, message.at_ms);
        if self.newest_stored.is_none_or(|(_, at)| at < message.at_ms) {
            self.newest_stored = Some(key);
        }
    }

    fn unbound(&self, now_ms: i64) -> Vec<Unbound> {
        let is_repeated = |number: usize| {
            let text = self.replies[number].text;
            let mut later = self.replies[number + 1..].iter();
            later.any(|it| it.attempts > 0 && it.text == text)
        };
        let waits = |number: usize, reply: &Reply| {
            let in_doubt = matches!(
                reply.state,
                MessageState::Sending | MessageState::Sent | MessageState::Unknown
            );
            reply.bound.is_none() && (in_doubt || (reply.asks_person && !is_repeated(number)))
        };
        let numbered = self.replies.iter().enumerate();
        numbered
            .filter(|(number, reply)| waits(*number, reply))
            .map(|(number, reply)| Unbound {
                id: MessageId(number as i64),
                canonical: reply.text.to_owned(),
                files: Vec::new(),
                state: reply.state,
                baseline_at: self.oldest_baseline(number).map(time),
                overdue: reply.asks_person || is_overdue(reply, now_ms),
                vendor_at: None,
            })
            .collect()
    }

    /// The baseline shared with replies of the same text shortly before; none: there was nothing.
    fn oldest_baseline(&self, number: usize) -> Option<i64> {
        let reply = &self.replies[number];
        let near = |other: &&Reply| {
            let before_ms = reply.first_uncertain_ms - other.first_uncertain_ms;
            other.text == reply.text && other.may_have_arrived && (0..=600_000).contains(&before_ms)
        };
        let baselines = self.replies.iter().filter(near).map(|it| it.baseline);
        baselines
            .map(|baseline| baseline.map_or(i64::MIN, |(_, at)| at))
            .min()
            .filter(|at| *at > i64::MIN)
    }

    /// A worker takes the chat if it is due and free, and does one step.
    pub(super) fn work(
        &mut self,
        marketplace: &mut Marketplace,
        now_ms: i64,
        rng: &mut StdRng,
        faults: bool,
    ) {
        if now_ms < self.due_ms || now_ms < self.leased_until_ms {
            return;
        }
        let Some(number) = self.oldest_unsettled() else {
            return;
        };
        let reply = &self.replies[number];
        let unsettled = Unsettled {
            state: reply.state,
            send_before: Some(time(reply.queued_ms) + SEND_WITHIN),
            settle_at: reply.settle_at_ms.map(time),
        };
        let mut step = next_step(&unsettled, time(now_ms), &WAITS);
        if self.plant == Plant::TrustDeadSender && matches!(step, Step::Doubt { .. }) {
            step = Step::Send;
        }
        match step {
            Step::Send => self.send(number, marketplace, now_ms, rng, faults),
            Step::Expire => self.replies[number].state = MessageState::Failed,
            Step::Doubt { settle_at } => self.doubt(number, ms(settle_at)),
            Step::ReadBack => self.read_back(number, marketplace, now_ms, rng, faults),
            Step::Wait(until) => self.due_ms = ms(until),
            Step::Done => {}
        }
    }

    fn oldest_unsettled(&self) -> Option<usize> {
        let in_flight =
            |reply: &Reply| matches!(reply.state, MessageState::Sending | MessageState::Unknown);
        self.replies.iter().position(in_flight).or_else(|| {
            self.replies
                .iter()
                .position(|reply| reply.state == MessageState::Queued)
        })
    }

    fn send(
        &mut self,
        number: usize,
        marketplace: &mut Marketplace,
        now_ms: i64,
        rng: &mut StdRng,
        faults: bool,
    ) {
        let newest = self.newest_stored;
        let reply = &mut self.replies[number];
        reply.state = MessageState::Sending;
        let arrived_before = reply.may_have_arrived;
        reply.may_have_arrived = true;
        reply.attempts += 1;
        if reply.uncertain == 0 {
            reply.baseline = newest;
            reply.first_uncertain_ms = now_ms;
        }
        let (text, attempts) = (reply.text, reply.attempts);
        let fate = if faults { rng.random_range(0..10) } else { 9 };
        let is_taken = !matches!(fate, 0 | 2 | 4 | 5);
        if is_taken {
            marketplace.takes_reply(text, number as i64, now_ms, rng);
        }
        let reply = &mut self.replies[number];
        match fate {
            // The worker dies, before or after the request.
            0 | 1 => self.leased_until_ms = now_ms + LEASE_MS,
            // The answer never comes, whether the request arrived or not.
            2 | 3 => {
                reply.uncertain += 1;
                let settle_at_ms = now_ms + 60_000;
                self.doubt_at(number, settle_at_ms);
            }
            // No connection.
            4 => {
                reply.may_have_arrived = arrived_before;
                reply.state = MessageState::Queued;
                self.due_ms = now_ms + retry_pause(attempts).as_millis() as i64;
            }
            // Refused for good.
            5 => {
                reply.may_have_arrived = arrived_before;
                reply.state = MessageState::Failed;
            }
            _ => reply.state = MessageState::Sent,
        }
    }

    fn doubt(&mut self, number: usize, settle_at_ms: i64) {
        self.replies[number].uncertain += 1;
        self.doubt_at(number, settle_at_ms);
    }

    fn doubt_at(&mut self, number: usize, settle_at_ms: i64) {
        let reply = &mut self.replies[number];
        reply.state = MessageState::Unknown;
        reply.was_unknown = true;
        reply.settle_at_ms = Some(settle_at_ms);
        reply.reads = 0;
        self.due_ms = settle_at_ms;
    }

    fn read_back(
        &mut self,
        number: usize,
        marketplace: &Marketplace,
        now_ms: i64,
        rng: &mut StdRng,
        faults: bool,
    ) {
        if faults && rng.random_range(0..3) == 0 {
            self.due_ms = now_ms + 5_000;
            return;
        }
        let shown = marketplace.shown(now_ms, rng);
        self.poll(&shown, now_ms);
        let evidence = self.evidence(number);
        let reply = &mut self.replies[number];
        let settling = Settling {
            since: time(reply.first_uncertain_ms),
            reads: match self.plant {
                Plant::SendAgainAfterOneLook => reply.reads + 1,
                _ => reply.reads,
            },
            uncertain_attempts: reply.uncertain,
        };
        match judge(&settling, evidence, time(now_ms), &WAITS) {
            Verdict::Sent => {}
            Verdict::ReadAgain { at } => {
                reply.reads += 1;
                reply.settle_at_ms = Some(ms(at));
                self.due_ms = ms(at);
            }
            Verdict::SendAgain => reply.state = MessageState::Queued,
            Verdict::AskPerson => {
                reply.state = MessageState::Failed;
                reply.asks_person = true;
            }
        }
    }

    fn evidence(&self, number: usize) -> Evidence {
        let reply = &self.replies[number];
        if reply.state != MessageState::Unknown {
            return Evidence::Found;
        }
        let lags = |earlier: &Reply| earlier.state == MessageState::Sent && earlier.bound.is_none();
        if self.replies[..number].iter().any(lags) {
            return Evidence::Lagging;
        }
        let (baseline_id, baseline_at) = reply.baseline.unwrap_or((0, i64::MIN));
        let since = reply.first_uncertain_ms;
        let unexplained = |(message, stored_ms): &(Taken, i64)| {
            message.id != baseline_id && (message.at_ms >= baseline_at || *stored_ms >= since)
        };
        if self.stored_elsewhere.iter().any(unexplained) {
            return Evidence::Unexplained;
        }
        Evidence::Nothing
    }

    pub(super) fn is_settled(&self) -> bool {
        self.oldest_unsettled().is_none()
    }

    /// What must hold when everything is over.
    pub(super) fn check(&self, marketplace: &Marketplace) -> Result<(), String> {
        let mut last_taken = 0;
        for (number, reply) in self.replies.iter().enumerate() {
            let copies: Vec<&Taken> = marketplace
                .taken
                .iter()
                .filter(|message| message.origin == Origin::Reply(number as i64))
                .collect();
            check_reply(number, reply, copies.len(), marketplace)?;
            if let Some(copy) = copies.first() {
                if copy.id < last_taken {
                    return Err(format!("reply {number} overtook an earlier one"));
                }
                last_taken = copy.id;
            }
        }
        if self.stored.len() != marketplace.taken.len() {
            return Err("a message of the history is not stored".to_owned());
        }
        let bound: Vec<u64> = self.replies.iter().filter_map(|it| it.bound).collect();
        let distinct: HashSet<&u64> = bound.iter().collect();
        if distinct.len() != bound.len() {
            return Err("two replies share an echo".to_owned());
        }
        Ok(())
    }
}

fn check_reply(
    number: usize,
    reply: &Reply,
    copies: usize,
    marketplace: &Marketplace,
) -> Result<(), String> {
    if copies > 1 {
        return Err(format!("reply {number} was taken {copies} times"));
    }
    let has_twin = marketplace
        .taken
        .iter()
        .any(|it| it.origin == Origin::Cabinet && it.text == reply.text);
    match reply.state {
        MessageState::Sent if copies == 1 => Ok(()),
        // Somebody wrote the same by hand: the buyer has it, and nobody can tell the two apart.
        MessageState::Sent if reply.was_unknown && has_twin => Ok(()),
        MessageState::Failed if copies == 0 || reply.asks_person => Ok(()),
        state => Err(format!(
            "reply {number} is {state} and was taken {copies} times"
        )),
    }
}

fn is_overdue(reply: &Reply, now_ms: i64) -> bool {
    reply.state == MessageState::Sent
        && now_ms - reply.first_uncertain_ms > ECHO_WITHIN.as_millis() as i64
}

fn plain(message: &Taken) -> Shown {
    Shown {
        canonical: message.text.to_owned(),
        files: Vec::new(),
        at: message.at(),
        by_hand: false,
    }
}

fn ms(at: chrono::DateTime<chrono::Utc>) -> i64 {
    (at - time(0)).num_milliseconds()
}
