//! The buyers, who write in new and old chats, and the agents, who answer some of them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use super::feed::Chat;
use crate::clients::outside::{MARKETPLACES, Shop};
use crate::stage::Stage;

/// What the hurried write: the rule for them is shorter.
pub(super) const URGENT: &str = "срочно";
const PATIENCE: Duration = Duration::from_secs(20);
/// Of so many chats one is answered.
const ONE_OF: usize = 3;

/// A chat in which somebody wrote.
#[derive(Clone, Debug)]
struct Place {
    shop: usize,
    id: String,
}

/// Everybody who writes.
#[derive(Debug)]
pub(super) struct Buyers {
    shops: Vec<Shop>,
    /// Those who wrote in this round.
    fresh: Vec<Place>,
    /// Those who got an answer and may write again.
    answered: Vec<Place>,
    chats: BTreeSet<Chat>,
    written: u64,
    answers: u64,
}

impl Buyers {
    /// Opens the shops, connects them and has them polled once.
    pub(super) async fn open(stage: &Stage, per_marketplace: usize) -> Result<Self> {
        set_rules(stage).await?;
        let mut shops = Vec::new();
        for number in 0..per_marketplace {
            for marketplace in MARKETPLACES {
                let name = format!("R9 {number}");
                let shop = stage.outside.open_shop(marketplace, &name).await?;
                stage.desk.connect(&shop).await?;
                shops.push(shop);
            }
        }
        let polled = format!(
            "SELECT count(*) FROM sellers WHERE last_sync_at IS NOT NULL AND account_id IN ({})",
            list(shops.iter().map(|shop| shop.seller.as_str()))
        );
        let began = Instant::now();
        while stage.truth.count(&polled).await? < shops.len() as u64 {
            ensure!(
                began.elapsed() < PATIENCE,
                "not all shops could be polled at the beginning"
            );
            sleep(Duration::from_millis(100)).await;
        }
        Ok(Self {
            shops,
            fresh: Vec::new(),
            answered: Vec::new(),
            chats: BTreeSet::new(),
            written: 0,
            answers: 0,
        })
    }

    /// The chats in which was written.
    pub(super) fn chats(&self) -> BTreeSet<Chat> {
        self.chats.clone()
    }

    /// How often an agent answered.
    pub(super) fn answers(&self) -> u64 {
        self.answers
    }

    /// From now on only what is written later counts.
    pub(super) fn forget(&mut self) {
        self.chats.clear();
        self.answered.clear();
        self.fresh.clear();
    }

    /// In each shop some write for the first time, and everybody who got an answer writes again.
    pub(super) async fn write(&mut self, stage: &Stage, chats_per_shop: usize) -> Result<()> {
        self.fresh.clear();
        for place in std::mem::take(&mut self.answered) {
            self.say(stage, place.shop, Some(place.id)).await?;
        }
        for shop in 0..self.shops.len() {
            for _ in 0..chats_per_shop {
                self.say(stage, shop, None).await?;
            }
        }
        Ok(())
    }

    async fn say(&mut self, stage: &Stage, shop: usize, chat: Option<String>) -> Result<()> {
        self.written += 1;
        let word = if self.written.is_multiple_of(3) {
            URGENT
        } else {
            "скажите"
        };
        let text = format!("c{:06} {word}, где заказ?", self.written);
        let at = &self.shops[shop];
        let written = stage
            .outside
            .buyer_writes(at, chat.as_deref(), &text)
            .await?;
        self.chats
            .insert((at.marketplace.to_owned(), written.chat.clone()));
        self.fresh.push(Place {
            shop,
            id: written.chat,
        });
        Ok(())
    }

    /// How many messages of all that was written are not stored.
    pub(super) async fn not_stored(&self, stage: &Stage) -> Result<u64> {
        let stored = stage
            .truth
            .count("SELECT count(DISTINCT text) FROM messages WHERE text ~ '^c[0-9]{6} '")
            .await?;
        Ok(self.written.saturating_sub(stored))
    }

    /// Some of those who just wrote get an answer, as far as the desk knows of them.
    pub(super) async fn are_answered(&mut self, stage: &Stage) -> Result<()> {
        let known = stage
            .truth
            .rows("SELECT channel, external_id, id FROM chats WHERE status = 'open'")
            .await?;
        for place in self.fresh.iter().step_by(ONE_OF) {
            let market = self.shops[place.shop].marketplace;
            let row = known
                .iter()
                .find(|row| row.get(0) == Some(market) && row.get(1) == Some(&*place.id));
            let Some(id) = row.and_then(|row| row.get(2)?.parse::<u64>().ok()) else {
                continue;
            };
            let body = json!({"chat_id": id, "text": "Уже в пути", "send_anyway": true});
            let answer = stage
                .desk
                .ask(Method::POST, "/api/messages", Some(&body))
                .await?;
            if !answer.status.is_success() {
                bail!("a reply was not taken: {} {}", answer.status, answer.body);
            }
            self.answers += 1;
            self.answered.push(place.clone());
        }
        self.wait_until_sent(stage).await
    }

    async fn wait_until_sent(&self, stage: &Stage) -> Result<()> {
        // The echo tells when the answer was given by the marketplace's clock.
        let unsent = "SELECT count(*) FROM messages WHERE direction = 'outgoing' \
                      AND text = 'Уже в пути' AND (state <> 'sent' OR external_id IS NULL)";
        let began = Instant::now();
        while stage.truth.count(unsent).await? > 0 {
            if began.elapsed() > PATIENCE {
                bail!("answers are not sent and shown");
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

/// Two rules over hours that close in the night on which the clocks change.
async fn set_rules(stage: &Stage) -> Result<()> {
    let day = json!([{"from": "00:00", "to": "02:00"}, {"from": "03:15", "to": "24:00"}]);
    let hours = json!({"name": "R9", "zone": "Europe/Berlin", "week": {
        "mon": day, "tue": day, "wed": day, "thu": day, "fri": day, "sat": day, "sun": day,
    }});
    let hours = ask(stage, "/api/business-hours", &hours).await?;
    let rule = |name: &str, keyword: Option<&str>, within: i64, at_risk: i64, priority: i64| {
        json!({
            "name": name, "keyword": keyword, "matches_everything": keyword.is_none(),
            "answer_within_s": within * 60, "at_risk_s": at_risk * 60, "priority": priority,
            "business_hours_id": hours,
        })
    };
    for rule in [
        rule("urgent", Some(URGENT), 40, 10, 2),
        rule("usual", None, 90, 60, 1),
    ] {
        ask(stage, "/api/sla-rules", &rule).await?;
    }
    Ok(())
}

async fn ask(stage: &Stage, path: &str, body: &serde_json::Value) -> Result<i64> {
    let answer = stage.desk.ask(Method::POST, path, Some(body)).await?;
    match answer.body["id"].as_i64() {
        Some(id) => Ok(id),
        None => bail!("{path}: {} {}", answer.status, answer.body),
    }
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.map(|text| format!("'{text}'")).collect();
    texts.join(",")
}
