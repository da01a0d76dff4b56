//! What identifies a thing: one type per table, so that no two can be confused.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The paying customer whose data a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(
    feature = "db",
    derive(diesel::AsExpression, diesel::FromSqlRow),
    diesel(sql_type = diesel::sql_types::Uuid)
)]
#[serde(transparent)]
pub struct TenantId(pub Uuid);

impl std::fmt::Display for TenantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! row_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(
            feature = "db",
            derive(diesel::AsExpression, diesel::FromSqlRow),
            diesel(sql_type = diesel::sql_types::BigInt)
        )]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

row_ids! {
    /// A person of a tenant.
    UserId,
    /// A signed-in device of a person.
    SessionId,
    /// An invitation into a tenant.
    InviteId,
    /// A key for programs.
    ApiTokenId,
    /// An entry of the audit log.
    AuditEntryId,
    /// A shop account at one marketplace.
    SellerId,
    /// A conversation with one buyer.
    ChatId,
    /// The beginning of a chat that somebody wants.
    ChatStartId,
    /// One message of a chat.
    MessageId,
    /// What somebody told the others about a chat.
    NoteId,
    /// A time in which an answer was owed.
    ObligationId,
    /// A rule within which time buyers are answered.
    SlaRuleId,
    /// The hours in which a tenant's people work.
    BusinessHoursId,
    /// A draft of an answer.
    SuggestionId,
    /// An answer that is written once and used often.
    CannedReplyId,
    /// A filter of the list of chats that people come back to.
    SavedViewId,
    /// A file of a message, or one uploaded to be sent.
    FileId,
}

/// A public id for a new row: time-ordered, so that its index stays compact.
pub fn new_public_id() -> Uuid {
    Uuid::now_v7()
}
