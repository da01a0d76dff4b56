//! The sandbox with a connector for each marketplace.

use std::time::Duration;

use common::channel::Marketplace;
use common::clock::Clock;
use common::config::VendorConfig;
use common::marketplaces::{
    ChatSummary, ListPage, ListScope, Marketplaces, MessagePage, Probe, ReadFrom, Reading,
    SendOutcome, ShopAccess, TextSend, VendorError, VendorMessage,
};
use sandbox::{FaultRequest, Kind, Options, Sandbox, ShopRequest, Written};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::Instant;

/// A page more would be a loop.
const PAGES_LIMIT: usize = 50;

pub(super) struct World {
    pub(super) sandbox: Sandbox,
    connectors: Marketplaces,
}

impl World {
    pub(super) async fn start() -> Self {
        let options = Options {
            has_chats: false,
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let config = VendorConfig {
            ozon_base_url: sandbox.base_url(theirs(Marketplace::Ozon)),
            wildberries_base_url: sandbox.base_url(theirs(Marketplace::Wildberries)),
            yandex_market_base_url: sandbox.base_url(theirs(Marketplace::YandexMarket)),
        };
        let connectors = Marketplaces::with_clock(&config, &Clock::default()).unwrap();
        Self {
            sandbox,
            connectors,
        }
    }

    /// The first shop that `demo` has connected.
    pub(super) fn shop(&self, marketplace: Marketplace) -> Shop<'_> {
        let state = self.sandbox.state();
        let shops = state["shops"].as_array().unwrap();
        let shop = shops.iter().find(|shop| {
            shop["marketplace"] == marketplace.as_str() && shop["connected_to"] == "demo"
        });
        self.shop_of(marketplace, shop.unwrap())
    }

    pub(super) fn shop_of(&self, marketplace: Marketplace, shop: &Value) -> Shop<'_> {
        let credentials = &shop["credentials"];
        let api_key = credentials["api_key"].as_str().unwrap();
        let connector = self.connectors.get(marketplace);
        let client_id = credentials["client_id"].as_str();
        let account_id = connector.account_id(client_id, api_key).unwrap();
        assert_eq!(account_id, shop["seller"], "{marketplace}");
        Shop {
            world: self,
            marketplace,
            connector,
            access: ShopAccess {
                account_id,
                api_key: api_key.to_owned().into(),
            },
        }
    }

    /// The connectors' clock and the world's start together; this moves the world's.
    pub(super) fn advance(&self, by: Duration) {
        self.sandbox.advance(by).unwrap();
    }
}

pub(super) fn theirs(marketplace: Marketplace) -> sandbox::Marketplace {
    match marketplace {
        Marketplace::Ozon => sandbox::Marketplace::Ozon,
        Marketplace::Wildberries => sandbox::Marketplace::Wildberries,
        Marketplace::YandexMarket => sandbox::Marketplace::YandexMarket,
    }
}

pub(super) struct Shop<'a> {
    world: &'a World,
    pub(super) marketplace: Marketplace,
    connector: &'a dyn common::marketplaces::Marketplace,
    access: ShopAccess,
}

impl Shop<'_> {
    pub(super) fn buyer_writes(&self, chat: Option<&str>, text: &str) -> Written {
        let marketplace = theirs(self.marketplace);
        let sandbox = &self.world.sandbox;
        sandbox.write_as_buyer(marketplace, chat, text).unwrap()
    }

    pub(super) fn cabinet_writes(&self, chat: &str, text: &str) -> Written {
        let marketplace = theirs(self.marketplace);
        let sandbox = &self.world.sandbox;
        sandbox.write_in_cabinet(marketplace, chat, text).unwrap()
    }

    /// Changes what the shop may do; keys are made anew where the marketplace does so.
    pub(super) async fn changed(&self, change: ShopRequest) -> Shop<'_> {
        let request = ShopRequest {
            marketplace: Some(theirs(self.marketplace)),
            seller: Some(self.access.account_id.clone()),
            ..change
        };
        let shop = self.world.sandbox.shop(request).await.unwrap();
        self.world.shop_of(self.marketplace, &shop)
    }

    pub(super) fn fault(&self, path: &str, kind: &str, value: Option<i64>) {
        let fault = FaultRequest {
            target: Some(format!("{}{path}", self.marketplace)),
            kind: kind.to_owned(),
            value,
            ..FaultRequest::default()
        };
        self.world.sandbox.fault(fault).unwrap();
    }

    pub(super) fn with_key(&self, api_key: &str) -> Shop<'_> {
        let access = ShopAccess {
            account_id: self.access.account_id.clone(),
            api_key: api_key.to_owned().into(),
        };
        Shop { access, ..*self }
    }

    pub(super) fn key(&self) -> &str {
        self.access.api_key.expose_secret()
    }

    pub(super) async fn probe(&self) -> Result<Probe, VendorError> {
        self.connector.probe(&self.access).await
    }

    pub(super) async fn mark_read(&self, chat: &str, message: &str) -> Result<(), VendorError> {
        self.connector.mark_read(&self.access, chat, message).await
    }

    /// All pages of a list.
    pub(super) async fn list(&self, scope: ListScope) -> Result<Vec<ChatSummary>, VendorError> {
        let (mut chats, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_LIMIT {
            let page = ListPage {
                scope,
                cursor: cursor.as_deref(),
            };
            let page = self.connector.list_chats(&self.access, page).await?;
            chats.extend(page.chats);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(chats);
            }
        }
        panic!("{}: the list has no end", self.marketplace);
    }

    pub(super) async fn find(&self, scope: ListScope, chat: &str) -> Option<ChatSummary> {
        let chats = self.list(scope).await.unwrap();
        chats.into_iter().find(|listed| listed.external_id == chat)
    }

    pub(super) async fn page(&self, from: ReadFrom<'_>) -> Result<MessagePage, VendorError> {
        self.connector.read_messages(&self.access, from).await
    }

    /// All pages of a chat, or of what the stream has of it, and where the stream goes on.
    pub(super) async fn read(
        &self,
        chat: &str,
        since: Option<&str>,
    ) -> Result<(Vec<VendorMessage>, Option<String>), VendorError> {
        let per_chat = self.connector.profile().reading == Reading::PerChat;
        let (mut messages, mut page) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_LIMIT {
            let from = ReadFrom {
                chat: per_chat.then_some(chat),
                since,
                page: page.as_deref(),
            };
            let read = self.page(from).await?;
            messages.extend(read.messages);
            page = read.next;
            if page.is_none() {
                messages.retain(|message| message.chat == chat);
                messages.sort_by_key(|message| message.at);
                return Ok((messages, read.resume));
            }
        }
        panic!("{}: the reading has no end", self.marketplace);
    }

    pub(super) async fn messages(&self, chat: &str) -> Vec<VendorMessage> {
        self.read(chat, None).await.unwrap().0
    }

    /// Sends with the signature that the list has now.
    pub(super) async fn send(&self, chat: &str, text: &str) -> SendOutcome {
        let listed = self.find(ListScope::All, chat).await.unwrap();
        self.send_signed(chat, text, listed.reply_sign.as_deref())
            .await
    }

    pub(super) async fn send_signed(
        &self,
        chat: &str,
        text: &str,
        reply_sign: Option<&str>,
    ) -> SendOutcome {
        let send = TextSend {
            chat,
            text,
            reply_sign,
            release_before: Instant::now() + Duration::from_secs(10),
        };
        self.connector.send_text(&self.access, send).await
    }

    /// The texts that reached the marketplace, with the status of each.
    pub(super) fn received(&self) -> Vec<(String, u16)> {
        let journal = self.world.sandbox.journal(0);
        let sends = journal.into_iter().filter(|entry| {
            entry.kind == Kind::Received && entry.marketplace == Some(theirs(self.marketplace))
        });
        sends
            .map(|entry| (entry.text.unwrap_or_default(), entry.status.unwrap()))
            .collect()
    }
}
