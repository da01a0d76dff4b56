//! Where a conversation takes place, and what that place tells about it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// A marketplace whose buyer chats are polled.
    Marketplace {
        Ozon = "ozon",
        Wildberries = "wildberries",
        YandexMarket = "yandex_market",
    }
}

impl Marketplace {
    /// Every marketplace, in the order pages show them.
    pub const ALL: [Self; 3] = [Self::Ozon, Self::Wildberries, Self::YandexMarket];
}

/// What a key may do, and what the shop's owner should know about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "db", derive(utoipa::ToSchema))]
pub struct Capabilities {
    /// Whether chats and messages can be read.
    pub read: bool,
    /// Whether answers can be sent.
    pub send: bool,
    /// Whether reading can be reported to the marketplace.
    pub mark_read: bool,
    /// When the key stops working, if the marketplace tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Requests of each chat method an hour, where a key is limited below the usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_hour: Option<u32>,
}

/// Something the shop's owner should know or mend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "db", derive(utoipa::ToSchema))]
pub struct Warning {
    /// Stable: `read_only`, `no_chat_access`, `base_token`, `test_token`, `expires_soon`, `expired`,
    /// `key_rejected`, `probe_unavailable`.
    pub code: String,
    /// What it means and how to mend it, in one sentence.
    pub message: String,
}

/// What the marketplace tells about the conversation around the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatContext {
    /// What kind of chat it is, in the marketplace's words in lower case: Ozon `buyer_seller`,
    /// `buyer_seller_select`; Yandex Market `order`, `return`, `direct`, `arbitrage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer_external_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_sku: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_image_url: Option<String>,
}

impl ChatContext {
    /// Takes over what `newer` knows; what it does not know stays.
    pub fn merge(&mut self, newer: Self) {
        let fields = [
            (&mut self.chat_type, newer.chat_type),
            (&mut self.buyer_name, newer.buyer_name),
            (&mut self.buyer_external_id, newer.buyer_external_id),
            (&mut self.order_id, newer.order_id),
            (&mut self.product_name, newer.product_name),
            (&mut self.product_sku, newer.product_sku),
            (&mut self.product_image_url, newer.product_image_url),
        ];
        for (known, told) in fields {
            if told.is_some() {
                *known = told;
            }
        }
    }
}

/// A file of a message: where it can be had with the shop's credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorAttachment {
    /// The vendor's handle: a URL, or a download id.
    pub source: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
}
