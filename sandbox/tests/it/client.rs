//! How does a client talk to a simulated marketplace?

use reqwest::header::HeaderMap;
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, RequestBuilder};
use sandbox::{Marketplace, Options, Sandbox, WriteRequest, Written};
use serde_json::{Value, json};

use crate::spec;

/// A world without chats.
pub(crate) async fn quiet_world() -> Sandbox {
    let options = Options {
        has_chats: false,
        ..Options::default()
    };
    Sandbox::start(options).await.expect("a world")
}

/// Writes from outside with every detail.
pub(crate) fn write_as(world: &Sandbox, request: Value) -> Written {
    let request: WriteRequest = serde_json::from_value(request).expect("a request");
    world.write(request).expect("written")
}

/// A plain client.
pub(crate) fn http() -> Client {
    // A test may start the sandbox as a process of its own: then nobody else has installed one.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().no_proxy().build().expect("a client")
}

/// A seller's client with the credentials of a shop.
#[derive(Clone, Debug)]
pub(crate) struct Seller {
    http: Client,
    base: String,
    pub(crate) market: Marketplace,
    pub(crate) shop: Value,
}

/// A complete answer, checked against the documents.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) json: Value,
}

impl Seller {
    /// The shop which a tenant has connected.
    pub(crate) fn of(world: &Sandbox, market: Marketplace, tenant: &str) -> Self {
        let state = world.state();
        let mut shops = state["shops"].as_array().expect("shops").iter();
        let shop = shops.find(|shop| {
            shop["marketplace"] == json!(market) && shop["connected_to"] == json!(tenant)
        });
        Self::with(world, market, shop.expect("a shop").clone())
    }

    /// A shop as the state shows it.
    pub(crate) fn with(world: &Sandbox, market: Marketplace, shop: Value) -> Self {
        Self {
            http: http(),
            base: world.base_url(market),
            market,
            shop,
        }
    }

    /// The seller's id.
    pub(crate) fn id(&self) -> &str {
        self.shop["seller"].as_str().expect("a seller")
    }

    /// The seller's key or token.
    pub(crate) fn key(&self) -> &str {
        self.shop["credentials"]["api_key"].as_str().expect("a key")
    }

    /// A request without credentials.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// A request with credentials.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.bare(method, path);
        match self.market {
            Marketplace::Ozon => request
                .header("Client-Id", self.id())
                .header("Api-Key", self.key()),
            Marketplace::Wildberries => request.header("Authorization", self.key()),
            Marketplace::YandexMarket => request.header("Api-Key", self.key()),
        }
    }

    /// Sends a request and checks the answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Reply {
        let request = request.build().expect("a request");
        let method = request.method().to_string();
        let path = request.url().path().to_owned();
        let answer = self.http.execute(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let body = answer.bytes().await.expect("a body").to_vec();
        let path = path.splitn(3, '/').nth(2).map(|path| format!("/{path}"));
        let path = path.unwrap_or_default();
        let kind = headers["content-type"].to_str().expect("a content type");
        if spec::knows(self.market, &path) {
            spec::check(self.market, &method, &path, status, kind, &body);
        }
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Reply {
            status,
            headers,
            body,
            json,
        }
    }

    /// `GET`.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` of JSON.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.request(Method::POST, path).json(&body))
            .await
    }

    /// Yandex Market: `POST` of JSON under the seller's cabinet.
    pub(crate) async fn business(&self, path: &str, body: Value) -> Reply {
        self.post(&self.cabinet(path), body).await
    }

    /// Yandex Market: a path under the seller's cabinet.
    pub(crate) fn cabinet(&self, path: &str) -> String {
        format!("/v2/businesses/{}{path}", self.id())
    }

    /// Wildberries: the signature of a chat, as the list gives it now.
    pub(crate) async fn sign(&self, chat: &str) -> String {
        let reply = self.get("/api/v1/seller/chats").await;
        let chats = reply.json["result"].as_array().expect("chats").clone();
        let found = chats.iter().find(|item| item["chatID"] == chat);
        found.expect("the chat")["replySign"]
            .as_str()
            .expect("a sign")
            .to_owned()
    }

    /// Wildberries: sends a text.
    pub(crate) async fn write(&self, sign: &str, text: &str) -> Reply {
        let form = Form::new()
            .text("replySign", sign.to_owned())
            .text("message", text.to_owned());
        self.form("/api/v1/seller/message", form).await
    }

    /// `POST` of a form.
    pub(crate) async fn form(&self, path: &str, form: Form) -> Reply {
        self.send(self.request(Method::POST, path).multipart(form))
            .await
    }
}

impl Reply {
    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The same reply if it has this status.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self
    }
}

/// A file for a form.
pub(crate) fn file(name: &str, content: Vec<u8>) -> Part {
    Part::bytes(content).file_name(name.to_owned())
}

/// A picture of some size.
pub(crate) fn png(size: usize) -> Vec<u8> {
    let mut content = b"\x89PNG\r\n\x1a\n".to_vec();
    content.resize(size.max(8), 7);
    content
}
