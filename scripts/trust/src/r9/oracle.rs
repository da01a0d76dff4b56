//! What had to be told: PostgreSQL counts the open minutes with its own time zones, the sandbox's journal
//! says since when an answer was owed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::feed::{Chat, Feed, Told};
use super::writing::URGENT;
use crate::clients::outside::Entry;
use crate::figure::say;
use crate::stage::Stage;

/// Open minutes of the rules' hours between two moments, and what the rules say of them.
const FUNCTIONS: &str = "
    CREATE FUNCTION trust_open(since timestamptz, until timestamptz) RETURNS bigint LANGUAGE sql STRICT AS $$
        SELECT count(*) FROM generate_series(since, until - interval '1 min', interval '1 min') AS minute
        WHERE (minute AT TIME ZONE 'Europe/Berlin')::time < '02:00'
            OR (minute AT TIME ZONE 'Europe/Berlin')::time >= '03:15' $$;
    CREATE VIEW trust_obligations AS
        SELECT chats.channel, chats.external_id, obligations.*,
            CASE rule_name WHEN 'urgent' THEN 40 ELSE 90 END AS due_after,
            30 AS at_risk_after
        FROM obligations JOIN chats ON chats.tenant_id = obligations.tenant_id AND chats.id = chat_id
        WHERE rule_name IN ('urgent', 'usual');";

/// What is not as it had to be.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) obligations: u64,
    pub(super) warnings: u64,
    pub(super) breaches: u64,
    lost: Vec<String>,
    /// Owed, but by no obligation; or an obligation that nothing in the journal explains.
    wrong: Vec<String>,
    /// Not told although it was due.
    missing: Vec<String>,
    /// Told more often than noted.
    double: Vec<String>,
    /// Noted before its time, or due at another one.
    untimely: Vec<String>,
    resets: u64,
}

impl Findings {
    pub(super) fn broken(&self) -> u64 {
        let all = self.kinds().map(|(_, which)| which.len() as u64);
        all.iter().sum::<u64>() + self.resets
    }

    fn kinds(&self) -> [(&'static str, &Vec<String>); 5] {
        [
            ("lost", &self.lost),
            ("wrong", &self.wrong),
            ("missing", &self.missing),
            ("double", &self.double),
            ("untimely", &self.untimely),
        ]
    }

    /// Whether both kinds of planted defects were seen.
    pub(super) fn sees_plants(&self) -> [(&'static str, bool); 2] {
        [
            ("missing", !self.missing.is_empty()),
            ("double", !self.double.is_empty()),
        ]
    }

    /// Says the first of each kind.
    pub(super) fn show(&self) {
        for (what, which) in self.kinds() {
            if !which.is_empty() {
                let first = which[..which.len().min(5)].join("; ");
                say(&format!("{what} {}: {first}", which.len()));
            }
        }
    }

    /// For the figure's line.
    pub(super) fn to_json(&self) -> Value {
        let mut told: Value = self
            .kinds()
            .map(|(what, which)| (what.to_owned(), json!(which.len())))
            .into_iter()
            .collect::<serde_json::Map<_, _>>()
            .into();
        told["warnings"] = json!(self.warnings);
        told["breaches"] = json!(self.breaches);
        told["resets"] = json!(self.resets);
        told
    }
}

/// Teaches PostgreSQL the hours.
pub(super) async fn prepare(stage: &Stage) -> Result<()> {
    stage.truth.run(FUNCTIONS).await
}

/// Deadlines of obligations in force that were due a minute ago and are not noted.
pub(super) async fn untold(stage: &Stage, now: DateTime<Utc>) -> Result<u64> {
    let open = format!("trust_open(started_at, '{}')", now.to_rfc3339());
    let sql = format!(
        "SELECT count(*) FROM trust_obligations WHERE ended_at IS NULL AND breached_at IS NULL AND \
             ({open} > due_after + 1 OR (warned_at IS NULL AND {open} > at_risk_after + 1))"
    );
    stage.truth.count(&sql).await
}

/// Compares journal, rows and feed, for these chats.
pub(super) async fn compare(
    stage: &Stage,
    feed: &Feed<'_>,
    chats: &BTreeSet<Chat>,
) -> Result<Findings> {
    let mut findings = Findings {
        resets: feed.resets(),
        ..Findings::default()
    };
    let journal = stage.outside.journal(0).await?;
    compare_messages(stage, &journal, chats, &mut findings).await?;
    let noted = noted(stage, chats, &mut findings).await?;
    let owed = owed(&journal, chats);
    for (chat, messages) in &owed {
        let rows = noted.get(chat).map(|noted| &noted.began_with);
        if rows != Some(messages) {
            findings
                .wrong
                .push(format!("{chat:?}: owed since {messages:?}, noted {rows:?}"));
        }
    }
    let told = feed.told();
    for chat in chats {
        let told = told.get(chat).copied().unwrap_or_default();
        let noted = noted.get(chat).map(|noted| noted.told).unwrap_or_default();
        findings.warnings += told.warnings;
        findings.breaches += told.breaches;
        for (what, told, noted) in [
            ("warnings", told.warnings, noted.warnings),
            ("breaches", told.breaches, noted.breaches),
        ] {
            let line = format!("{chat:?}: {told} {what} told, {noted} noted");
            if told > noted {
                findings.double.push(line);
            } else if told < noted {
                findings.missing.push(line);
            }
        }
    }
    Ok(findings)
}

/// The obligations of a chat.
#[derive(Debug, Default)]
struct Noted {
    /// The texts of the messages they began with.
    began_with: BTreeSet<String>,
    told: Told,
}

async fn noted(
    stage: &Stage,
    chats: &BTreeSet<Chat>,
    findings: &mut Findings,
) -> Result<BTreeMap<Chat, Noted>> {
    let sql = format!(
        "SELECT channel, external_id, text, rule_name, warned_at IS NOT NULL, breached_at IS NOT NULL, \
             ended_at IS NULL, abs(trust_open(started_at, due_at) - due_after) <= 1, \
             coalesce(trust_open(started_at, warned_at) >= at_risk_after - 1, true) \
                 AND coalesce(trust_open(started_at, breached_at) >= due_after - 1, true) \
         FROM trust_obligations owed LEFT JOIN LATERAL (SELECT text FROM messages \
             WHERE messages.tenant_id = owed.tenant_id AND messages.chat_id = owed.chat_id \
                 AND direction = 'incoming' AND at = started_at ORDER BY id LIMIT 1) first ON true \
         WHERE (channel, external_id) IN ({})",
        pairs(chats)
    );
    let mut all: BTreeMap<Chat, Noted> = BTreeMap::new();
    for row in stage.truth.rows(&sql).await? {
        let text = |at| row.get(at).unwrap_or_default();
        let chat = (text(0).to_owned(), text(1).to_owned());
        let is = |at| text(at) == "t";
        findings.obligations += 1;
        let is_urgent = text(2).contains(URGENT);
        if is_urgent != (text(3) == "urgent") {
            findings
                .wrong
                .push(format!("{chat:?}: {} by {}", text(2), text(3)));
        }
        if !is(7) || !is(8) {
            findings.untimely.push(format!("{chat:?}: {}", text(2)));
        }
        if is(6) && !is(5) {
            findings
                .missing
                .push(format!("{chat:?}: no breach of {}", text(2)));
        }
        let noted = all.entry(chat).or_default();
        noted.began_with.insert(text(2).to_owned());
        noted.told.warnings += u64::from(is(4));
        noted.told.breaches += u64::from(is(5));
    }
    Ok(all)
}

/// The messages with which an answer became owed: the first, and the first after each answer.
fn owed(journal: &[Entry], chats: &BTreeSet<Chat>) -> BTreeMap<Chat, BTreeSet<String>> {
    let mut owed: BTreeMap<Chat, BTreeSet<String>> = BTreeMap::new();
    let mut waits: BTreeSet<Chat> = BTreeSet::new();
    for (chat, entry) in of_chats(journal, chats) {
        let is_answer = entry.kind == "received" && entry.status.is_some_and(|it| it < 300);
        if entry.kind == "written" && waits.insert(chat.clone()) {
            let text = entry.text.clone().unwrap_or_default();
            owed.entry(chat).or_default().insert(text);
        } else if is_answer {
            waits.remove(&chat);
        }
    }
    owed
}

async fn compare_messages(
    stage: &Stage,
    journal: &[Entry],
    chats: &BTreeSet<Chat>,
    findings: &mut Findings,
) -> Result<()> {
    let sql = format!(
        "SELECT text, count(*) FROM messages JOIN chats ON chats.tenant_id = messages.tenant_id \
             AND chats.id = chat_id WHERE direction = 'incoming' \
             AND (channel, chats.external_id) IN ({}) GROUP BY text",
        pairs(chats)
    );
    let rows = stage.truth.rows(&sql).await?;
    let stored: BTreeMap<&str, &str> = rows
        .iter()
        .map(|row| row.get(0).zip(row.get(1)).context("a message without text"))
        .collect::<Result<_>>()?;
    for (chat, entry) in of_chats(journal, chats).filter(|(_, entry)| entry.kind == "written") {
        let text = entry.text.as_deref().unwrap_or_default();
        if stored.get(text) != Some(&"1") {
            let often = stored.get(text).unwrap_or(&"0");
            findings
                .lost
                .push(format!("{chat:?} {text}: {often} times"));
        }
    }
    Ok(())
}

fn of_chats<'a>(
    journal: &'a [Entry],
    chats: &'a BTreeSet<Chat>,
) -> impl Iterator<Item = (Chat, &'a Entry)> {
    journal.iter().filter_map(|entry| {
        let chat = (entry.marketplace.clone()?, entry.chat.clone()?);
        chats.contains(&chat).then_some((chat, entry))
    })
}

fn pairs(chats: &BTreeSet<Chat>) -> String {
    let pairs: Vec<String> = chats
        .iter()
        .map(|(market, chat)| format!("('{market}', '{chat}')"))
        .collect();
    pairs.join(",")
}
