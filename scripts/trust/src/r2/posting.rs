//! The agents: they post replies until they are taken, and note what was taken.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::json;
use tokio::time::{sleep, sleep_until};

use super::script::{self, Beside, Line};
use crate::clients::outside::{MARKETPLACES, Shop};
use crate::figure::say;
use crate::stage::Stage;

/// The first import is to be over after this.
const IMPORTED_WITHIN: Duration = Duration::from_secs(60);

/// A chat that can be answered.
#[derive(Clone, Debug)]
pub(super) struct Chat {
    shop: Shop,
    /// Its id at the marketplace.
    external: String,
    /// Its id here.
    id: u64,
}

/// A reply that the api took.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    pub(super) marketplace: &'static str,
    pub(super) chat: String,
    pub(super) text: String,
    pub(super) client_message_id: String,
    /// The twins that somebody wrote in the cabinet beside it, by their ids.
    pub(super) twins: Vec<String>,
}

/// Everybody who replies.
#[derive(Debug)]
pub(super) struct Agents {
    chats: Vec<Chat>,
    rng: StdRng,
    /// The number of the next line.
    next: u64,
}

impl Agents {
    /// Opens and connects the shops, and waits until their chats are there.
    pub(super) async fn open(
        stage: &Stage,
        rng: StdRng,
        sizes: [(usize, usize); 3],
    ) -> Result<Self> {
        let (mut shops, mut places) = (Vec::new(), Vec::new());
        for (marketplace, (count, chats)) in MARKETPLACES.into_iter().zip(sizes) {
            for number in 0..count {
                let name = format!("R2 {number}");
                let shop = stage.outside.open_shop(marketplace, &name).await?;
                for chat in 0..chats {
                    let text = format!("Вопрос {chat}: где заказ?");
                    let written = stage.outside.buyer_writes(&shop, None, &text).await?;
                    places.push((shop.clone(), written.chat));
                }
                shops.push(shop);
            }
        }
        let connecting = stream::iter(&shops).map(|shop| stage.desk.connect(shop));
        connecting.buffer_unordered(4).try_collect::<()>().await?;
        let chats = imported(stage, places).await?;
        say(&format!("{} chats are there", chats.len()));
        Ok(Self {
            chats,
            rng,
            next: 1,
        })
    }

    /// Makes lines that come to so many replies.
    pub(super) fn learn(&mut self, replies: usize, window: Duration) -> Vec<Line> {
        let lines = script::learn(&mut self.rng, self.next, self.chats.len(), replies, window);
        self.next += lines.len() as u64;
        lines
    }

    /// Posts the lines, those of one chat one after the other.
    pub(super) async fn post(&self, stage: &Stage, lines: &[Line]) -> Result<Vec<Posted>> {
        let began = Instant::now();
        let chats = self
            .chats
            .iter()
            .enumerate()
            .map(|(place, chat)| async move {
                let mut posted = Vec::new();
                for line in lines.iter().filter(|line| line.chat == place) {
                    sleep_until((began + line.at).into()).await;
                    posted.extend(play(stage, chat, line).await?);
                }
                Ok::<_, anyhow::Error>(posted)
            });
        let posted: Vec<_> = stream::iter(chats)
            .buffer_unordered(self.chats.len())
            .try_collect()
            .await?;
        Ok(posted.into_iter().flatten().collect())
    }
}

/// The chats with their ids here, once all of them are imported.
async fn imported(stage: &Stage, places: Vec<(Shop, String)>) -> Result<Vec<Chat>> {
    let began = Instant::now();
    loop {
        let rows = stage
            .truth
            .rows("SELECT channel, external_id, id FROM chats")
            .await?;
        let id_of = |shop: &Shop, external: &str| -> Option<u64> {
            let is_it = |column, value: &str, row: &tokio_postgres::SimpleQueryRow| {
                row.get(column) == Some(value)
            };
            let row = rows
                .iter()
                .find(|row| is_it(0, shop.marketplace, row) && is_it(1, external, row))?;
            row.get(2)?.parse().ok()
        };
        let chats: Vec<Chat> = places
            .iter()
            .filter_map(|(shop, external)| {
                let id = id_of(shop, external)?;
                Some(Chat {
                    shop: shop.clone(),
                    external: external.clone(),
                    id,
                })
            })
            .collect();
        if chats.len() == places.len() {
            return Ok(chats);
        }
        if began.elapsed() > IMPORTED_WITHIN {
            bail!(
                "only {} of {} chats were imported",
                chats.len(),
                places.len()
            );
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Posts one line as often as it says, and does what happens beside it.
async fn play(stage: &Stage, chat: &Chat, line: &Line) -> Result<Vec<Posted>> {
    let mut twins = before(stage, chat, line).await?;
    let mut posted = Vec::new();
    for time in 0..line.times {
        let number = line.text.get(..7).context("a line without its number")?;
        let name = format!("{number}-{time}");
        post(stage, chat, &line.text, &name).await?;
        posted.push(Posted {
            marketplace: chat.shop.marketplace,
            chat: chat.external.clone(),
            text: line.text.clone(),
            client_message_id: name,
            twins: Vec::new(),
        });
    }
    twins.extend(after(stage, chat, line).await?);
    if let Some(first) = posted.first_mut() {
        first.twins = twins;
    }
    Ok(posted)
}

/// What happens just before a line is posted; the id of a twin, if one was written.
async fn before(stage: &Stage, chat: &Chat, line: &Line) -> Result<Vec<String>> {
    match line.beside {
        Beside::TwinBefore => Ok(vec![in_cabinet(stage, chat, &line.text).await?]),
        Beside::Buyer => {
            let text = "Ну что там?";
            let external = Some(chat.external.as_str());
            stage
                .outside
                .buyer_writes(&chat.shop, external, text)
                .await?;
            Ok(Vec::new())
        }
        Beside::Nothing | Beside::Twin(_) | Beside::Other(_) => Ok(Vec::new()),
    }
}

/// What happens a while after it was posted; the id of a twin, if one was written.
async fn after(stage: &Stage, chat: &Chat, line: &Line) -> Result<Vec<String>> {
    match line.beside {
        Beside::Twin(later) => {
            sleep(later).await;
            Ok(vec![in_cabinet(stage, chat, &line.text).await?])
        }
        Beside::Other(later) => {
            sleep(later).await;
            in_cabinet(stage, chat, "Ответили из кабинета").await?;
            Ok(Vec::new())
        }
        Beside::Nothing | Beside::TwinBefore | Beside::Buyer => Ok(Vec::new()),
    }
}

async fn in_cabinet(stage: &Stage, chat: &Chat, text: &str) -> Result<String> {
    let (market, external) = (chat.shop.marketplace, &chat.external);
    let written = stage.outside.cabinet_writes(market, external, text).await?;
    Ok(written.message)
}

async fn post(stage: &Stage, chat: &Chat, text: &str, name: &str) -> Result<()> {
    let body = json!({"chat_id": chat.id, "text": text, "client_message_id": name});
    let answer = stage
        .desk
        .ask(Method::POST, "/api/messages", Some(&body))
        .await?;
    if !answer.status.is_success() {
        bail!("a reply was not taken: {} {}", answer.status, answer.body);
    }
    Ok(())
}
