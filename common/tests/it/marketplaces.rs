//! The connectors against fixtures from the marketplaces' own pages, and against the sandbox.

mod contract;
mod contract_faults;
mod gate;
mod ozon;
mod ozon_errors;
mod wildberries;
mod wildberries_errors;
mod world;
mod yandex_market;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use common::channel::Marketplace;
use common::clock::Clock;
use common::config::VendorConfig;
use common::marketplaces::{Marketplaces, SendOutcome, ShopAccess, TextSend};
use serde_json::{Value, json};
use tokio::time::Instant;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// A connector in front of a server that answers everything with one answer.
struct Shop {
    marketplace: Marketplace,
    connectors: Marketplaces,
    access: ShopAccess,
    server: MockServer,
}

impl Shop {
    async fn answering(marketplace: Marketplace, answer: ResponseTemplate) -> Self {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        Self {
            marketplace,
            connectors: connectors(&server.uri()),
            access: access(marketplace),
            server,
        }
    }

    async fn saying(marketplace: Marketplace, body: &str) -> Self {
        let answer = ResponseTemplate::new(200).set_body_raw(body, "application/json");
        Self::answering(marketplace, answer).await
    }

    fn connector(&self) -> &dyn common::marketplaces::Marketplace {
        self.connectors.get(self.marketplace)
    }

    async fn send(&self, text: &str) -> SendOutcome {
        self.connector()
            .send_text(&self.access, send("7001", text))
            .await
    }

    /// The one request that the server got.
    async fn request(&self) -> Request {
        let mut requests = self.server.received_requests().await.unwrap();
        assert_eq!(requests.len(), 1, "one method is one request");
        requests.remove(0)
    }

    async fn request_body(&self) -> Value {
        self.request().await.body_json().unwrap()
    }
}

fn connectors(base_url: &str) -> Marketplaces {
    let config = VendorConfig {
        ozon_base_url: format!("{base_url}/vendor"),
        wildberries_base_url: format!("{base_url}/vendor"),
        yandex_market_base_url: format!("{base_url}/vendor"),
    };
    Marketplaces::with_clock(&config, &Clock::default()).unwrap()
}

fn access(marketplace: Marketplace) -> ShopAccess {
    let key = match marketplace {
        Marketplace::Wildberries => token(&json!({ "sid": "seller-1", "s": 1 << 9 })),
        _ => "secret-key-of-the-shop".to_owned(),
    };
    ShopAccess {
        account_id: "4242".to_owned(),
        api_key: key.into(),
    }
}

fn send<'a>(chat: &'a str, text: &'a str) -> TextSend<'a> {
    TextSend {
        chat,
        text,
        reply_sign: Some("1:sign:abc"),
        release_before: Instant::now() + Duration::from_secs(10),
    }
}

/// A token of Wildberries: header, claims and a signature that nobody checks.
fn token(claims: &Value) -> String {
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("eyJhbGciOiJFUzI1NiJ9.{claims}.c2lnbmF0dXJl")
}

fn error(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

fn at(time: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(time).unwrap().to_utc()
}
