//! Shops and chats, put into the database as the worker would.

use chrono::{DateTime, TimeDelta, Utc};
use common::channel::Marketplace;
use common::db::chats::{self, Chat, StoredContext};
use common::db::sellers::{
    self, NewSeller, Seller, SellerChange, StoredCapabilities, StoredWarnings,
};
use common::flows::store_messages::{Source, store_messages};
use common::ids::{TenantId, new_public_id};
use common::marketplaces::{
    Capabilities, ChatContext, VendorAttachment, VendorAuthor, VendorMessage,
};
use diesel::{sql_query, sql_types};
use diesel_async::{AsyncConnection, RunQueryDsl};
use uuid::Uuid;

use super::TestApp;

impl TestApp {
    /// An active shop whose key may do everything.
    pub(crate) async fn shop(&self, tenant: TenantId, marketplace: Marketplace) -> Seller {
        let capabilities = Capabilities {
            read: true,
            send: true,
            mark_read: marketplace == Marketplace::Ozon,
            ..Capabilities::default()
        };
        let now = self.clock().now();
        let public_id = new_public_id();
        let seller = NewSeller {
            tenant_id: tenant,
            public_id,
            name: "A shop",
            marketplace,
            account_id: &public_id.to_string(),
            client_id: None,
            sealed_key: "sealed",
            key_fingerprint: "00000000",
            capabilities: StoredCapabilities(Some(capabilities)),
            warnings: StoredWarnings::default(),
            next_sync_at: now,
            probe_at: now,
            created_at: now,
            updated_at: now,
        };
        let mut conn = self.conn().await;
        sellers::insert(&mut conn, &seller).await.unwrap()
    }

    /// Changes a shop behind everybody's back.
    pub(crate) async fn change_shop(&self, seller: &Seller, change: &SellerChange) {
        let mut conn = self.conn().await;
        sellers::change(&mut conn, seller.tenant_id, seller.id, change)
            .await
            .unwrap();
    }

    /// A buyer writes in a new chat.
    pub(crate) async fn chat_of(&self, seller: &Seller, text: &str) -> Chat {
        let chat = Uuid::new_v4().to_string();
        self.writes(seller, &chat, text, VendorAuthor::Buyer).await
    }

    /// A buyer writes in a chat that is there.
    pub(crate) async fn buyer_writes(&self, seller: &Seller, chat: &Chat, text: &str) -> Chat {
        self.writes(seller, &chat.external_id, text, VendorAuthor::Buyer)
            .await
    }

    /// Somebody answers in the marketplace's own cabinet.
    pub(crate) async fn cabinet_writes(&self, seller: &Seller, chat: &Chat, text: &str) -> Chat {
        let author = VendorAuthor::SellerCabinet;
        self.writes(seller, &chat.external_id, text, author).await
    }

    async fn writes(&self, seller: &Seller, chat: &str, text: &str, author: VendorAuthor) -> Chat {
        let at = self.clock().now();
        self.wrote(seller, chat, text, author, at).await
    }

    /// A buyer with this name writes about this order.
    pub(crate) async fn chat_about(&self, seller: &Seller, buyer: &str, order: &str) -> Chat {
        let chat = self.chat_of(seller, "Где заказ?").await;
        let context = StoredContext(ChatContext {
            buyer_name: Some(buyer.to_owned()),
            order_id: Some(order.to_owned()),
            ..ChatContext::default()
        });
        let mut conn = self.conn().await;
        chats::store_vendor_facts(
            &mut conn,
            chat.tenant_id,
            chat.id,
            &context,
            &chat.vendor_state,
        )
        .await
        .unwrap();
        self.chat(chat.tenant_id, chat.id).await
    }

    /// A draft of an answer gets as far as this.
    pub(crate) async fn suggest(&self, chat: &Chat, state: &str) {
        let state = serde_json::json!({ "state": state });
        let set = "UPDATE chats SET suggestion = $3 WHERE tenant_id = $1 AND id = $2";
        let set = sql_query(set)
            .bind::<sql_types::Uuid, _>(chat.tenant_id)
            .bind::<sql_types::BigInt, _>(chat.id)
            .bind::<sql_types::Jsonb, _>(state);
        set.execute(&mut self.conn().await).await.unwrap();
    }

    /// The chat rests for so long.
    pub(crate) async fn snooze(&self, chat: &Chat, time: TimeDelta) {
        let set = "UPDATE chats SET snoozed_until = $3 WHERE tenant_id = $1 AND id = $2";
        let set = sql_query(set)
            .bind::<sql_types::Uuid, _>(chat.tenant_id)
            .bind::<sql_types::BigInt, _>(chat.id)
            .bind::<sql_types::Timestamptz, _>(self.clock().now() + time);
        set.execute(&mut self.conn().await).await.unwrap();
    }

    /// A buyer wrote some time ago.
    pub(crate) async fn chat_since(&self, seller: &Seller, text: &str, ago: TimeDelta) -> Chat {
        let chat = Uuid::new_v4().to_string();
        let at = self.clock().now() - ago;
        self.wrote(seller, &chat, text, VendorAuthor::Buyer, at)
            .await
    }

    /// A buyer sends a file in a new chat.
    pub(crate) async fn chat_with_file(&self, seller: &Seller, name: &str) -> Chat {
        let chat = Uuid::new_v4().to_string();
        let at = self.clock().now();
        let file = VendorAttachment {
            source: format!("https://api-seller.ozon.ru/v2/chat/file/{name}"),
            name: name.to_owned(),
            content_type: None,
            size_bytes: None,
        };
        let message = message(&chat, "", VendorAuthor::Buyer, at);
        let message = VendorMessage {
            attachments: vec![file],
            ..message
        };
        self.stores(seller, &chat, message).await
    }

    async fn wrote(
        &self,
        seller: &Seller,
        chat: &str,
        text: &str,
        author: VendorAuthor,
        at: DateTime<Utc>,
    ) -> Chat {
        let message = message(chat, text, author, at);
        self.stores(seller, chat, message).await
    }

    async fn stores(&self, seller: &Seller, chat: &str, message: VendorMessage) -> Chat {
        let source = Source {
            tenant: seller.tenant_id,
            seller: seller.id,
            marketplace: seller.marketplace,
            first_import: false,
            now: self.clock().now(),
        };
        let mut conn = self.conn().await;
        conn.transaction(async |conn| store_messages(conn, &source, chat, &[message]).await)
            .await
            .unwrap()
            .chat
    }
}

fn message(chat: &str, text: &str, author: VendorAuthor, at: DateTime<Utc>) -> VendorMessage {
    VendorMessage {
        chat: chat.to_owned(),
        external_id: Uuid::now_v7().to_string(),
        at,
        author,
        text: text.to_owned(),
        attachments: vec![],
        context: ChatContext {
            buyer_name: Some("Мария".to_owned()),
            order_id: Some("0137-1234-1".to_owned()),
            ..ChatContext::default()
        },
        reply_sign: None,
        problem: None,
    }
}
