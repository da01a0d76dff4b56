//! How Ozon's list of chats becomes ours.

use serde::Deserialize;
use serde_json::Value;

use crate::marketplaces::wire::{self, Id};
use crate::marketplaces::{ChatContext, ChatPage, ChatSummary};

/// The answer of /v3/chat/list.
#[derive(Deserialize)]
pub(super) struct ChatList {
    #[serde(default, deserialize_with = "wire::items")]
    chats: Vec<Value>,
    cursor: Option<Id>,
    #[serde(default, deserialize_with = "wire::flag")]
    has_next: bool,
}

impl ChatList {
    pub(super) fn into_page(self, asked: Option<&str>) -> ChatPage {
        let chats = self.chats.into_iter().enumerate();
        let next = wire::id_text(self.cursor)
            .filter(|cursor| self.has_next && Some(cursor.as_str()) != asked);
        ChatPage {
            chats: chats
                .filter_map(|(position, chat)| wire::item::<Chat>(chat, position, "Ozon's chats"))
                .filter_map(Chat::into_summary)
                .collect(),
            next,
        }
    }
}

impl Chat {
    /// None for chats with support and for notifications: the list cannot be filtered by type.
    fn into_summary(self) -> Option<ChatSummary> {
        // Spelled BUYER_SELLER in the API, Buyer_Seller in the prose; new types come every month.
        let kind = self.chat.chat_type.unwrap_or_default().to_ascii_uppercase();
        matches!(kind.as_str(), "BUYER_SELLER" | "BUYER_SELLER_SELECT").then(|| ChatSummary {
            external_id: self.chat.chat_id.0,
            newest: wire::id_text(self.last_message_id),
            context: ChatContext {
                chat_type: Some(kind.to_ascii_lowercase()),
                ..ChatContext::default()
            },
            reply_sign: None,
        })
    }
}

#[derive(Deserialize)]
struct Chat {
    chat: ChatInfo,
    last_message_id: Option<Id>,
}

#[derive(Deserialize)]
struct ChatInfo {
    chat_id: Id,
    chat_type: Option<String>,
}
