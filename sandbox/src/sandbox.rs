//! How is a world started, steered from a test, and stopped?

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::control::{
    self, CabinetRequest, FaultRequest, Refused, SeedRequest, ShopRequest, StoredMessage,
    WriteRequest, Written,
};
use crate::journal::Entry;
use crate::llm::{self, Speed};
use crate::log::Log;
use crate::server::{self, App};
use crate::shops;
use crate::world::{Change, Marketplace, World};

/// How long open requests may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// How a world is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder that keeps the world over restarts; in memory only if missing.
    pub state_dir: Option<PathBuf>,
    /// Address to listen on.
    pub host: String,
    /// Port to listen on; 0 for any free one.
    pub port: u16,
    /// All ids and texts derive from it; a world that is kept keeps its own.
    pub seed: u64,
    /// The clock's start in ms since 1970; now if missing.
    pub start_ms: Option<i64>,
    /// Chats which automatic buyers begin a minute in a new world.
    pub buyers_per_minute: f64,
    /// Whether a new world has chats.
    pub has_chats: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            state_dir: None,
            host: "127.0.0.1".to_owned(),
            port: 0,
            seed: 1,
            start_ms: None,
            buyers_per_minute: 0.0,
            has_chats: true,
        }
    }
}

/// A running world.
#[derive(Debug)]
pub struct Sandbox {
    app: Arc<App>,
    url: String,
}

impl Sandbox {
    /// Starts a world, or continues the one that is kept.
    pub async fn start(options: Options) -> Result<Self> {
        let (listener, address) = server::bind(&options.host, options.port).await?;
        let mut world = open(&options)?;
        world.public_host = address.to_string();
        let app = Arc::new(App::new(world)?);
        app.change(|_| ())?;
        server::start_buyers(&app);
        app.tasks.spawn(server::serve(Arc::clone(&app), listener));
        tracing::info!(%address, "sandbox listens");
        Ok(Self {
            app,
            url: format!("http://{address}"),
        })
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Base URL of a marketplace's API.
    pub fn base_url(&self, marketplace: Marketplace) -> String {
        let prefix = match marketplace {
            Marketplace::Ozon => "ozon",
            Marketplace::Wildberries => "wildberries",
            Marketplace::YandexMarket => "yandex",
        };
        format!("{}/{prefix}", self.url)
    }

    /// Base URL of the language model's API.
    pub fn llm_url(&self) -> String {
        format!("{}/llm/v1", self.url)
    }

    /// The key which the language model accepts.
    pub fn llm_key(&self) -> &'static str {
        llm::KEY
    }

    /// Sets how fast the language model is; without tokens a second it does not pace.
    pub fn set_llm_speed(&self, tokens_per_second: Option<f64>, first_token_ms: u64) -> Result<()> {
        let speed = Speed {
            tokens_per_second,
            first_token_ms,
        };
        self.act(|world| control::set_llm_speed(world, speed))
            .map(drop)
    }

    /// How often the language model was asked, as `GET /control/llm` answers it.
    pub fn llm_calls(&self) -> Value {
        control::llm_calls(&self.app.lock())
    }

    /// Ends it; what is kept is complete already.
    pub async fn stop(self) {
        self.app.end.cancel();
        self.app.tasks.close();
        let ended = tokio::time::timeout(STOP_TIMEOUT, self.app.tasks.wait()).await;
        if ended.is_err() {
            tracing::warn!("some requests did not end in time");
        }
        self.app.lock().close();
    }

    /// Writes as a buyer, in a new chat if none is given, to the first shop of `demo`.
    pub fn write_as_buyer(
        &self,
        marketplace: Marketplace,
        chat: Option<&str>,
        text: &str,
    ) -> Result<Written> {
        self.write(WriteRequest {
            marketplace,
            seller: None,
            chat: chat.map(ToOwned::to_owned),
            text: text.to_owned(),
            name: String::new(),
            file: None,
            author: Default::default(),
            chat_type: None,
            context: None,
            event_type: None,
            no_message: false,
        })
    }

    /// Writes from outside with every detail.
    pub fn write(&self, request: WriteRequest) -> Result<Written> {
        self.act(|world| control::buyer_writes(world, request))
    }

    /// Answers in the marketplace's own cabinet.
    pub fn write_in_cabinet(
        &self,
        marketplace: Marketplace,
        chat: &str,
        text: &str,
    ) -> Result<Written> {
        let request = CabinetRequest {
            marketplace,
            seller: None,
            chat: Some(chat.to_owned()),
            text: text.to_owned(),
        };
        self.act(|world| control::cabinet_writes(world, request))
    }

    /// Puts a fault into force.
    pub fn fault(&self, request: FaultRequest) -> Result<Value> {
        self.act(|world| control::put_fault(world, request))
    }

    /// Takes all faults out of force.
    pub fn clear_faults(&self) -> Result<()> {
        self.app
            .change(|world| world.record(Change::NoFaults(None)))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) -> Result<()> {
        let ms = i64::try_from(by.as_millis())?;
        self.app.change(|world| world.advance(ms))
    }

    /// Opens a shop or changes one; returns it as `state` shows it.
    pub async fn shop(&self, request: ShopRequest) -> Result<Value> {
        Ok(control::put_shop_and_ping(&self.app, request).await?)
    }

    /// Adds shops, chats and messages for load; returns the shops.
    pub fn seed(&self, request: &SeedRequest) -> Result<Value> {
        self.act(|world| control::load(world, request))
    }

    /// Sets how many chats automatic buyers begin a minute.
    pub fn set_buyers(&self, per_minute: f64) -> Result<()> {
        self.app.change(|world| {
            let odd = world.buyers_are_odd;
            world.record(Change::Buyers(per_minute, odd));
        })
    }

    /// All entries of the journal with a greater number.
    pub fn journal(&self, after: u64) -> Vec<Entry> {
        self.app.lock().journal.after(after).to_vec()
    }

    /// What a chat holds, hidden messages included.
    pub fn messages(&self, marketplace: Marketplace, chat: &str) -> Option<Vec<StoredMessage>> {
        control::messages(&self.app.lock(), marketplace, chat)
    }

    /// The whole world, as `GET /control/state` answers it.
    pub fn state(&self) -> Value {
        control::state(&mut self.app.lock())
    }

    fn act<T>(&self, act: impl FnOnce(&mut World) -> Result<T, Refused>) -> Result<T> {
        Ok(self.app.change(act)??)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.app.end.cancel();
    }
}

fn open(options: &Options) -> Result<World> {
    let (log, history) = match &options.state_dir {
        Some(folder) => Log::open(folder)?,
        None => Default::default(),
    };
    let mut world = World::new(options.seed, log, history);
    if world.is_new() {
        world.record(Change::Began(options.seed));
        if let Some(ms) = options.start_ms {
            world.start_clock_at(ms);
        }
        shops::open_default(&mut world, options.has_chats);
        world.record(Change::Buyers(options.buyers_per_minute, false));
        world.pushes.clear();
    }
    Ok(world)
}
