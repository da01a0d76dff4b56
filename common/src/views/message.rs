//! A message as clients see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db::files::{File, FileState};
use crate::db::messages::{Attachment, Author, Direction, Message};
use crate::domain::delivery::MessageState;
use crate::ids::{ChatId, MessageId, UserId};

/// One message of a chat.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView {
    #[schema(value_type = i64)]
    pub id: MessageId,
    #[schema(value_type = i64)]
    pub chat_id: ChatId,
    /// The marketplace's id; null until its history showed our message.
    pub external_id: Option<String>,
    pub direction: Direction,
    pub author: AuthorView,
    /// Plain text as a person reads it.
    pub text: String,
    pub attachments: Vec<AttachmentView>,
    /// `received`; or `queued`, `sending`, then `sent`, `failed`, or `unknown` while it is being
    /// found out whether it arrived.
    pub state: MessageState,
    /// Why it failed.
    pub error: Option<MessageErrorView>,
    /// How often it was handed to the marketplace.
    pub attempts: i32,
    /// The marketplace's time of the message once that is known.
    pub sent_at: Option<DateTime<Utc>>,
    pub read_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Who wrote it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MessageAuthor)]
pub struct AuthorView {
    #[serde(rename = "type")]
    pub kind: Author,
    /// The person of the tenant; null for buyers and for what was written in the marketplace's own
    /// cabinet.
    #[schema(value_type = Option<i64>)]
    pub user_id: Option<UserId>,
    pub name: Option<String>,
}

/// A file of a message.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Attachment)]
pub struct AttachmentView {
    /// For `GET /api/files/{id}`.
    pub file_id: Uuid,
    pub name: String,
    /// What the marketplace says, until the file is `ready`; then what its content says.
    pub content_type: Option<String>,
    pub size_bytes: Option<i64>,
    /// `pending`: it is being fetched; `moderation`: the marketplace still examines it; `ready`; `blocked`:
    /// the marketplace does not hand it out; `failed`: it could not be fetched.
    pub state: FileState,
    /// Why it is `blocked` or `failed`.
    pub error: Option<String>,
}

/// Why a message failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MessageError)]
pub struct MessageErrorView {
    /// Stable, for programs.
    #[schema(example = "seller_key_rejected")]
    pub code: String,
    /// For people, with the marketplace's own words.
    pub message: String,
}

impl MessageView {
    /// The message; `author_name` is the person's name, for messages of ours.
    pub fn new(message: &Message, author_name: Option<String>) -> Self {
        let error = message.error_code.clone().map(|code| MessageErrorView {
            message: message.error_message.clone().unwrap_or_default(),
            code,
        });
        Self {
            id: message.id,
            chat_id: message.chat_id,
            external_id: message.external_id.clone(),
            direction: message.direction,
            author: AuthorView {
                kind: message.author,
                user_id: message.user_id,
                name: author_name,
            },
            text: message.text.clone(),
            attachments: message.attachments.0.iter().map(Into::into).collect(),
            state: message.state,
            error,
            attempts: message.attempts,
            sent_at: message.sent_at,
            read_at: message.read_at,
            created_at: message.created_at,
        }
    }
}

impl From<&File> for AttachmentView {
    fn from(file: &File) -> Self {
        Self::from(&Attachment::from(file))
    }
}

impl From<&Attachment> for AttachmentView {
    fn from(attachment: &Attachment) -> Self {
        Self {
            file_id: attachment.file_id,
            name: attachment.name.clone(),
            content_type: attachment.content_type.clone(),
            size_bytes: attachment.size_bytes,
            state: attachment.state,
            error: attachment.error.clone(),
        }
    }
}
