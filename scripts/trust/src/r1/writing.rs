//! The buyers: which shops there are, who writes where, and how much was written.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::{sleep, sleep_until};

use crate::blows::now;
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

/// The numbers of some messages.
pub(super) type Numbers = BTreeSet<u64>;

/// Between the two messages of a pair: less than a second, in which marketplaces count.
const PAIR: Duration = Duration::from_millis(400);

const LAST_PAIR: Duration = Duration::from_millis(800);

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
    numbers: Numbers,
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
            numbers: Numbers::new(),
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

    /// Writes so many messages within a window: alone, in bursts, and in pairs within a second.
    pub(super) async fn write(
        &mut self,
        stage: &Stage,
        messages: usize,
        window: Duration,
    ) -> Result<()> {
        let (began, before) = (Instant::now(), self.numbers.len());
        let all = messages.saturating_sub(before);
        let mut pairs: VecDeque<(Instant, usize)> = VecDeque::new();
        let mut done = 0;
        while done < all {
            let due = pairs.front().filter(|(at, _)| *at <= Instant::now());
            if let Some((_, chat)) = due.copied() {
                pairs.pop_front();
                self.say(stage, chat).await?;
                done += 1;
                continue;
            }
            let chat = self.rng.random_range(0..self.chats.len());
            let burst = if self.rng.random_bool(0.2) {
                self.rng.random_range(2..=8)
            } else {
                1
            };
            for _ in 0..burst.min(all - done) {
                self.say(stage, chat).await?;
                done += 1;
            }
            if burst == 1 && self.rng.random_bool(0.2) {
                pairs.push_back((Instant::now() + PAIR, chat));
            }
            sleep_until((began + window.mul_f64(done as f64 / all as f64)).into()).await;
        }
        self.write_last_pairs(stage).await
    }

    /// In every chat the last two messages come within one second of the clock, far apart: a list that is
    /// ahead shows both while the history has only the first, and no later message makes up for the second.
    async fn write_last_pairs(&mut self, stage: &Stage) -> Result<()> {
        let into_second = now().fract();
        sleep(Duration::from_secs_f64(1.0 - into_second)).await;
        for _ in 0..2 {
            let began = Instant::now();
            for chat in 0..self.chats.len() {
                self.say(stage, chat).await?;
            }
            sleep_until((began + LAST_PAIR).into()).await;
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

    /// From now on everybody writes in new chats: nothing makes up for what the old ones lost.
    pub(super) fn begin_new_chats(&mut self) {
        for chat in &mut self.chats {
            chat.id = None;
        }
    }

    /// The number that the next message gets.
    pub(super) fn next_number(&self) -> u64 {
        self.written + 1
    }

    /// The numbers of what was written; from now on only what is written later counts.
    pub(super) fn take_numbers(&mut self) -> Numbers {
        std::mem::take(&mut self.numbers)
    }
}

/// The number of a numbered message.
pub(super) fn number_of(text: &str) -> Option<u64> {
    text.strip_prefix('m')?.get(..6)?.parse().ok()
}
