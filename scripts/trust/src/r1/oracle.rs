//! Compares what buyers wrote, by the sandbox's journal, with what the api shows.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use super::writing::{Numbers, number_of};
use crate::clients::outside::Entry;
use crate::figure::say;
use crate::stage::Stage;

/// What is not as it was written.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) expected: u64,
    /// Written, but not in its chat.
    pub(super) lost: Vec<String>,
    /// Shown more than once, or where nobody wrote it.
    pub(super) double: Vec<String>,
    /// Shown after one that was written later.
    pub(super) out_of_order: Vec<String>,
}

impl Findings {
    pub(super) fn broken(&self) -> usize {
        self.lost.len() + self.double.len() + self.out_of_order.len()
    }

    /// Says the first of each kind.
    pub(super) fn show(&self) {
        for (what, which) in [
            ("lost", &self.lost),
            ("double", &self.double),
            ("out of order", &self.out_of_order),
        ] {
            if !which.is_empty() {
                say(&format!(
                    "{what} {}: {}",
                    which.len(),
                    which[..which.len().min(5)].join("; ")
                ));
            }
        }
    }
}

type Chat = (String, String);

/// How many of these messages are stored, each counted once.
pub(super) async fn stored(stage: &Stage, numbers: &Numbers) -> Result<u64> {
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
        return Ok(0);
    };
    let sql = format!(
        "SELECT count(DISTINCT substr(text, 1, 7)) FROM messages WHERE direction = 'incoming' \
             AND substr(text, 1, 8) BETWEEN 'm{first:06} ' AND 'm{last:06} ' AND text ~ '^m[0-9]{{6}} '"
    );
    stage.truth.count(&sql).await
}

/// Compares the messages with these numbers.
pub(super) async fn compare(
    stage: &Stage,
    journal: &[Entry],
    numbers: &Numbers,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut shown = shown(stage, numbers).await?;
    for (chat, written) in written(journal, numbers) {
        findings.expected += written.len() as u64;
        let shown = shown.remove(&chat).unwrap_or_default();
        compare_chat(&mut findings, &chat, &written, &shown);
    }
    for (chat, numbers) in shown {
        let strays = numbers
            .iter()
            .map(|number| format!("{chat:?} m{number:06} in a chat of nobody"));
        findings.double.extend(strays);
    }
    Ok(findings)
}

/// The numbers by chat, in the order of writing.
fn written(journal: &[Entry], numbers: &Numbers) -> BTreeMap<Chat, Vec<u64>> {
    let mut written: BTreeMap<Chat, Vec<u64>> = BTreeMap::new();
    for entry in journal.iter().filter(|entry| entry.kind == "written") {
        let number = entry.text.as_deref().and_then(number_of);
        if let (Some(number), Some(market), Some(chat)) = (number, &entry.marketplace, &entry.chat)
            && numbers.contains(&number)
        {
            let chat = (market.clone(), chat.clone());
            written.entry(chat).or_default().push(number);
        }
    }
    written
}

/// The numbers by chat, in the order in which the api shows them.
async fn shown(stage: &Stage, numbers: &Numbers) -> Result<BTreeMap<Chat, Vec<u64>>> {
    let mut shown: BTreeMap<Chat, Vec<u64>> = BTreeMap::new();
    let chats = stage
        .truth
        .rows(
            "SELECT chats.id, channel, external_id FROM chats \
               JOIN tenants ON tenants.id = tenant_id WHERE slug = 'demo'",
        )
        .await?;
    for chat in chats {
        let column = |at| chat.get(at).context("a chat without its ids");
        let thread = stage.desk.thread(column(0)?.parse()?).await?;
        let numbers = thread
            .iter()
            .filter_map(|message| incoming(message, numbers));
        let numbers: Vec<u64> = numbers.collect();
        if !numbers.is_empty() {
            let key = (column(1)?.to_owned(), column(2)?.to_owned());
            shown.entry(key).or_default().extend(numbers);
        }
    }
    Ok(shown)
}

fn incoming(message: &Value, numbers: &Numbers) -> Option<u64> {
    let number = number_of(message["text"].as_str()?)?;
    (message["direction"] == "incoming" && numbers.contains(&number)).then_some(number)
}

fn compare_chat(findings: &mut Findings, chat: &Chat, written: &[u64], shown: &[u64]) {
    let name = |number: &u64| format!("{} {} m{number:06}", chat.0, chat.1);
    let place: BTreeMap<u64, usize> = written.iter().copied().zip(0..).collect();
    let mut seen = BTreeSet::new();
    let mut newest = None;
    for number in shown {
        if !place.contains_key(number) || !seen.insert(*number) {
            findings.double.push(name(number));
            continue;
        }
        if place.get(number).copied() < newest {
            findings.out_of_order.push(name(number));
        }
        newest = newest.max(place.get(number).copied());
    }
    let lost = written.iter().filter(|number| !seen.contains(number));
    findings.lost.extend(lost.map(name));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(written: &[u64], shown: &[u64]) -> [usize; 3] {
        let mut findings = Findings::default();
        let chat = ("ozon".to_owned(), "c".to_owned());
        compare_chat(&mut findings, &chat, written, shown);
        [&findings.lost, &findings.double, &findings.out_of_order].map(Vec::len)
    }

    #[test]
    fn each_kind_of_defect_is_told() {
        assert_eq!(found(&[4, 5, 6], &[4, 5, 6]), [0, 0, 0]);
        assert_eq!(found(&[4, 5, 6], &[4, 6]), [1, 0, 0]);
        assert_eq!(found(&[4, 5, 6], &[4, 5, 5, 6]), [0, 1, 0]);
        assert_eq!(found(&[4, 5, 6], &[5, 4, 6]), [0, 0, 1]);
        assert_eq!(found(&[4], &[4, 7]), [0, 1, 0]);
    }
}
