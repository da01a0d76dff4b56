//! What is a chat, and what is a message in it?

use serde::{Deserialize, Serialize};

/// A conversation of one buyer with one shop.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Chat {
    /// Place in the world.
    pub place: usize,
    /// Place of its shop.
    pub shop: usize,
    /// The world's number; its numeric id at Yandex Market derives from it.
    pub number: u64,
    /// Id as the marketplace writes it.
    pub id: String,
    /// When it began, ms since 1970.
    pub created_at: i64,
    /// Buyer's id.
    pub buyer_id: String,
    /// Buyer's name.
    pub buyer_name: String,
    /// `chat_type` (Ozon), `CHAT` or `ARBITRAGE` (Yandex Market).
    pub kind: String,
    /// Status as the marketplace writes it; unused at Wildberries.
    pub status: String,
    /// What it is about.
    pub context: Context,
    /// The script a persona follows in it.
    pub persona: Option<usize>,
    /// Messages by number.
    #[serde(skip)]
    pub messages: Vec<Message>,
    /// The seller has read all messages up to this number.
    #[serde(skip)]
    pub read_up_to: u64,
    /// How often its signature has changed (Wildberries).
    #[serde(skip)]
    pub sign_turns: u64,
    /// When the persona answers, ms since 1970.
    #[serde(skip)]
    pub plan_at: Option<i64>,
    /// How many answers the persona has given.
    #[serde(skip)]
    pub persona_step: usize,
}

/// What a chat is about.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Context {
    /// `ORDER`, `RETURN` or `DIRECT`.
    pub kind: String,
    /// Number of the order.
    pub order: Option<String>,
    /// Id of the return.
    pub return_id: Option<u64>,
    /// `fbo`, `fbs` or `rfbs`.
    pub scheme: String,
    /// When the order was delivered, ms since 1970.
    pub delivered_at: Option<i64>,
    /// Article number at the marketplace.
    pub sku: Option<u64>,
    /// Price in roubles.
    pub price: u64,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The buyer.
    #[default]
    Buyer,
    /// The seller.
    Seller,
    /// The marketplace's support.
    Support,
    /// The marketplace itself.
    System,
    /// A courier (Ozon).
    Courier,
    /// A bot (Ozon).
    Bot,
}

/// How a message came in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// From the buyer's side or the marketplace's own.
    #[default]
    Site,
    /// Through the API.
    Api,
    /// From the marketplace's own cabinet.
    Cabinet,
}

/// One message.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Message {
    /// Increasing number: the id at Ozon and Yandex Market.
    pub number: u64,
    /// Id as the marketplace writes it.
    pub id: String,
    /// When it was written, ms since 1970.
    pub at: i64,
    /// When history and events show it, ms since 1970.
    pub visible_at: i64,
    /// When the list of chats shows it, ms since 1970.
    pub listed_at: i64,
    /// Who wrote it.
    pub author: Author,
    /// How it came in.
    pub via: Via,
    /// The text as written; null for an event without a message.
    pub text: Option<String>,
    /// Ids of its files.
    pub files: Vec<String>,
    /// Kind of event (Wildberries).
    pub event_type: String,
    /// Signature handed out with the first event of a chat (Wildberries).
    pub sign: Option<String>,
    /// Whether it was handed out once.
    #[serde(skip)]
    pub is_served: bool,
}

impl Chat {
    /// Messages that history shows now, with their places.
    pub(crate) fn visible(&self, now: i64) -> impl DoubleEndedIterator<Item = (usize, &Message)> {
        let messages = self.messages.iter().enumerate();
        messages.filter(move |(_, message)| message.visible_at <= now)
    }

    /// The newest message that the list of chats knows of now.
    pub(crate) fn last_listed(&self, now: i64) -> Option<&Message> {
        let mut messages = self.messages.iter().rev();
        messages.find(|message| message.listed_at <= now)
    }

    /// Messages the seller has not read, as the list of chats knows them.
    pub(crate) fn unread(&self, now: i64) -> impl Iterator<Item = &Message> {
        let from = self
            .messages
            .partition_point(|message| message.number <= self.read_up_to);
        let messages = self.messages[from..].iter();
        messages.filter(move |message| message.author != Author::Seller && message.listed_at <= now)
    }

    /// When the buyer wrote last, ms since 1970.
    pub(crate) fn last_buyer_at(&self) -> Option<i64> {
        let mut messages = self.messages.iter().rev();
        let found = messages.find(|message| message.author == Author::Buyer)?;
        Some(found.at)
    }

    /// Whether the buyer waits for an answer.
    pub(crate) fn is_waiting(&self) -> bool {
        let mut people = self.messages.iter().rev().filter(|message| {
            message.text.is_some() && matches!(message.author, Author::Buyer | Author::Seller)
        });
        people
            .next()
            .is_some_and(|last| last.author == Author::Buyer)
    }

    /// Its numeric id at Yandex Market.
    pub(crate) fn yandex_id(&self) -> u64 {
        CHAT_BASE + self.number
    }
}

/// Yandex Market's chat ids begin here.
pub(super) const CHAT_BASE: u64 = 5_120_000;
