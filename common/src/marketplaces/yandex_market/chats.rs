//! How Yandex Market's list of chats becomes ours.

use serde::Deserialize;
use serde_json::Value;

use crate::marketplaces::wire::{self, Id};
use crate::marketplaces::{ChatContext, ChatPage, ChatSummary};

/// The result of getChats.
#[derive(Deserialize)]
pub(super) struct Chats {
    #[serde(default, deserialize_with = "wire::items")]
    chats: Vec<Value>,
    paging: Option<Paging>,
}

impl Chats {
    pub(super) fn into_page(self, asked: Option<&str>) -> ChatPage {
        let chats = self.chats.into_iter().enumerate();
        ChatPage {
            chats: chats
                .filter_map(|(at, chat)| wire::item::<Chat>(chat, at, "Yandex Market's chats"))
                .map(Chat::into_summary)
                .collect(),
            next: self.paging.unwrap_or_default().next(asked),
        }
    }
}

impl Chat {
    fn into_summary(self) -> ChatSummary {
        let mut context = self.context.unwrap_or_default().into_context();
        context.order_id = context.order_id.or_else(|| wire::id_text(self.order_id));
        if self.kind.as_deref() == Some("ARBITRAGE") {
            context.chat_type = Some("arbitrage".to_owned());
        }
        ChatSummary {
            external_id: self.chat_id.0,
            newest: self.updated_at,
            context,
            reply_sign: None,
        }
    }
}

impl Context {
    pub(super) fn into_context(self) -> ChatContext {
        let customer = self.customer.unwrap_or_default();
        ChatContext {
            buyer_name: customer.name.filter(|name| !name.is_empty()),
            buyer_external_id: wire::id_text(customer.public_id),
            order_id: wire::id_text(self.order_id),
            chat_type: self.kind.map(|kind| kind.to_ascii_lowercase()),
            ..ChatContext::default()
        }
    }
}

impl Paging {
    /// A token that leads to the page it came with would be followed for ever.
    pub(super) fn next(self, asked: Option<&str>) -> Option<String> {
        self.next_page_token
            .filter(|token| !token.is_empty() && Some(token.as_str()) != asked)
    }
}

/// Where the next page is, if there is one.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Paging {
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chat {
    chat_id: Id,
    order_id: Option<Id>,
    #[serde(rename = "type")]
    kind: Option<String>,
    context: Option<Context>,
    /// "Date and time of the last message in the chat."
    updated_at: Option<String>,
}

/// Who and what a chat is about.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Context {
    #[serde(rename = "type")]
    kind: Option<String>,
    order_id: Option<Id>,
    customer: Option<Customer>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Customer {
    name: Option<String>,
    public_id: Option<Id>,
}
