//! What people at the desk are told: the live feed, read over SSE across all restarts.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;
use tokio::time::sleep;

use crate::clients::desk::Desk;

const PAUSE: Duration = Duration::from_millis(50);
const OPENS_WITHIN: Duration = Duration::from_secs(20);

/// A chat by its marketplace and its id there.
pub(super) type Chat = (String, String);

/// How often a chat was warned of, and how often its breach was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) warnings: u64,
    pub(super) breaches: u64,
}

/// Somebody who looks all the time.
#[derive(Debug)]
pub(super) struct Feed<'a> {
    desk: &'a Desk,
    told: RefCell<BTreeMap<Chat, Told>>,
    seen: RefCell<BTreeSet<String>>,
    last: RefCell<Option<String>>,
    resets: Cell<u64>,
}

impl<'a> Feed<'a> {
    pub(super) fn new(desk: &'a Desk) -> Self {
        Self {
            desk,
            told: RefCell::default(),
            seen: RefCell::default(),
            last: RefCell::default(),
            resets: Cell::new(0),
        }
    }

    /// Waits until the first connection stands.
    pub(super) async fn wait_until_open(&self) -> Result<()> {
        let began = Instant::now();
        while self.last.borrow().is_none() {
            if began.elapsed() > OPENS_WITHIN {
                bail!("the live feed does not open");
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Listens for ever.
    pub(super) async fn listen(&self) -> ! {
        loop {
            let after = self.last.borrow().clone();
            if let Ok(mut events) = self.desk.open_feed(after.as_deref()).await {
                let mut unread = Vec::new();
                while let Ok(Some(bytes)) = events.chunk().await {
                    unread.extend_from_slice(&bytes);
                    self.read(&mut unread);
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// What was told of each chat.
    pub(super) fn told(&self) -> BTreeMap<Chat, Told> {
        self.told.borrow().clone()
    }

    /// How often events may be missing.
    pub(super) fn resets(&self) -> u64 {
        self.resets.get()
    }

    fn read(&self, unread: &mut Vec<u8>) {
        while let Some(end) = unread.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = unread.drain(..end + 2).collect();
            self.take(&String::from_utf8_lossy(&event));
        }
    }

    fn take(&self, event: &str) {
        let field = |name: &str| {
            let mut lines = event.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let Some(id) = field("id") else { return };
        *self.last.borrow_mut() = Some(id.to_owned());
        let Some(kind) = field("event") else { return };
        if kind == "reset" {
            self.resets.set(self.resets.get() + 1);
        }
        // An event that comes again under its own id is the same event.
        if !self.seen.borrow_mut().insert(id.to_owned()) {
            return;
        }
        let data: Value =
            serde_json::from_str(field("data").unwrap_or_default()).unwrap_or_default();
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let mut told = self.told.borrow_mut();
        match kind {
            "deadline.warning" => {
                told.entry((text("channel"), text("external_id")))
                    .or_default()
                    .warnings += 1;
            }
            "deadline.breached" => {
                told.entry((text("channel"), text("external_id")))
                    .or_default()
                    .breaches += 1;
            }
            _ => {}
        }
    }
}
