//! How Wildberries' list of chats becomes ours.

use serde::Deserialize;
use serde_json::Value;

use crate::marketplaces::wire::{self, Id};
use crate::marketplaces::{ChatContext, ChatPage, ChatSummary};

/// The answer of /api/v1/seller/chats.
#[derive(Deserialize)]
pub(super) struct Chats {
    #[serde(default, deserialize_with = "wire::items")]
    result: Vec<Value>,
}

impl Chats {
    pub(super) fn into_page(self) -> ChatPage {
        let chats = self.result.into_iter().enumerate();
        ChatPage {
            chats: chats
                .filter_map(|(at, chat)| wire::item::<Chat>(chat, at, "Wildberries' chats"))
                .map(Chat::into_summary)
                .collect(),
            next: None,
        }
    }
}

impl Chat {
    fn into_summary(self) -> ChatSummary {
        let mut context = self.good_card.unwrap_or_default().into_context();
        context.buyer_name = self.client_name.filter(|name| !name.is_empty());
        let newest = self.last_message.and_then(|last| last.add_timestamp);
        ChatSummary {
            external_id: self.chat_id.0,
            newest: newest.map(|at| at.to_string()),
            context,
            reply_sign: self.reply_sign.filter(|sign| !sign.is_empty()),
        }
    }
}

impl GoodCard {
    pub(super) fn into_context(self) -> ChatContext {
        ChatContext {
            // `rid` is the `srid` of the methods about orders.
            order_id: wire::id_text(self.rid),
            product_sku: wire::id_text(self.nm_id).filter(|id| id != "0"),
            ..ChatContext::default()
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chat {
    #[serde(rename = "chatID")]
    chat_id: Id,
    reply_sign: Option<String>,
    client_name: Option<String>,
    good_card: Option<GoodCard>,
    last_message: Option<LastMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LastMessage {
    #[serde(default, deserialize_with = "wire::whole")]
    add_timestamp: Option<i64>,
}

/// The article and the order that a chat is about.
#[derive(Default, Deserialize)]
pub(super) struct GoodCard {
    #[serde(rename = "nmID")]
    nm_id: Option<Id>,
    rid: Option<Id>,
}
