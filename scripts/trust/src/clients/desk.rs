//! The desk's API as an agent's program uses it: every request is tried again until it is answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::outside::Shop;

const OWNER: (&str, &str) = ("owner@demo.test", "demo-password-1");
/// How long a request is tried again.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);
const FEED_LASTS: Duration = Duration::from_hours(2);

/// An owner of the tenant `demo`.
#[derive(Debug)]
pub struct Desk {
    url: String,
    client: Client,
    token: RwLock<Option<String>>,
    in_flight: AtomicU64,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Desk {
    /// The api on a port.
    pub fn new(port: u16) -> Result<Self> {
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            client: super::client(Duration::from_secs(15))?,
            token: RwLock::new(None),
            in_flight: AtomicU64::new(0),
        })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until it answers.
    pub async fn wait_until_up(&self, within: Duration) -> Result<()> {
        let began = Instant::now();
        let is_up = async || {
            let answer = self.client.get(format!("{}/ready", self.url)).send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
        };
        while !is_up().await {
            if began.elapsed() > within {
                bail!("the api is not ready");
            }
            sleep(Duration::from_millis(30)).await;
        }
        Ok(())
    }

    /// Signs in.
    pub async fn sign_in(&self) -> Result<()> {
        let body = json!({"email": OWNER.0, "password": OWNER.1});
        let answer = self
            .ask(Method::POST, "/api/v1/auth/login", Some(&body))
            .await?;
        let token = answer.body["access_token"].as_str();
        let token =
            token.ok_or_else(|| anyhow!("no sign-in: {} {}", answer.status, answer.body))?;
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = Some(token.to_owned());
        Ok(())
    }

    /// The token of the last sign-in.
    pub fn token(&self) -> Option<String> {
        let token = self.token.read().unwrap_or_else(PoisonError::into_inner);
        token.clone()
    }

    /// Opens the live feed behind an event, for as long as a figure may take.
    pub async fn open_feed(&self, after: Option<&str>) -> Result<Response> {
        let mut request = self.client.get(format!("{}/api/events", self.url));
        request = request.timeout(FEED_LASTS);
        if let Some(after) = after {
            request = request.header("Last-Event-ID", after);
        }
        let request = request.bearer_auth(self.token().context("nobody signed in")?);
        Ok(request.send().await?.error_for_status()?)
    }

    /// Connects a shop.
    pub async fn connect(&self, shop: &Shop) -> Result<()> {
        let client_id = (shop.marketplace != "wildberries").then_some(&shop.seller);
        let body = json!({
            "name": format!("{} {}", shop.marketplace, shop.seller), "marketplace": shop.marketplace,
            "client_id": client_id, "api_key": shop.api_key,
        });
        let answer = self
            .ask(Method::POST, "/api/sellers?probe=false", Some(&body))
            .await?;
        // Tried again after an answer that got lost, it is there already.
        if matches!(answer.status, StatusCode::CREATED | StatusCode::CONFLICT) {
            return Ok(());
        }
        bail!("a shop is not connected: {} {}", answer.status, answer.body)
    }

    /// The thread of a chat as the api gives it, oldest message first.
    pub async fn thread(&self, chat: u64) -> Result<Vec<Value>> {
        let mut thread: Vec<Value> = Vec::new();
        let mut older = String::new();
        loop {
            let path = format!("/api/messages/chat/{chat}?limit=100{older}");
            let answer = self.ask(Method::GET, &path, None).await?;
            let page = answer.body["messages"].as_array();
            let mut page = page
                .with_context(|| format!("{path}: {} {}", answer.status, answer.body))?
                .clone();
            page.append(&mut thread);
            thread = page;
            match answer.body["next_cursor"].as_str() {
                Some(cursor) => older = format!("&cursor={cursor}"),
                None => return Ok(thread),
            }
        }
    }

    /// Asks until something other than *later* is answered.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let began = Instant::now();
        loop {
            let answer = self.try_once(method.clone(), path, body).await;
            match answer {
                Some(answer) if !is_later(answer.status) => return Ok(answer),
                other if began.elapsed() > PATIENCE => bail!("{path} is never answered: {other:?}"),
                _ => sleep(PAUSE).await,
            }
        }
    }

    /// Asks once; none if no answer came.
    pub async fn try_once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Option<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(token) = self.token() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let answer = exchange(request).await;
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    /// Requests that wait for an answer now.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

async fn exchange(request: RequestBuilder) -> Option<Answer> {
    let answer = request.send().await.ok()?;
    let status = answer.status();
    let text = answer.text().await.ok()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Some(Answer { status, body })
}

fn is_later(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
