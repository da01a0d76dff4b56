//! Somebody who goes through every door and keeps each answer.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::canaries::Canaries;
use super::places::Kind;
use crate::clients::outside::{MARKETPLACES, Shop};
use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(20);

/// The visitor.
#[derive(Debug)]
pub(super) struct Visitor<'a> {
    stage: &'a Stage,
    client: Client,
    token: Option<String>,
    heard: Vec<(String, Kind, Vec<u8>)>,
    shop: Option<i64>,
    /// Doors that did not open as they should.
    pub(super) missed: Vec<String>,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(stage: &'a Stage) -> Self {
        Self {
            stage,
            client: Client::builder()
                .no_proxy()
                .timeout(PATIENCE)
                .build()
                .unwrap_or_default(),
            token: stage.desk.token(),
            heard: Vec::new(),
            shop: None,
            missed: Vec::new(),
        }
    }

    /// Goes through all of them.
    pub(super) async fn go_through(&mut self, canaries: &mut Canaries) -> Result<()> {
        let owner = self.token.clone();
        self.sign_in(canaries).await?;
        self.token = owner;
        let shops = self.connect_shops(canaries).await?;
        self.converse(canaries, &shops).await?;
        self.break_things(&shops).await?;
        for path in [
            "/api/sellers",
            "/api/chats",
            "/api/v1/users/me",
            "/ready",
            "/health",
        ] {
            self.ask(Method::GET, path, None, 200).await?;
        }
        // Only operators see which models there are.
        self.ask(Method::GET, "/api/settings/llm", None, 403)
            .await?;
        Ok(())
    }

    /// Answers heard.
    pub(super) fn answers(&self) -> usize {
        self.heard.len()
    }

    /// What was heard, where.
    pub(super) fn heard(&self) -> Vec<(String, Kind, Vec<u8>)> {
        self.heard.clone()
    }

    /// Reads without keeping.
    pub(super) async fn look(&self, path: &str) -> Result<Vec<u8>> {
        let url = format!("{}{path}", self.stage.desk.url());
        Ok(self.client.get(url).send().await?.bytes().await?.to_vec())
    }

    /// The planted defect: a name is shown everywhere.
    pub(super) async fn call_a_shop_like_its_key(&mut self, canaries: &Canaries) -> Result<()> {
        let shop = self.shop.context("no shop was connected")?;
        let body = json!({"name": canaries.key_of_a_shop});
        let path = format!("/api/sellers/{shop}");
        self.ask(Method::PATCH, &path, Some(&body), 200).await?;
        Ok(())
    }

    /// Registers, signs in with right and wrong passwords, renews and ends the session, twice.
    async fn sign_in(&mut self, canaries: &mut Canaries) -> Result<()> {
        self.token = None;
        let body =
            json!({"email": canaries.email, "username": "canary", "password": canaries.password});
        let tokens = self
            .ask(Method::POST, "/api/v1/auth/register", Some(&body), 201)
            .await?;
        note_tokens(canaries, "registration", &tokens);
        let body = json!({"email": canaries.email, "password": canaries.wrong_password});
        self.ask(Method::POST, "/api/v1/auth/login", Some(&body), 401)
            .await?;
        let body = json!({"email": canaries.email, "password": canaries.password});
        let tokens = self
            .ask(Method::POST, "/api/v1/auth/login", Some(&body), 200)
            .await?;
        note_tokens(canaries, "sign-in", &tokens);
        let refresh = json!({"refresh_token": tokens["refresh_token"]});
        let tokens = self
            .ask(Method::POST, "/api/v1/auth/refresh", Some(&refresh), 200)
            .await?;
        note_tokens(canaries, "renewal", &tokens);
        let wrong = json!({"refresh_token": canaries.wrong_password});
        self.ask(Method::POST, "/api/v1/auth/refresh", Some(&wrong), 401)
            .await?;
        self.token = tokens["access_token"].as_str().map(str::to_owned);
        self.ask(Method::GET, "/api/v1/users/me", None, 200).await?;
        // Forbidden to her, missing, and wrong: the answers quote what was sent at most in parts.
        self.ask(Method::GET, "/api/chats/999999999", None, 404)
            .await?;
        let broken = json!({"email": canaries.email, "password": canaries.password, "secret": canaries.wrong_key});
        self.ask(Method::POST, "/api/v1/auth/login", Some(&broken), 422)
            .await?;
        let refresh = json!({"refresh_token": tokens["refresh_token"]});
        self.ask(Method::POST, "/api/v1/auth/logout", Some(&refresh), 200)
            .await?;
        Ok(())
    }

    /// A shop of each marketplace, and one with keys that the marketplace refuses.
    async fn connect_shops(&mut self, canaries: &mut Canaries) -> Result<Vec<Shop>> {
        let mut shops = Vec::new();
        for marketplace in MARKETPLACES {
            let mut shop = self.stage.outside.open_shop(marketplace, "S6").await?;
            if marketplace == "ozon" {
                shop.api_key.clone_from(&canaries.key_of_a_shop);
                self.stage.outside.change_key(&shop).await?;
            } else {
                canaries.add_key(&format!("key of {marketplace}"), &shop.api_key);
            }
            let wrong = Shop {
                api_key: canaries.wrong_key.clone(),
                ..shop.clone()
            };
            let probed = "/api/sellers?probe=true";
            self.refused(Method::POST, probed, &opened(&wrong)).await?;
            let answer = self
                .ask(Method::POST, probed, Some(&opened(&shop)), 201)
                .await?;
            let id = answer["id"].as_i64().context("a shop without its id")?;
            self.shop = self.shop.or(Some(id));
            let path = format!("/api/sellers/{id}");
            let body = json!({"api_key": canaries.wrong_key});
            self.refused(Method::PATCH, &path, &body).await?;
            let body = json!({"api_key": shop.api_key});
            self.ask(Method::PATCH, &path, Some(&body), 200).await?;
            let path = format!("{path}/sync");
            self.refused_or_taken(Method::POST, &path).await?;
            shops.push(shop);
        }
        Ok(shops)
    }

    /// Buyers write, the model drafts, an agent answers.
    async fn converse(&mut self, canaries: &Canaries, shops: &[Shop]) -> Result<()> {
        for shop in shops {
            self.stage
                .outside
                .buyer_writes(shop, None, &canaries.text)
                .await?;
        }
        let sellers: Vec<String> = shops
            .iter()
            .map(|shop| format!("'{}'", shop.seller))
            .collect();
        let chats = format!(
            "SELECT chats.id FROM chats JOIN sellers ON sellers.tenant_id = chats.tenant_id \
                 AND sellers.id = seller_id WHERE account_id IN ({})",
            sellers.join(",")
        );
        let chats = self.wait_for(&chats, shops.len()).await?;
        for chat in &chats {
            for (path, status) in [
                (format!("/api/chats/{chat}"), 200),
                (format!("/api/messages/chat/{chat}"), 200),
                (format!("/api/chats/{chat}/suggestions"), 200),
                (format!("/api/chats/{chat}/deadline"), 200),
            ] {
                self.ask(Method::GET, &path, None, status).await?;
            }
            let path = format!("/api/chats/{chat}/analyze");
            self.refused_or_taken(Method::POST, &path).await?;
            let body = json!({"chat_id": chat.parse::<i64>()?, "text": canaries.reply, "send_anyway": true});
            self.ask(Method::POST, "/api/messages", Some(&body), 201)
                .await?;
        }
        let sent = "SELECT id FROM messages WHERE direction = 'outgoing' AND state = 'sent' \
                    AND text LIKE 'Ответ канарейке%'";
        self.wait_for(sent, shops.len()).await?;
        let asked = self.stage.outside.journal(0).await?;
        if !asked.iter().any(|entry| entry.kind == "llm") {
            self.missed.push("the model was not asked".to_owned());
        }
        Ok(())
    }

    /// Marketplaces fail and refuse, and the shops are polled meanwhile.
    async fn break_things(&mut self, shops: &[Shop]) -> Result<()> {
        for (kind, value) in [("status", 500), ("status", 401), ("truncate", 0)] {
            for target in MARKETPLACES {
                let fault =
                    json!({"target": target, "kind": kind, "value": value, "probability": 1.0});
                self.stage.outside.fault(&fault).await?;
            }
            let due =
                "UPDATE sellers SET next_sync_at = 'epoch', probe_at = 'epoch', sync_error = NULL";
            self.stage.truth.run(due).await?;
            let failed = "SELECT id FROM sellers WHERE sync_error IS NOT NULL";
            self.wait_for(failed, shops.len()).await?;
            self.ask(Method::GET, "/api/sellers", None, 200).await?;
            self.stage.outside.clear_faults().await?;
        }
        Ok(())
    }

    /// The first column of so many rows, once they are there; as many as there are in the end.
    async fn wait_for(&mut self, sql: &str, rows: usize) -> Result<Vec<String>> {
        let began = Instant::now();
        loop {
            let found = self.stage.truth.rows(sql).await?;
            let is_over = began.elapsed() > PATIENCE;
            if found.len() >= rows || is_over {
                if is_over {
                    self.missed
                        .push(format!("{} of {rows}: {sql}", found.len()));
                }
                let column = found.iter().filter_map(|row| row.get(0));
                return Ok(column.map(str::to_owned).collect());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn refused(&mut self, method: Method, path: &str, body: &Value) -> Result<()> {
        let (status, _) = self.exchange(method, path, Some(body)).await?;
        if !(400..500).contains(&status) {
            self.missed.push(format!("{path}: {status}, not refused"));
        }
        Ok(())
    }

    async fn refused_or_taken(&mut self, method: Method, path: &str) -> Result<()> {
        let (status, _) = self.exchange(method, path, None).await?;
        if status >= 500 {
            self.missed.push(format!("{path}: {status}"));
        }
        Ok(())
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        wanted: u16,
    ) -> Result<Value> {
        let (status, answer) = self.exchange(method, path, body).await?;
        if status != wanted {
            self.missed.push(format!("{path}: {status}, not {wanted}"));
        }
        Ok(answer)
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value)> {
        let url = format!("{}{path}", self.stage.desk.url());
        let mut request = self.client.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let mut bytes = Vec::new();
        for (name, value) in answer.headers() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(b'\n');
        }
        let text = answer.bytes().await?;
        bytes.extend_from_slice(&text);
        let is_sign_in = path.starts_with("/api/v1/auth/") && status < 300;
        let kind = if is_sign_in {
            Kind::SignIn
        } else {
            Kind::Answer
        };
        self.heard.push((path.to_owned(), kind, bytes));
        Ok((status, serde_json::from_slice(&text).unwrap_or_default()))
    }
}

fn note_tokens(canaries: &mut Canaries, of: &str, tokens: &Value) {
    for name in ["access_token", "refresh_token"] {
        if let Some(token) = tokens[name].as_str() {
            canaries.add_token(&format!("{name} of a {of}"), token);
        }
    }
}

/// What connects a shop.
fn opened(shop: &Shop) -> Value {
    let client_id = (shop.marketplace != "wildberries").then_some(&shop.seller);
    json!({
        "name": format!("S6 {}", shop.marketplace), "marketplace": shop.marketplace,
        "client_id": client_id, "api_key": shop.api_key,
    })
}
