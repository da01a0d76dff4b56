//! The sandbox: shops are opened, buyers write, faults begin and end, and its journal tells what happened.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chrono::TimeDelta;
use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

/// The names of the marketplaces.
pub const MARKETPLACES: [&str; 3] = ["ozon", "wildberries", "yandex_market"];

/// The sandbox's control interface.
#[derive(Clone, Debug)]
pub struct Outside {
    url: String,
    client: Client,
}

/// A shop with what opens it.
#[derive(Clone, Debug)]
pub struct Shop {
    pub marketplace: &'static str,
    /// Client id, business id or supplier id.
    pub seller: String,
    pub api_key: String,
}

/// Where a message went.
#[derive(Clone, Debug, Deserialize)]
pub struct Written {
    pub chat: String,
    pub message: String,
}

/// A line of the journal.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    pub seq: u64,
    pub kind: String,
    /// Missing for a request to the language model.
    pub marketplace: Option<String>,
    pub seller: Option<String>,
    pub chat: Option<String>,
    pub message: Option<String>,
    pub text: Option<String>,
    pub path: Option<String>,
    pub status: Option<u16>,
}

#[derive(Deserialize)]
struct Journal {
    entries: Vec<Entry>,
}

impl Outside {
    /// The sandbox on a port.
    pub fn new(port: u16) -> Result<Self> {
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            client: super::client(Duration::from_secs(60))?,
        })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until it answers.
    pub async fn wait_until_up(&self, within: Duration) -> Result<()> {
        let began = Instant::now();
        while self.get("/control/journal?after=999999999").await.is_err() {
            if began.elapsed() > within {
                bail!("the sandbox does not answer");
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Opens a shop with every right.
    pub async fn open_shop(&self, marketplace: &'static str, name: &str) -> Result<Shop> {
        let body = json!({"marketplace": marketplace, "name": name});
        shop_of(&self.post("/control/shops", &body).await?)
    }

    /// The marketplace takes another key of a shop from now on: the one given.
    pub async fn change_key(&self, shop: &Shop) -> Result<()> {
        let body = json!({
            "marketplace": shop.marketplace, "seller": shop.seller, "api_key": shop.api_key,
        });
        self.post("/control/shops", &body).await.map(drop)
    }

    /// Opens many shops, of the three marketplaces in turn.
    pub async fn open_shops(&self, shops: usize) -> Result<Vec<Shop>> {
        let answer = self.post("/control/seed", &json!({"shops": shops})).await?;
        let shops = answer["shops"].as_array().context("no shops")?;
        shops.iter().map(shop_of).collect()
    }

    /// A buyer writes; without a chat a new one begins.
    pub async fn buyer_writes(
        &self,
        shop: &Shop,
        chat: Option<&str>,
        text: &str,
    ) -> Result<Written> {
        let body = json!({
            "marketplace": shop.marketplace, "seller": shop.seller, "chat": chat, "text": text,
        });
        Ok(serde_json::from_value(
            self.post("/control/buyers/write", &body).await?,
        )?)
    }

    /// Somebody answers in the marketplace's own cabinet.
    pub async fn cabinet_writes(
        &self,
        marketplace: &str,
        chat: &str,
        text: &str,
    ) -> Result<Written> {
        let body = json!({"marketplace": marketplace, "chat": chat, "text": text});
        Ok(serde_json::from_value(
            self.post("/control/cabinet/write", &body).await?,
        )?)
    }

    /// Moves the sandbox's clock ahead.
    pub async fn advance(&self, by: TimeDelta) -> Result<()> {
        let body = json!({"advance_ms": by.num_milliseconds()});
        self.post("/control/clock", &body).await.map(drop)
    }

    /// Puts a fault into force.
    pub async fn fault(&self, fault: &Value) -> Result<()> {
        self.post("/control/faults", fault).await.map(drop)
    }

    /// Takes all faults out of force.
    pub async fn clear_faults(&self) -> Result<()> {
        self.fault(&json!({"kind": "clear"})).await
    }

    /// What happened after an entry.
    pub async fn journal(&self, after: u64) -> Result<Vec<Entry>> {
        let answer = self.get(&format!("/control/journal?after={after}")).await?;
        Ok(serde_json::from_str::<Journal>(&answer)?.entries)
    }

    async fn get(&self, path: &str) -> Result<String> {
        let answer = self
            .client
            .get(format!("{}{path}", self.url))
            .send()
            .await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.client.post(format!("{}{path}", self.url)).json(body);
        let answer = request.send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        if !status.is_success() {
            bail!("{path}: {status} {body}");
        }
        Ok(body)
    }
}

fn shop_of(shop: &Value) -> Result<Shop> {
    let text = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .context("a shop without its key")
    };
    let is_it = |name: &&str| shop["marketplace"] == **name;
    Ok(Shop {
        marketplace: MARKETPLACES
            .into_iter()
            .find(is_it)
            .context("a shop of no marketplace")?,
        seller: text(&shop["seller"])?,
        api_key: text(&shop["credentials"]["api_key"])?,
    })
}
