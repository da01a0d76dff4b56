//! People who wait for something during an outage: buyers who write, agents who reply.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use crate::clients::outside::{MARKETPLACES, Shop};
use crate::figure::say;
use crate::stage::Stage;

const IMPORTED_WITHIN: Duration = Duration::from_secs(40);
/// A message sent twice is seen the second time within this.
const TWICE: Duration = Duration::from_millis(700);

/// Chats, each with a buyer and an agent.
#[derive(Debug)]
pub(super) struct People {
    chats: Vec<(Shop, String, u64)>,
    /// What buyers wrote, and what agents replied.
    said: Vec<String>,
    replied: Vec<String>,
}

impl People {
    /// Opens so many shops at each marketplace, connects them, and waits until a chat of each is there.
    pub(super) async fn open(stage: &Stage, per_marketplace: usize) -> Result<Self> {
        let mut places = Vec::new();
        for number in 0..per_marketplace {
            for marketplace in MARKETPLACES {
                let shop = stage
                    .outside
                    .open_shop(marketplace, &format!("R3 {number}"))
                    .await?;
                let written = stage.outside.buyer_writes(&shop, None, "b000000").await?;
                stage.desk.connect(&shop).await?;
                places.push((shop, written.chat));
            }
        }
        let mut chats = Vec::new();
        let began = Instant::now();
        for (shop, external) in places {
            let market = shop.marketplace;
            let sql = format!(
                "SELECT coalesce(max(id), 0) FROM chats WHERE channel = '{market}' AND external_id = '{external}'"
            );
            let id = loop {
                let id = stage.truth.count(&sql).await?;
                if id > 0 {
                    break id;
                }
                ensure!(began.elapsed() < IMPORTED_WITHIN, "not all chats came in");
                sleep(Duration::from_millis(100)).await;
            };
            chats.push((shop, external, id));
        }
        Ok(Self {
            chats,
            said: Vec::new(),
            replied: Vec::new(),
        })
    }

    /// In every chat the buyer writes and an agent replies.
    pub(super) async fn act(&mut self, stage: &Stage) -> Result<()> {
        for (shop, external, id) in &self.chats {
            let number = self.said.len() + 1;
            let text = format!("b{number:06} где заказ?");
            stage
                .outside
                .buyer_writes(shop, Some(external), &text)
                .await?;
            self.said.push(text);
            let text = format!("a{number:06} в пути");
            let body = json!({"chat_id": id, "text": text, "send_anyway": true, "client_message_id": text});
            let answer = stage
                .desk
                .ask(Method::POST, "/api/messages", Some(&body))
                .await?;
            if !answer.status.is_success() {
                bail!("a reply was not taken: {} {}", answer.status, answer.body);
            }
            self.replied.push(text);
        }
        Ok(())
    }

    /// Waits until all is done; how long that took, none if it was not.
    pub(super) async fn wait(&self, stage: &Stage, within: Duration) -> Result<Option<Duration>> {
        let (began, mut before) = (Instant::now(), 0);
        loop {
            let (undone, _) = self.count(stage).await?;
            if undone != before {
                let secs = began.elapsed().as_secs_f64();
                say(&format!("{undone} things to do after {secs:.1} s"));
                before = undone;
            }
            if undone == 0 {
                let took = began.elapsed();
                sleep(TWICE).await;
                return Ok(Some(took));
            }
            if began.elapsed() > within {
                return Ok(None);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// What is not stored or not sent, and what was stored or sent more than once.
    pub(super) async fn count(&self, stage: &Stage) -> Result<(u64, u64)> {
        let rows = stage
            .truth
            .rows("SELECT text FROM messages WHERE direction = 'incoming' AND text ~ '^b[0-9]{6} '")
            .await?;
        let stored: Vec<&str> = rows.iter().filter_map(|row| row.get(0)).collect();
        let journal = stage.outside.journal(0).await?;
        let sent: Vec<&str> = journal
            .iter()
            .filter(|entry| entry.kind == "received" && entry.status.is_some_and(|it| it < 300))
            .filter_map(|entry| entry.text.as_deref())
            .collect();
        let (mut undone, mut double) = (0, 0);
        for (wanted, seen) in [(&self.said, &stored), (&self.replied, &sent)] {
            for text in wanted {
                match seen.iter().filter(|it| **it == text.as_str()).count() {
                    0 => undone += 1,
                    1 => {}
                    _ => double += 1,
                }
            }
        }
        Ok((undone, double))
    }
}
