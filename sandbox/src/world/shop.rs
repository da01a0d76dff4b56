//! What is a shop: its credentials, rights, orders, and where its pushes go?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Marketplace;

/// A seller's account at one marketplace.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Shop {
    /// Place in the world.
    pub place: usize,
    /// The marketplace.
    pub marketplace: Marketplace,
    /// Client id, business id or Wildberries supplier id.
    pub seller: String,
    /// Name of the shop.
    pub name: String,
    /// Tenant of the demo that has connected it.
    pub connected_to: Option<String>,
    /// Key or token.
    pub api_key: String,
    /// Access token of the other way to authenticate; unused at Wildberries.
    pub oauth_token: String,
    /// Keys that were valid once.
    pub former_keys: Vec<String>,
    /// Whether the key is revoked.
    pub is_revoked: bool,
    /// Whether Premium Plus is paid (Ozon).
    pub is_premium: bool,
    /// Roles of an Ozon key, scopes of a Yandex Market key.
    pub scopes: Vec<String>,
    /// When the key expires, ms since 1970; null for never.
    pub expires_at: Option<i64>,
    /// 1 base, 2 test, 3 personal, 4 service (Wildberries).
    pub token_type: u8,
    /// Category bits of the token (Wildberries).
    pub categories: Vec<u32>,
    /// Whether the token may only read (Wildberries).
    pub is_read_only: bool,
    /// Where pushes go.
    pub push_url: Option<String>,
    /// Ways in which the real thing differs from its documents, switched on.
    pub quirks: Vec<Quirk>,
    /// A reason for which every request is refused.
    pub refusal: Option<Refusal>,
    /// Orders a chat can be about.
    pub orders: Vec<Order>,
    /// Campaign id (Yandex Market).
    pub campaign: u64,
    /// Places of its chats, oldest first.
    #[serde(skip)]
    pub chats: Vec<usize>,
    /// The stream of events (Wildberries): cursor to chat and message.
    #[serde(skip)]
    pub events: BTreeMap<i64, (usize, usize)>,
    /// The greatest cursor of an event that was not delayed.
    #[serde(skip)]
    pub last_event: i64,
}

/// Documented or observed ways in which real answers differ from the specifications.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quirk {
    /// Ozon writes `Сustomer` with a Cyrillic first letter.
    CyrillicCustomer,
    /// Ozon writes ids as JSON numbers.
    NumericIds,
    /// Ozon writes `has_next` as a text.
    TextualHasNext,
    /// Ozon answers a wrong key with 404.
    InvalidKeyIsNotFound,
    /// Wildberries lists no chats although there are events.
    EmptyChats,
    /// Yandex Market hands files only to an OAuth token.
    FilesNeedOauth,
    /// Optional fields without a value are null instead of missing.
    Nulls,
}

/// Reasons for which every request of a shop is refused.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Ozon: the offer is not accepted.
    OfferNotSigned,
    /// Ozon: the key is bound to other addresses.
    IpRestricted,
    /// Ozon: the method is blocked for some minutes.
    CircleIsOpen,
    /// Wildberries: 402.
    PaymentRequired,
    /// Yandex Market: 423.
    Locked,
}

/// An order of a shop.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    /// Posting number (Ozon), rid (Wildberries), order id (Yandex Market).
    pub number: String,
    /// `fbo`, `fbs` or `rfbs`.
    pub scheme: String,
    /// When it was delivered, ms since 1970; null if under way.
    pub delivered_at: Option<i64>,
    /// Return id (Yandex Market).
    pub return_id: Option<u64>,
    /// Article number at the marketplace.
    pub sku: u64,
    /// Price in roubles.
    pub price: u64,
}

impl Shop {
    /// Whether the quirk is switched on.
    pub(crate) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// Whether the key has expired.
    pub(crate) fn is_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}
