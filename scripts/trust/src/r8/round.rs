//! A while in which buyers write to all healthy shops, and what came of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::time::{sleep, sleep_until};

use crate::blows::now;
use crate::clients::outside::Shop;
use crate::figure::say;
use crate::stage::Stage;

/// In a shop a buyer writes so often.
const PACE: Duration = Duration::from_secs(2);
/// What was written is to be stored this long after the end: two polls and more.
const STORED_WITHIN: Duration = Duration::from_secs(12);
const POLLED_WITHIN: Duration = Duration::from_secs(40);

/// Shops, two of which will be sick.
#[derive(Debug)]
pub(super) struct Round<'a> {
    shops: &'a [Shop],
    chats: Vec<Option<String>>,
    number: u64,
}

/// What was seen of the healthy shops.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) written: u64,
    /// Messages that did not come in.
    pub(super) stuck: u64,
    /// Requests to a sick shop that went wrong or were under way.
    pub(super) faults: u64,
    polls: BTreeMap<&'static str, u64>,
    lags: Vec<f64>,
}

impl Seen {
    /// How long 99 of 100 messages were under way at most, in seconds.
    pub(super) fn lag_p99(&self) -> f64 {
        let last = self.lags.len().saturating_sub(1);
        self.lags.get(last * 99 / 100).copied().unwrap_or(0.0)
    }

    /// Polls of the healthy shops.
    pub(super) fn polls(&self) -> u64 {
        self.polls.values().sum()
    }

    /// Marketplaces whose healthy shops were polled less than this part as often as before.
    pub(super) fn starved(&self, before: &Self, part: f64) -> u64 {
        let is_starved = |(marketplace, polls): &(&&str, &u64)| {
            let now = self.polls.get(**marketplace).copied().unwrap_or(0);
            (now as f64) < **polls as f64 * part
        };
        before.polls.iter().filter(is_starved).count() as u64
    }
}

impl<'a> Round<'a> {
    /// Waits until every shop was polled, and has a first buyer write everywhere.
    pub(super) async fn begin(stage: &Stage, shops: &'a [Shop]) -> Result<Self> {
        let began = Instant::now();
        let polled = "SELECT count(*) FROM sellers WHERE last_sync_at IS NOT NULL";
        while stage.truth.count(polled).await? < shops.len() as u64 {
            ensure!(
                began.elapsed() < POLLED_WITHIN,
                "not all shops could be polled"
            );
            sleep(Duration::from_millis(100)).await;
        }
        let mut round = Self {
            shops,
            chats: vec![None; shops.len()],
            number: 0,
        };
        for shop in 0..shops.len() {
            round.say(stage, shop).await?;
        }
        Ok(round)
    }

    /// The shops that are struck: two of different marketplaces.
    pub(super) fn sick(&self) -> [&'a Shop; 2] {
        let shops = self.shops;
        let other = shops
            .iter()
            .find(|shop| shop.marketplace != shops[0].marketplace);
        [&shops[0], other.unwrap_or(&shops[0])]
    }

    /// Lets buyers write for a while, and looks.
    pub(super) async fn live(
        &mut self,
        stage: &Stage,
        what: &str,
        window: Duration,
    ) -> Result<Seen> {
        let began = Instant::now();
        let before = last_entry(stage).await?;
        let mut written = BTreeMap::new();
        let mut turn = 0;
        while PACE * turn < window {
            sleep_until((began + PACE * turn).into()).await;
            turn += 1;
            for shop in 0..self.shops.len() {
                if !self.is_sick(&self.shops[shop]) {
                    let at = now();
                    written.insert(self.say(stage, shop).await?, at);
                }
            }
        }
        sleep_until((began + window).into()).await;
        let mut seen = self.count_polls(stage, before).await?;
        seen.written = written.len() as u64;
        let stored = wait(stage, &written).await?;
        seen.stuck = seen.written - stored.len() as u64;
        seen.lags = stored
            .iter()
            .filter_map(|(text, at)| Some(at - written.get(text)?))
            .collect();
        seen.lags.sort_by(f64::total_cmp);
        say(&format!(
            "{what}: {} of {} messages in, {:?} polls, p99 {:.2} s",
            stored.len(),
            seen.written,
            seen.polls,
            seen.lag_p99()
        ));
        Ok(seen)
    }

    fn is_sick(&self, shop: &Shop) -> bool {
        let is_it =
            |sick: &&Shop| sick.seller == shop.seller && sick.marketplace == shop.marketplace;
        self.sick().iter().any(is_it)
    }

    async fn say(&mut self, stage: &Stage, shop: usize) -> Result<String> {
        self.number += 1;
        let text = format!("n{:06} где заказ?", self.number);
        let chat = self.chats[shop].as_deref();
        let written = stage
            .outside
            .buyer_writes(&self.shops[shop], chat, &text)
            .await?;
        self.chats[shop] = Some(written.chat);
        Ok(text)
    }

    async fn count_polls(&self, stage: &Stage, after: u64) -> Result<Seen> {
        let mut seen = Seen::default();
        let healthy: BTreeMap<(&str, &str), &'static str> = self
            .shops
            .iter()
            .filter(|shop| !self.is_sick(shop))
            .map(|shop| ((shop.marketplace, shop.seller.as_str()), shop.marketplace))
            .collect();
        for entry in stage.outside.journal(after).await? {
            let (Some(market), Some(seller), Some(status)) =
                (&entry.marketplace, &entry.seller, entry.status)
            else {
                continue;
            };
            match healthy.get(&(market.as_str(), seller.as_str())) {
                Some(market) if entry.kind == "served" && status < 300 => {
                    *seen.polls.entry(market).or_default() += 1;
                }
                None if status >= 400 => seen.faults += 1,
                _ => {}
            }
        }
        // A request that hangs is answered to nobody: the shop says so after its time.
        let [hangs, _] = self.sick();
        let held = format!(
            "SELECT count(*) FROM sellers WHERE account_id = '{}' \
                 AND (lease_until > now() OR sync_error IS NOT NULL)",
            hangs.seller
        );
        seen.faults += stage.truth.count(&held).await?;
        Ok(seen)
    }
}

async fn last_entry(stage: &Stage) -> Result<u64> {
    let journal = stage.outside.journal(0).await?;
    Ok(journal.last().map_or(0, |entry| entry.seq))
}

/// When each of the messages was stored, as far as it was.
async fn wait(stage: &Stage, written: &BTreeMap<String, f64>) -> Result<BTreeMap<String, f64>> {
    let began = Instant::now();
    loop {
        let rows = stage
            .truth
            .rows("SELECT text, extract(epoch FROM created_at) FROM messages WHERE text ~ '^n[0-9]{6} '")
            .await?;
        let mut stored = BTreeMap::new();
        for row in rows {
            let (text, at) = row
                .get(0)
                .zip(row.get(1))
                .context("a message without text")?;
            if written.contains_key(text) {
                stored.insert(text.to_owned(), at.parse()?);
            }
        }
        if stored.len() == written.len() || began.elapsed() > STORED_WITHIN {
            return Ok(stored);
        }
        sleep(Duration::from_millis(200)).await;
    }
}
