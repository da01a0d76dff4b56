//! The buyers: which shops there are, who writes where, and how much was written.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::sleep_until;

use crate::clients::outside::{MARKETPLACES, Shop};
use crate::stage::Stage;

/// What stands behind the number: also what looks like Markdown or is not of this plane.
const TAILS: [&str; 6] = [
    "Где мой заказ?",
    "Размер *не* подошёл (M) [1]",
    "а когда будет ответ…",
    "\u{1f61e}\u{1f61e}\u{1f61e}",
    "Здравствуйте!\n\nПришло не то: _артикул_ #12\\34",
    "спасибо",
];

/// A chat, once somebody wrote in it.
#[derive(Debug)]
struct Chat {
    shop: usize,
    id: Option<String>,
}

/// Everybody who writes.
#[derive(Debug)]
pub(super) struct Buyers {
    shops: Vec<Shop>,
    chats: Vec<Chat>,
    numbers: BTreeSet<u64>,
    written: u64,
    rng: StdRng,
}

impl Buyers {
    /// Opens the shops and connects them; some have a chat already.
    pub(super) async fn open(
        stage: &Stage,
        rng: StdRng,
        per_marketplace: usize,
        chats: usize,
    ) -> Result<Self> {
        let mut shops = Vec::new();
        for number in 0..per_marketplace {
            for marketplace in MARKETPLACES {
                shops.push(
                    stage
                        .outside
                        .open_shop(marketplace, &format!("R1 {number}"))
                        .await?,
                );
            }
        }
        let places =
            (0..shops.len()).flat_map(|shop| (0..chats).map(move |_| Chat { shop, id: None }));
        let mut buyers = Self {
            chats: places.collect(),
            shops,
            numbers: BTreeSet::new(),
            written: 0,
            rng,
        };
        for chat in (0..buyers.chats.len()).step_by(5) {
            buyers.say(stage, chat).await?;
        }
        let connecting = stream::iter(&buyers.shops).map(|shop| stage.desk.connect(shop));
        connecting.buffer_unordered(4).try_collect::<()>().await?;
        Ok(buyers)
    }

    /// Writes so many messages within a window, some in bursts.
    pub(super) async fn write(
        &mut self,
        stage: &Stage,
        messages: usize,
        window: Duration,
    ) -> Result<()> {
        let (began, before) = (Instant::now(), self.numbers.len());
        let mut left = messages.saturating_sub(before);
        let all = left;
        while left > 0 {
            let chat = self.rng.random_range(0..self.chats.len());
            let burst = if self.rng.random_bool(0.2) {
                self.rng.random_range(2..=8)
            } else {
                1
            };
            for _ in 0..burst.min(left) {
                self.say(stage, chat).await?;
                left -= 1;
            }
            let done = (all - left) as f64 / all as f64;
            sleep_until((began + window.mul_f64(done)).into()).await;
        }
        Ok(())
    }

    async fn say(&mut self, stage: &Stage, chat: usize) -> Result<()> {
        self.written += 1;
        let tail = TAILS[self.rng.random_range(0..TAILS.len())];
        let text = format!("m{:06} {tail}", self.written);
        let place = &mut self.chats[chat];
        let shop = &self.shops[place.shop];
        let written = stage
            .outside
            .buyer_writes(shop, place.id.as_deref(), &text)
            .await?;
        place.id = Some(written.chat);
        self.numbers.insert(self.written);
        Ok(())
    }

    /// How many messages were written since the beginning.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The numbers of what was written since they were last forgotten.
    pub(super) fn numbers(&self) -> BTreeSet<u64> {
        self.numbers.clone()
    }

    /// From now on only what is written later counts.
    pub(super) fn forget(&mut self) {
        self.numbers.clear();
    }
}

/// The number of a numbered message.
pub(super) fn number_of(text: &str) -> Option<u64> {
    text.strip_prefix('m')?.get(..6)?.parse().ok()
}
