//! Finds out whether a world is ready: the api answers, and in a demo each marketplace has a chat in the queue.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::run_file::Login;

const POLL: Duration = Duration::from_millis(50);
const REQUEST: Duration = Duration::from_secs(5);
/// Sign-ins are counted: not so often.
const BETWEEN_LOGINS: Duration = Duration::from_secs(1);
const WITHIN: Duration = Duration::from_secs(120);
const MARKETPLACES: [&str; 3] = ["ozon", "wildberries", "yandex_market"];

/// Asks the processes of one world over HTTP.
#[derive(Debug)]
pub struct Asker {
    client: Client,
    deadline: Instant,
}

impl Asker {
    /// An asker that gives up two minutes from now.
    pub fn new() -> Result<Self> {
        // The client insists on a provider although nothing here is encrypted; a second call finds one there.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let client = Client::builder().no_proxy().timeout(REQUEST).build()?;
        Ok(Self {
            client,
            deadline: Instant::now() + WITHIN,
        })
    }

    /// Waits until this address answers 200.
    pub async fn answers(&self, url: &str) -> Result<()> {
        loop {
            let said = match self.client.get(url).send().await {
                Ok(answer) if answer.status() == StatusCode::OK => return Ok(()),
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(_) => "nothing".to_owned(),
            };
            self.wait(POLL, || format!("{url} answers {said}")).await?;
        }
    }

    /// Waits until somebody finds a chat of each marketplace in the queue.
    pub async fn chats_queue(&self, api: &str, login: &Login) -> Result<()> {
        let token = self.sign_in(api, login).await?;
        for marketplace in MARKETPLACES {
            let url = format!("{api}/api/chats?marketplace={marketplace}&limit=1");
            while !self.has_chat(&url, &token).await {
                let why = || format!("no chat of {marketplace} is in the queue");
                self.wait(POLL, why).await?;
            }
        }
        Ok(())
    }

    async fn sign_in(&self, api: &str, login: &Login) -> Result<String> {
        #[derive(Deserialize)]
        struct SignedIn {
            access_token: String,
        }
        let url = format!("{api}/api/v1/auth/login");
        let body = json!({"email": login.email, "password": login.password});
        loop {
            let said = match self.client.post(&url).json(&body).send().await {
                Ok(answer) if answer.status() == StatusCode::OK => {
                    let signed_in: SignedIn =
                        answer.json().await.context("the answer to a sign-in")?;
                    return Ok(signed_in.access_token);
                }
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(_) => "nothing".to_owned(),
            };
            let why = || format!("{} cannot sign in: {said}", login.email);
            self.wait(BETWEEN_LOGINS, why).await?;
        }
    }

    async fn has_chat(&self, url: &str, token: &str) -> bool {
        let Ok(answer) = self.client.get(url).bearer_auth(token).send().await else {
            return false;
        };
        let list: Value = answer.json().await.unwrap_or_default();
        list["chats"]
            .as_array()
            .is_some_and(|chats| !chats.is_empty())
    }

    async fn wait(&self, pause: Duration, why: impl Fn() -> String) -> Result<()> {
        if Instant::now() + pause > self.deadline {
            bail!("not ready after {} s: {}", WITHIN.as_secs(), why());
        }
        sleep(pause).await;
        Ok(())
    }
}
