//! How our own types are written to and read from columns.

use diesel::deserialize::{self, FromSql};
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types;
use uuid::Uuid;

use super::business_hours::StoredHours;
use super::chats::{StoredContext, StoredObligation, StoredSuggestion, VendorState};
use super::messages::StoredAttachments;
use super::sellers::{StoredCapabilities, StoredWarnings, VendorCursor};
use super::suggestions::StoredUsage;
use crate::ids::{
    ApiTokenId, AuditEntryId, BusinessHoursId, CannedReplyId, ChatId, ChatStartId, FileId,
    InviteId, MessageId, NoteId, ObligationId, SavedViewId, SellerId, SessionId, SlaRuleId,
    SuggestionId, TenantId, UserId,
};

impl ToSql<sql_types::Uuid, Pg> for TenantId {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<sql_types::Uuid, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<sql_types::Uuid, Pg> for TenantId {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        <Uuid as FromSql<sql_types::Uuid, Pg>>::from_sql(bytes).map(Self)
    }
}

macro_rules! bigint_columns {
    ($($name:ident),* $(,)?) => {$(
        impl ToSql<sql_types::BigInt, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                ToSql::<sql_types::BigInt, Pg>::to_sql(&self.0, out)
            }
        }

        impl FromSql<sql_types::BigInt, Pg> for $name {
            fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
                <i64 as FromSql<sql_types::BigInt, Pg>>::from_sql(bytes).map(Self)
            }
        }
    )*};
}

bigint_columns!(
    ApiTokenId,
    AuditEntryId,
    BusinessHoursId,
    CannedReplyId,
    ChatId,
    FileId,
    InviteId,
    ChatStartId,
    MessageId,
    NoteId,
    ObligationId,
    SavedViewId,
    SellerId,
    SessionId,
    SlaRuleId,
    SuggestionId,
    UserId,
);

/// Types kept in `jsonb` columns as their JSON.
macro_rules! jsonb_columns {
    ($($name:ty),* $(,)?) => {$(
        impl ToSql<sql_types::Jsonb, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                let json = serde_json::to_value(self)?;
                ToSql::<sql_types::Jsonb, Pg>::to_sql(&json, &mut out.reborrow())
            }
        }

        impl FromSql<sql_types::Jsonb, Pg> for $name {
            fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
                let json = <serde_json::Value as FromSql<sql_types::Jsonb, Pg>>::from_sql(bytes)?;
                Ok(serde_json::from_value(json)?)
            }
        }
    )*};
}

jsonb_columns!(
    StoredAttachments,
    StoredCapabilities,
    StoredContext,
    StoredHours,
    StoredObligation,
    StoredSuggestion,
    StoredUsage,
    StoredWarnings,
    VendorCursor,
    VendorState,
);
