//! What happened, for the tests: the append-only oracle.

use serde::{Deserialize, Serialize};

use crate::world::Marketplace;

/// What an entry tells.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A buyer wrote a message.
    Written,
    /// A read request was answered, or a message was handed out for the first time.
    Served,
    /// A send request was answered.
    Received,
    /// A request to the language model was answered.
    Llm,
}

/// One line of the journal.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Entry {
    /// Number of the entry, counted from 1.
    pub seq: u64,
    /// RFC 3339, milliseconds, UTC.
    pub at: String,
    /// What the entry tells.
    pub kind: Kind,
    /// The marketplace; null for a request to the language model.
    pub marketplace: Option<Marketplace>,
    /// Client id, business id or Wildberries supplier id; null if the caller is unknown.
    pub seller: Option<String>,
    /// Chat id as the marketplace writes it.
    pub chat: Option<String>,
    /// Message id, for Wildberries the event id.
    pub message: Option<String>,
    /// The text exactly as written or sent; of a request to the language model the whole body.
    pub text: Option<String>,
    /// Path of the request without the prefix of the marketplace or the language model.
    pub path: Option<String>,
    /// Status answered; the intended one if the connection was cut.
    pub status: Option<u16>,
}

/// All entries, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: Vec<Entry>,
}

impl Journal {
    /// The number the next entry gets.
    pub(crate) fn next_seq(&self) -> u64 {
        self.entries.last().map_or(1, |last| last.seq + 1)
    }

    /// Appends an entry.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// All entries with a greater number, oldest first.
    pub(crate) fn after(&self, seq: u64) -> &[Entry] {
        let from = self.entries.partition_point(|entry| entry.seq <= seq);
        &self.entries[from..]
    }

    /// The newest entries of one kind, newest first.
    pub(crate) fn newest(&self, kind: Kind, count: usize) -> impl Iterator<Item = &Entry> {
        let newest_first = self.entries.iter().rev();
        newest_first
            .filter(move |entry| entry.kind == kind)
            .take(count)
    }
}
