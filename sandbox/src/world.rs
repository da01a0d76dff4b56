//! What is there: shops, chats, messages, and every change that ever happened to them.

mod chat;
mod read;
mod replay;
mod shop;
mod write;

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use chat::{Author, Via};
pub(crate) use chat::{Chat, Context, Message};
pub(crate) use read::Moderation;
pub(crate) use shop::{Order, Shop};
pub use shop::{Quirk, Refusal};
pub(crate) use write::{Draft, NewChat};

use crate::clock;
use crate::faults::{Fault, Faults};
use crate::journal::{Entry, Journal, Kind};
use crate::limits::Limits;
use crate::llm::{Llm, Speed};
use crate::log::Log;
use crate::pushes::Push;

/// The marketplaces simulated.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Marketplace {
    /// Ozon.
    Ozon,
    /// Wildberries.
    Wildberries,
    /// Yandex Market.
    YandexMarket,
}

impl Marketplace {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ozon, Self::Wildberries, Self::YandexMarket];

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ozon => "ozon",
            Self::Wildberries => "wildberries",
            Self::YandexMarket => "yandex_market",
        }
    }
}

/// One change; the world's file is a list of transactions of these.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "change", content = "of", rename_all = "snake_case")]
pub(crate) enum Change {
    /// The world began, with this seed.
    Began(u64),
    /// The world's clock is so many ms ahead of the machine's.
    Clock(i64),
    /// A shop opened, or something about it changed.
    Shop(Box<Shop>),
    /// A chat began.
    Chat(Box<Chat>),
    /// A message came: chat, message.
    Message(usize, Box<Message>),
    /// A chat got another status, and perhaps another kind: chat, status, kind.
    Status(usize, String, String),
    /// The seller read a chat up to a message number.
    Read(usize, u64),
    /// A file was uploaded.
    File(Box<StoredFile>),
    /// A fault came into force.
    Fault(Fault),
    /// Faults were taken out of force, of one target or all.
    NoFaults(Option<String>),
    /// Automatic buyers begin so many chats a minute; whether they do odd things.
    Buyers(f64, bool),
    /// The language model got another speed.
    LlmSpeed(Speed),
    /// The journal grew.
    Journal(Box<Entry>),
}

/// An uploaded file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct StoredFile {
    /// Id, unique over all marketplaces.
    pub id: String,
    /// The shop it belongs to.
    pub shop: usize,
    /// Name with extension.
    pub name: String,
    /// Its MIME type.
    pub content_type: String,
    /// The bytes, in base64 in the world's file.
    #[serde(with = "base64_bytes")]
    pub content: Bytes,
    /// When it came, ms since 1970.
    pub at: i64,
    /// From when on it may be fetched, ms since 1970; null if moderation refused it.
    pub ready_at: Option<i64>,
}

/// Everything there is.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// All ids derive from it.
    pub seed: u64,
    /// Shops, oldest first; others refer to them by place.
    pub shops: Vec<Shop>,
    /// Chats, oldest first; others refer to them by place.
    pub chats: Vec<Chat>,
    /// What happened.
    pub journal: Journal,
    /// What goes wrong.
    pub faults: Faults,
    /// How often each shop asked.
    pub limits: Limits,
    /// How fast the language model is, and how often it was asked.
    pub llm: Llm,
    /// Notifications to be sent once the lock is released.
    pub pushes: Vec<Push>,
    /// Chats which automatic buyers begin a minute.
    pub buyers_per_minute: f64,
    /// Whether automatic buyers meet unknown kinds of chats and events.
    pub buyers_are_odd: bool,
    /// Host and port under which the sandbox is reached.
    pub public_host: String,
    /// Delay in ms of the echo of the send being handled.
    pub late_echo_ms: i64,
    /// Answers personas owe: time and chat.
    pub plans: BTreeMap<(i64, usize), ()>,
    files: HashMap<String, StoredFile>,
    shop_of: HashMap<(Marketplace, String), usize>,
    key_of: HashMap<(Marketplace, String), usize>,
    chat_of: HashMap<(Marketplace, String), usize>,
    counter: u64,
    offset_ms: i64,
    last_now: i64,
    log: Log,
    failure: Option<anyhow::Error>,
}

impl World {
    /// An empty world, or the one that the log's changes lead to.
    pub(crate) fn new(seed: u64, log: Log, history: Vec<Vec<Change>>) -> Self {
        let mut world = Self {
            seed,
            log,
            ..Self::default()
        };
        for change in history.into_iter().flatten() {
            world.apply(change);
        }
        world
    }

    /// Whether nothing has happened yet.
    pub(crate) fn is_new(&self) -> bool {
        self.shops.is_empty()
    }

    /// The world's time, which never goes back, in ms since 1970.
    pub(crate) fn now(&mut self) -> i64 {
        self.last_now = self.last_now.max(clock::system_ms() + self.offset_ms);
        self.last_now
    }

    /// The world's time when it was last asked for, in ms since 1970.
    pub(crate) fn time(&self) -> i64 {
        self.last_now
    }

    /// Moves the world's clock forward.
    pub(crate) fn advance(&mut self, ms: i64) {
        self.record(Change::Clock(self.offset_ms + ms));
    }

    /// Sets the world's clock to a moment.
    pub(crate) fn start_clock_at(&mut self, ms: i64) {
        self.record(Change::Clock(ms - clock::system_ms()));
    }

    /// Makes a change and notes it for the world's file.
    pub(crate) fn record(&mut self, change: Change) {
        if let Err(error) = self.log.push(&change) {
            self.failure = Some(error);
        }
        self.apply(change);
    }

    /// Writes what was noted; nothing may be answered if this fails.
    pub(crate) fn flush(&mut self) -> Result<()> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => self.log.flush(),
        }
    }

    /// Ends the world: from now on nothing can be answered.
    pub(crate) fn close(&mut self) {
        self.log.close();
    }

    /// A number that no two things share.
    pub(crate) fn next_number(&self) -> u64 {
        self.counter + 1
    }

    /// Appends to the journal; the chat and the message by their places.
    pub(crate) fn note(&mut self, kind: Kind, caller: Caller, about: About) {
        let now = self.now();
        let chat = about.chat.map(|place| &self.chats[place]);
        let message = chat.zip(about.message).map(|(chat, at)| &chat.messages[at]);
        let entry = Entry {
            seq: self.journal.next_seq(),
            at: clock::iso_ms(about.at.unwrap_or(now)),
            kind,
            marketplace: Some(caller.marketplace),
            seller: caller.place.map(|place| self.shops[place].seller.clone()),
            chat: chat.map(|chat| chat.id.clone()),
            message: message.map(|message| message.id.clone()),
            text: about.text,
            path: about.path,
            status: about.status,
        };
        self.record(Change::Journal(Box::new(entry)));
    }

    /// Appends a request to the language model to the journal and returns its number.
    pub(crate) fn note_llm(&mut self, path: &str, text: Option<String>, status: u16) -> u64 {
        let seq = self.journal.next_seq();
        let entry = Entry {
            seq,
            at: clock::iso_ms(self.now()),
            kind: Kind::Llm,
            marketplace: None,
            seller: None,
            chat: None,
            message: None,
            text,
            path: Some(path.to_owned()),
            status: Some(status),
        };
        self.record(Change::Journal(Box::new(entry)));
        seq
    }
}

/// Which shop a journal entry is about, if the caller is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// The marketplace.
    pub marketplace: Marketplace,
    /// The shop's place.
    pub place: Option<usize>,
}

/// What a journal entry is about.
#[derive(Debug, Default)]
pub(crate) struct About {
    /// The chat's place.
    pub chat: Option<usize>,
    /// The message's place in the chat.
    pub message: Option<usize>,
    /// The text as written or sent.
    pub text: Option<String>,
    /// Path of the request.
    pub path: Option<String>,
    /// Status answered.
    pub status: Option<u16>,
    /// When, if not now; ms since 1970.
    pub at: Option<i64>,
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD
            .decode(text)
            .map(Bytes::from)
            .map_err(D::Error::custom)
    }
}
