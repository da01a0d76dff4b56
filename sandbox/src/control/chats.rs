//! How is one chat looked at in full, or given another status?

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock;
use crate::pushes;
use crate::world::{Author, Change, Marketplace, Via, World};

use super::{Refused, find_chat};

/// Which chat, and what becomes of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ChatRequest {
    /// The marketplace.
    pub marketplace: Marketplace,
    /// Chat id.
    #[serde(default, deserialize_with = "super::id")]
    pub chat: Option<String>,
    /// Its new status, as the marketplace writes it.
    pub status: Option<String>,
    /// Its new kind, as the marketplace writes it.
    pub chat_type: Option<String>,
}

/// A message as the marketplace keeps it, shown to clients or not.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StoredMessage {
    /// Message id.
    pub message: String,
    /// RFC 3339, milliseconds, UTC.
    pub at: String,
    /// Who wrote it.
    pub author: Author,
    /// How it came in.
    pub via: Via,
    /// The text as written; null for an event without a message.
    pub text: Option<String>,
    /// Ids of its files.
    pub files: Vec<String>,
}

pub(super) fn change(world: &mut World, request: ChatRequest) -> Result<Value, Refused> {
    let place = find(world, &request)?;
    let chat = &world.chats[place];
    let old_kind = chat.kind.clone();
    let status = request.status.unwrap_or_else(|| chat.status.clone());
    let kind = request.chat_type.unwrap_or_else(|| chat.kind.clone());
    world.record(Change::Status(place, status, kind));
    pushes::status_changed(world, place, &old_kind);
    let chat = &world.chats[place];
    Ok(json!({"chat": chat.id, "status": chat.status, "chat_type": chat.kind}))
}

pub(super) fn read(world: &mut World, request: &ChatRequest) -> Result<Value, Refused> {
    let place = find(world, request)?;
    let now = world.now();
    let mut body = super::state::chat(world, place, now);
    body["messages"] = json!(stored(world, place));
    Ok(body)
}

pub(super) fn messages(
    world: &World,
    market: Marketplace,
    chat: &str,
) -> Option<Vec<StoredMessage>> {
    Some(stored(world, world.chat_by_id(market, chat)?))
}

fn stored(world: &World, place: usize) -> Vec<StoredMessage> {
    let messages = world.chats[place].messages.iter();
    messages
        .map(|message| StoredMessage {
            message: message.id.clone(),
            at: clock::iso_ms(message.at),
            author: message.author,
            via: message.via,
            text: message.text.clone(),
            files: message.files.clone(),
        })
        .collect()
}

fn find(world: &World, request: &ChatRequest) -> Result<usize, Refused> {
    let Some(chat) = &request.chat else {
        return Err(Refused::wrong("chat is required"));
    };
    find_chat(world, request.marketplace, None, chat)
}
