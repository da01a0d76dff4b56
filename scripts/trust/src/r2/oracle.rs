//! Compares what was posted with what the marketplaces took, and with what the product says of it.

mod groups;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::time::sleep;

use self::groups::{Group, State};
use super::posting::Posted;
use crate::clients::outside::Entry;
use crate::figure::say;
use crate::stage::Stage;

/// What is not as it should be, and what is worth knowing.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) posted: u64,
    /// Said to be sent, or taken by the api, but not at the marketplace.
    pub(super) lost: Vec<String>,
    /// At the marketplace more often than posted, or though said to have failed.
    pub(super) double: Vec<String>,
    pub(super) out_of_order: Vec<String>,
    /// Neither sent nor failed after all that time.
    pub(super) stuck: Vec<String>,
    /// Sent, but not bound to a message of the marketplace, or to a wrong one.
    pub(super) unbound: Vec<String>,
    /// Failed without a word to whoever looks at it.
    pub(super) silent: Vec<String>,
    /// How many ended in which way.
    pub(super) ends: BTreeMap<String, u64>,
    /// Bound to the same words written in the cabinet, which is allowed after an uncertain attempt.
    pub(super) bound_to_twin: u64,
    /// Given to a person although the marketplace has them: allowed, but a nuisance.
    pub(super) given_up_though_there: u64,
    /// Replies of which some attempt was uncertain.
    pub(super) uncertain: u64,
}

impl Findings {
    fn kinds(&self) -> [(&'static str, &Vec<String>); 6] {
        [
            ("lost", &self.lost),
            ("double", &self.double),
            ("out_of_order", &self.out_of_order),
            ("stuck", &self.stuck),
            ("unbound", &self.unbound),
            ("silent", &self.silent),
        ]
    }

    pub(super) fn broken(&self) -> usize {
        self.kinds().iter().map(|(_, which)| which.len()).sum()
    }

    /// Says the first of each kind.
    pub(super) fn show(&self) {
        for (what, which) in self.kinds() {
            if !which.is_empty() {
                say(&format!(
                    "{what} {}: {}",
                    which.len(),
                    which[..which.len().min(5)].join("; ")
                ));
            }
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let kinds = self.kinds().into_iter();
        let mut all: serde_json::Map<String, Value> = kinds
            .map(|(what, which)| (what.to_owned(), which.len().into()))
            .collect();
        all.insert("ends".to_owned(), json!(self.ends));
        all.insert("uncertain".to_owned(), self.uncertain.into());
        let there = self.given_up_though_there;
        all.insert("given_up_though_there".to_owned(), there.into());
        all.insert("bound_to_twin".to_owned(), self.bound_to_twin.into());
        all.into()
    }
}

/// Waits until nothing is under way any more; false if the time is over before.
pub(super) async fn settle(stage: &Stage, within: Duration) -> Result<bool> {
    let began = Instant::now();
    let sql = "SELECT count(*) FROM messages WHERE client_message_id ~ '^r[0-9]{6}-' \
               AND (state IN ('queued', 'sending', 'unknown') OR (state = 'sent' AND external_id IS NULL))";
    loop {
        let open = stage.truth.count(sql).await?;
        if open == 0 || began.elapsed() > within {
            say(&format!(
                "{open} not settled after {:.1} s",
                began.elapsed().as_secs_f64()
            ));
            return Ok(open == 0);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// A reply as the product has it.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    id: u64,
    state: State,
    code: Option<String>,
    external_id: Option<String>,
    is_explained: bool,
    is_uncertain: bool,
}

/// Compares everything.
pub(super) async fn compare(stage: &Stage, posted: &[Posted]) -> Result<Findings> {
    let replies = replies(stage).await?;
    let journal = stage.outside.journal(0).await?;
    let mut findings = Findings {
        posted: posted.len() as u64,
        ..Findings::default()
    };
    let mut groups: BTreeMap<(&str, &str, &str), Group> = BTreeMap::new();
    for one in posted {
        let key = (one.marketplace, one.chat.as_str(), one.text.as_str());
        let group = groups.entry(key).or_default();
        group.twins.extend(one.twins.iter().cloned());
        match replies.get(&one.client_message_id) {
            Some(reply) => group.replies.push(reply.clone()),
            None => findings
                .lost
                .push(format!("{} is not stored", one.client_message_id)),
        }
    }
    for entry in journal.iter().filter(|entry| is_accepted(entry)) {
        let (Some(chat), Some(text), Some(message)) = (&entry.chat, &entry.text, &entry.message)
        else {
            continue;
        };
        let market = entry.marketplace.as_deref().unwrap_or_default();
        let key = (market, chat.as_str(), text.as_str());
        if let Some(group) = groups.get_mut(&key) {
            group.accepted.push((entry.seq, message.clone()));
        } else if is_numbered(text) && posted.iter().any(|one| one.text.get(..7) == text.get(..7)) {
            findings.double.push(format!("{key:?} was posted nowhere"));
        }
    }
    for ((market, chat, text), group) in &groups {
        group.judge(
            &mut findings,
            market,
            &format!("{market} {chat} {:?}", text.get(..7).unwrap_or(text)),
        );
    }
    groups::judge_order(&mut findings, &groups);
    Ok(findings)
}

fn is_accepted(entry: &Entry) -> bool {
    entry.kind == "received"
        && entry
            .status
            .is_some_and(|status| (200..300).contains(&status))
}

fn is_numbered(text: &str) -> bool {
    text.starts_with('r')
        && text
            .get(1..7)
            .is_some_and(|number| number.bytes().all(|it| it.is_ascii_digit()))
}

/// All replies by the names that the agents gave them.
async fn replies(stage: &Stage) -> Result<BTreeMap<String, Reply>> {
    let sql = "SELECT client_message_id, id, state, error_code, external_id, \
                   coalesce(error_message, '') <> '', \
                   EXISTS (SELECT FROM send_attempts WHERE tenant_id = messages.tenant_id AND message_id = messages.id \
                       AND (outcome IS NULL OR outcome = 'maybe_sent')) \
               FROM messages WHERE client_message_id ~ '^r[0-9]{6}-'";
    let rows = stage.truth.rows(sql).await?;
    let mut replies = BTreeMap::new();
    for row in rows {
        let text = |column| row.get(column).context("a reply without its columns");
        let reply = Reply {
            id: text(1)?.parse()?,
            state: State::of(text(2)?, row.get(3)),
            code: row.get(3).map(str::to_owned),
            external_id: row.get(4).map(str::to_owned),
            is_explained: text(5)? == "t",
            is_uncertain: text(6)? == "t",
        };
        replies.insert(text(0)?.to_owned(), reply);
    }
    Ok(replies)
}
