//! A product with shops at a sandbox, worked by hand: each step is taken when the test says so.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::channel::Marketplace;
use common::config::{Config, Env};
use common::db;
use common::db::chats::{self, Chat};
use common::db::files::{self, File, FileState, NewFile};
use common::db::leases::Lease;
use common::db::messages::{self, Author, Direction, Message, NewMessage, StoredAttachments};
use common::db::sellers::{self, NewSeller, Seller};
use common::domain::delivery::{MessageState, SEND_WITHIN};
use common::files::{FileStore, content_type};
use common::flows::deliver_chat::deliver_chat;
use common::flows::fetch_file::{FETCH_LEASE, fetch_file};
use common::flows::refresh_chat::refresh_chat;
use common::flows::sync_seller::sync_seller;
use common::flows::{Context, FlowError};
use common::ids::{ChatId, TenantId, new_public_id};
use common::secrets::fingerprint;
use diesel_async::{AsyncConnection, RunQueryDsl};
use sandbox::{Options, Sandbox};
use secrecy::SecretString;
use tempfile::TempDir;
use uuid::Uuid;

use crate::database::fresh_database;
use crate::redis_server::RedisServer;

pub(crate) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(crate) struct World {
    pub(crate) ctx: Context,
    pub(crate) sandbox: Sandbox,
    pub(crate) tenant: TenantId,
    pub(crate) config: Config,
    pub(crate) redis: RedisServer,
    /// Where files lie.
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        let database = fresh_database().await;
        let redis = RedisServer::start().await;
        let options = Options {
            has_chats: false,
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = config(&sandbox, &database, &redis, &folder);
        let ctx = Context::with_redis(&config, 4, redis.redis("")).unwrap();
        let tenant = TenantId(Uuid::from_u128(0x0198_a000_0000_7000_8000_0000_0000_0001));
        Self {
            ctx,
            sandbox,
            tenant,
            config,
            redis,
            folder,
        }
    }

    pub(crate) async fn conn(&self) -> db::Connection {
        self.ctx.pool.get().await.unwrap()
    }

    /// Connects demo's shop at a marketplace.
    pub(crate) async fn connect(&self, marketplace: Marketplace) -> Seller {
        let state = self.sandbox.state();
        let shops = state["shops"].as_array().unwrap();
        let shop = shops
            .iter()
            .find(|it| it["connected_to"] == "demo" && it["marketplace"] == marketplace.as_str())
            .unwrap();
        let client_id = shop["credentials"]["client_id"].as_str();
        let api_key = SecretString::from(shop["credentials"]["api_key"].as_str().unwrap());
        let public_id = new_public_id();
        let place = sellers::key_place(self.tenant, public_id);
        let now = self.ctx.clock.now();
        let row = NewSeller {
            tenant_id: self.tenant,
            public_id,
            name: "Shop",
            marketplace,
            account_id: shop["seller"].as_str().unwrap(),
            client_id,
            sealed_key: &self.ctx.keyring.seal(place, &api_key),
            key_fingerprint: &fingerprint(&api_key),
            capabilities: Default::default(),
            warnings: Default::default(),
            next_sync_at: now,
            probe_at: now,
            created_at: now,
            updated_at: now,
        };
        sellers::insert(&mut *self.conn().await, &row)
            .await
            .unwrap()
    }

    /// A buyer writes; the chat is made if none is given.
    pub(crate) fn buyer_writes(
        &self,
        marketplace: Marketplace,
        chat: Option<&str>,
        text: &str,
    ) -> String {
        let marketplace = serde_json::from_value(serde_json::json!(marketplace)).unwrap();
        let written = self
            .sandbox
            .write_as_buyer(marketplace, chat, text)
            .unwrap();
        written.chat
    }

    /// A buyer sends a file, with or without words.
    pub(crate) fn buyer_sends_file(
        &self,
        marketplace: Marketplace,
        chat: Option<&str>,
        file: &serde_json::Value,
    ) -> String {
        let request = serde_json::json!({
            "marketplace": marketplace, "chat": chat, "text": "", "file": file
        });
        let written = self.sandbox.write(serde_json::from_value(request).unwrap());
        written.unwrap().chat
    }

    pub(crate) fn somebody_answers_in_the_cabinet(
        &self,
        marketplace: Marketplace,
        chat: &str,
        text: &str,
    ) {
        let marketplace = serde_json::from_value(serde_json::json!(marketplace)).unwrap();
        self.sandbox
            .write_in_cabinet(marketplace, chat, text)
            .unwrap();
    }

    /// Polls the shop once, whenever it is due.
    pub(crate) async fn sync(&self, seller: &Seller) -> Result<(), FlowError> {
        let lease = Lease::new(Duration::from_secs(20));
        let mut conn = self.conn().await;
        let now = self.ctx.clock.now();
        sellers::wake(&mut conn, self.tenant, seller.id, now)
            .await
            .unwrap();
        let claimed = sellers::claim_if_due(&mut conn, self.tenant, seller.id, now, &lease)
            .await
            .unwrap()
            .expect("the shop is free");
        drop(conn);
        sync_seller(&self.ctx, &claimed, lease).await
    }

    pub(crate) async fn chat(&self, seller: &Seller, external_id: &str) -> Option<Chat> {
        let mut conn = self.conn().await;
        chats::find_by_external_ids(&mut conn, self.tenant, seller.id, &[external_id])
            .await
            .unwrap()
            .pop()
    }

    pub(crate) async fn thread(&self, chat: ChatId) -> Vec<Message> {
        use common::db::schema::messages as table;
        use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
        table::table
            .filter(table::tenant_id.eq(self.tenant))
            .filter(table::chat_id.eq(chat))
            .order((table::at, table::id))
            .select(Message::as_select())
            .load(&mut *self.conn().await)
            .await
            .unwrap()
    }

    /// The texts of a chat in order, ours marked by `>`.
    pub(crate) async fn texts(&self, chat: ChatId) -> Vec<String> {
        let mark = |message: &Message| match message.direction {
            Direction::Incoming => message.text.clone(),
            Direction::Outgoing => format!("> {}", message.text),
        };
        self.thread(chat).await.iter().map(mark).collect()
    }

    /// An agent answers: what the api stores.
    pub(crate) async fn reply(&self, chat: &Chat, text: &str) -> Message {
        self.reply_with(chat, text, &[]).await
    }

    /// The same with files.
    pub(crate) async fn reply_with(
        &self,
        chat: &Chat,
        text: &str,
        files: &[(&str, &[u8])],
    ) -> Message {
        let mut uploads = Vec::new();
        for (name, content) in files {
            uploads.push(self.upload(name, content).await);
        }
        let now = self.ctx.clock.now();
        let row = NewMessage {
            tenant_id: self.tenant,
            public_id: new_public_id(),
            chat_id: chat.id,
            external_id: None,
            client_message_id: None,
            direction: Direction::Outgoing,
            author: Author::Agent,
            user_id: None,
            text: text.to_owned(),
            attachments: StoredAttachments(uploads.iter().map(Into::into).collect()),
            state: MessageState::Queued,
            error_code: None,
            error_message: None,
            starts_clock: true,
            send_before: Some(now + SEND_WITHIN),
            at: now,
            sent_at: None,
            created_at: now,
            suggestion_id: None,
        };
        let mut conn = self.conn().await;
        conn.transaction(async |conn| {
            let held = chats::lock(conn, self.tenant, chat.id).await?.unwrap();
            let message = messages::insert_new(conn, &row).await?.unwrap();
            for (file, position) in uploads.iter().zip(0..) {
                files::attach(conn, self.tenant, file.id, message.id, position).await?;
            }
            chats::schedule_delivery(conn, self.tenant, chat.id, Some(now)).await?;
            refresh_chat(conn, &held, false, now).await?;
            Ok::<_, diesel::result::Error>(message)
        })
        .await
        .unwrap()
    }

    /// An agent uploads a file; also an empty one, which the api would refuse.
    async fn upload(&self, name: &str, content: &[u8]) -> File {
        let storage_key = FileStore::new_key(self.tenant);
        let path = self.folder.path().join(&storage_key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        let row = NewFile {
            tenant_id: self.tenant,
            public_id: new_public_id(),
            message_id: None,
            position: 0,
            uploaded_by: None,
            seller_id: None,
            channel: None,
            source: None,
            name: name.to_owned(),
            content_type: Some(content_type(content).to_owned()),
            size_bytes: i64::try_from(content.len()).ok(),
            storage_key,
            state: FileState::Ready,
            fetch_at: None,
            created_at: self.now(),
        };
        files::insert(&mut *self.conn().await, &row).await.unwrap()
    }

    /// Delivers what is due in the chat; nothing if nothing is.
    pub(crate) async fn deliver(&self, chat: ChatId) {
        self.deliver_as(chat, Lease::new(Duration::from_secs(20)))
            .await;
    }

    pub(crate) async fn deliver_as(&self, chat: ChatId, lease: Lease) {
        let now = self.ctx.clock.now();
        let mut conn = self.conn().await;
        let claimed = chats::claim_delivery_if_due(&mut conn, self.tenant, chat, now, &lease)
            .await
            .unwrap();
        drop(conn);
        if let Some(chat) = claimed {
            deliver_chat(&self.ctx, chat, lease).await.unwrap();
        }
    }

    /// The files of a message.
    pub(crate) async fn files(&self, message: &Message) -> Vec<File> {
        files::of_message(&mut *self.conn().await, self.tenant, message.id)
            .await
            .unwrap()
    }

    /// Fetches what is due at a marketplace; tells how many files that were.
    pub(crate) async fn fetch(&self, marketplace: Marketplace) -> usize {
        let lease = Lease::new(FETCH_LEASE);
        let mut conn = self.conn().await;
        let claimed =
            files::claim_due_across_tenants(&mut conn, marketplace, self.now(), &lease, 10)
                .await
                .unwrap();
        drop(conn);
        let count = claimed.len();
        for file in claimed {
            fetch_file(&self.ctx, file, lease).await.unwrap();
        }
        count
    }

    pub(crate) async fn message(&self, message: &Message) -> Message {
        messages::find(&mut *self.conn().await, self.tenant, message.id)
            .await
            .unwrap()
            .unwrap()
    }

    /// Texts that the marketplace took from us, in order.
    pub(crate) fn received(&self) -> Vec<String> {
        let entries = serde_json::to_value(self.sandbox.journal(0)).unwrap();
        let entries = entries.as_array().unwrap();
        let taken = entries.iter().filter(|it| {
            it["kind"] == "received" && it["status"].as_i64().is_some_and(|it| it < 300)
        });
        taken
            .map(|it| it["text"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Time passes, here and at the marketplaces.
    pub(crate) fn pass(&self, time: Duration) {
        self.ctx
            .clock
            .advance(chrono::TimeDelta::from_std(time).unwrap());
        self.sandbox.advance(time).unwrap();
    }

    pub(crate) fn fault(&self, target: &str, kind: &str, times: u32) {
        let request = serde_json::json!({"target": target, "kind": kind, "times": times});
        self.sandbox
            .fault(serde_json::from_value(request).unwrap())
            .unwrap();
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.ctx.clock.now()
    }
}

fn config(
    sandbox: &Sandbox,
    database: &SecretString,
    redis: &RedisServer,
    folder: &TempDir,
) -> Config {
    use secrecy::ExposeSecret;
    let at = |prefix: &str| format!("{}/{prefix}", sandbox.url());
    let env = Env::of([
        ("DATABASE_URL", database.expose_secret().to_owned()),
        ("REDIS_URL", redis.url()),
        ("FILES_DIR", folder.path().to_str().unwrap().to_owned()),
        ("ENCRYPTION_KEY", KEY.to_owned()),
        ("JWT_SECRET", "j".repeat(32)),
        ("AUTH_TOKEN_SECRET", "a".repeat(32)),
        ("OZON_BASE_URL", at("ozon")),
        ("WILDBERRIES_BASE_URL", at("wildberries")),
        ("YANDEX_MARKET_BASE_URL", at("yandex")),
        ("DEEPSEEK_API_URL", sandbox.llm_url()),
        ("DEEPSEEK_API_KEY", sandbox.llm_key().to_owned()),
    ]);
    Config::read(&env).unwrap()
}
