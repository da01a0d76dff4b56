//! How do people write into a chat from outside: as a buyer, or in the cabinet?

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::world::{Author, Context, Draft, Marketplace, NewChat, Order, Via, World};

use super::{Refused, find_chat, find_shop};

/// What a buyer writes.
#[derive(Clone, Debug, Deserialize)]
pub struct WriteRequest {
    /// The marketplace.
    pub marketplace: Marketplace,
    /// The shop; without it the first one which `demo` has connected.
    #[serde(default, deserialize_with = "super::id")]
    pub seller: Option<String>,
    /// The chat; without it a new one begins.
    #[serde(default, deserialize_with = "super::id")]
    pub chat: Option<String>,
    /// The text, taken as it is.
    #[serde(default)]
    pub text: String,
    /// Buyer's name in a new chat.
    #[serde(default)]
    pub name: String,
    /// A file to attach.
    pub file: Option<FileRequest>,
    /// Who writes, if not the buyer.
    #[serde(default, rename = "as")]
    pub author: Author,
    /// Kind of a new chat, for example `SELLER_SUPPORT` or `ARBITRAGE`.
    pub chat_type: Option<String>,
    /// What a new chat is about: `DIRECT`, `ORDER` or `RETURN`.
    pub context: Option<String>,
    /// Kind of event, for example `refund` (Wildberries).
    pub event_type: Option<String>,
    /// Whether the event carries no message (Wildberries).
    #[serde(default)]
    pub no_message: bool,
}

/// A file to attach.
#[derive(Clone, Debug, Deserialize)]
pub struct FileRequest {
    /// Name with extension.
    pub name: String,
    /// Content in base64; a picture of one pixel if missing.
    pub base64_content: Option<String>,
    /// `passed` (default), `pending` for 30 s, or `failed`.
    pub moderation: Option<String>,
}

/// What somebody answers in the marketplace's own cabinet.
#[derive(Clone, Debug, Deserialize)]
pub struct CabinetRequest {
    /// The marketplace.
    pub marketplace: Marketplace,
    /// The shop, if it is to be checked.
    #[serde(default, deserialize_with = "super::id")]
    pub seller: Option<String>,
    /// The chat.
    #[serde(default, deserialize_with = "super::id")]
    pub chat: Option<String>,
    /// The text.
    pub text: String,
}

/// Where a message went.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Written {
    /// The marketplace.
    pub marketplace: Marketplace,
    /// Client id, business id or supplier id.
    pub seller: String,
    /// Chat id.
    pub chat: String,
    /// Message id.
    pub message: String,
}

pub(super) fn write_as_buyer(world: &mut World, request: WriteRequest) -> Result<Written, Refused> {
    let market = request.marketplace;
    let seller = request.seller.as_deref();
    if request.text.is_empty() && request.file.is_none() && !request.no_message {
        return Err(Refused::wrong("text must not be empty"));
    }
    let content = request.file.as_ref().map(content_of).transpose()?;
    let chat = match &request.chat {
        Some(chat) => find_chat(world, market, seller, chat)?,
        None => {
            let shop = find_shop(world, market, seller)?;
            let new = NewChat {
                buyer_name: request.name.clone(),
                kind: request.chat_type.clone(),
                context: context_of(world, shop, request.context.as_deref()),
                ..NewChat::default()
            };
            world.begin_chat(shop, new)
        }
    };
    let mut files = Vec::new();
    if let (Some(file), Some(content)) = (&request.file, content) {
        let shop = world.chats[chat].shop;
        let wait = match file.moderation.as_deref() {
            Some("failed") => None,
            Some("pending") => Some(30_000),
            _ => Some(0),
        };
        files.push(world.store_file(shop, &file.name, content, wait));
    }
    let draft = Draft {
        author: request.author,
        text: (!request.no_message).then_some(request.text),
        files,
        event_type: request.event_type,
        ..Draft::default()
    };
    Ok(write(world, chat, draft))
}

pub(super) fn write_in_cabinet(
    world: &mut World,
    request: CabinetRequest,
) -> Result<Written, Refused> {
    let Some(chat) = &request.chat else {
        return Err(Refused::wrong("chat is required"));
    };
    if request.text.is_empty() {
        return Err(Refused::wrong("text must not be empty"));
    }
    let chat = find_chat(world, request.marketplace, request.seller.as_deref(), chat)?;
    let draft = Draft {
        author: Author::Seller,
        via: Via::Cabinet,
        text: Some(request.text),
        ..Draft::default()
    };
    Ok(write(world, chat, draft))
}

/// What a chat about one of the shop's orders is about; the first order stands for all.
pub(super) fn context_of(world: &World, shop: usize, kind: Option<&str>) -> Context {
    let shop = &world.shops[shop];
    let is_delivered = |order: &&Order| order.scheme == "fbo";
    let order = shop
        .orders
        .iter()
        .find(is_delivered)
        .or(shop.orders.first());
    let kind = kind.unwrap_or("DIRECT").to_ascii_uppercase();
    let is_yandex = shop.marketplace == Marketplace::YandexMarket;
    let order = order.filter(|_| !is_yandex || kind != "DIRECT");
    Context {
        order: order.map(|order| order.number.clone()),
        return_id: order
            .filter(|_| kind == "RETURN")
            .and_then(|order| order.return_id),
        // the time after the delivery does not prolong such a chat
        scheme: "fbo".to_owned(),
        delivered_at: order.and_then(|order| order.delivered_at),
        sku: order.map(|order| order.sku),
        price: order.map_or(0, |order| order.price),
        kind,
    }
}

fn write(world: &mut World, chat: usize, draft: Draft) -> Written {
    let at = world.write(chat, draft);
    let shop = world.shop_of_chat(chat);
    Written {
        marketplace: shop.marketplace,
        seller: shop.seller.clone(),
        chat: world.chats[chat].id.clone(),
        message: world.chats[chat].messages[at].id.clone(),
    }
}

fn content_of(file: &FileRequest) -> Result<Bytes, Refused> {
    let Some(text) = &file.base64_content else {
        return Ok(Bytes::from_static(crate::media::PIXEL_PNG));
    };
    let decoded = STANDARD.decode(text);
    decoded
        .map(Bytes::from)
        .map_err(|error| Refused::wrong(format!("base64_content: {error}")))
}
