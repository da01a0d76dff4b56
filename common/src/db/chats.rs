//! Table `chats`: conversations, their place in the queue, and their leases.

mod alarms;
mod delivery;
mod desk;
mod drafts;
mod filters;
mod tags;

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::messages::Direction;
use super::schema::chats;
use crate::channel::{ChatContext, Marketplace};
use crate::domain::deadlines::{ChatStatus, Nearer, Obligation, Owed, nearer};
use crate::domain::suggestions::ChatSuggestion;
use crate::ids::{ChatId, MessageId, SellerId, TenantId, UserId, new_public_id};

pub use self::alarms::{
    claim_alarms_across_tenants, end_alarm, lock_with_alarm, ring, ring_all, set_alarm,
};
pub use self::delivery::{
    claim_delivery_if_due, claim_due_deliveries_across_tenants, give_back, lock_claimed, release,
    schedule_delivery,
};
pub use self::desk::{
    ChatCursor, ChatSort, ViewCounts, assign, count, counts, list, owing, touch, unassign_all,
};
pub use self::drafts::{claim_drafts_across_tenants, lock_with_draft, want_draft};
use self::filters::escape_like;
pub use self::filters::{Assignee, ChatFilter, SuggestionFilter};
pub use self::tags::{TagUse, set_tags, tags_in_use};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = chats)]
pub struct Chat {
    pub tenant_id: TenantId,
    pub id: ChatId,
    pub public_id: Uuid,
    pub channel: Marketplace,
    pub seller_id: SellerId,
    pub external_id: String,
    pub assigned_to: Option<UserId>,
    pub status: ChatStatus,
    pub unread_count: i32,
    pub last_message_preview: Option<String>,
    pub last_message_at: Option<DateTime<Utc>>,
    pub last_message_direction: Option<Direction>,
    pub queue_at: DateTime<Utc>,
    pub owed_since: Option<DateTime<Utc>>,
    pub last_buyer_at: Option<DateTime<Utc>>,
    pub last_buyer_message_id: Option<MessageId>,
    pub window_closes_at: Option<DateTime<Utc>>,
    pub deliver_at: Option<DateTime<Utc>>,
    pub lease_token: Option<Uuid>,
    pub lease_until: Option<DateTime<Utc>>,
    pub context: StoredContext,
    pub vendor_state: VendorState,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub obligation: Option<StoredObligation>,
    pub at_risk_at: Option<DateTime<Utc>>,
    pub alarm_at: Option<DateTime<Utc>>,
    pub snoozed_until: Option<DateTime<Utc>>,
    pub tags: Vec<String>,
    pub suggest_at: Option<DateTime<Utc>>,
    pub suggestion: Option<StoredSuggestion>,
}

impl Chat {
    /// What the chat says about who owes an answer.
    pub fn owed(&self) -> Owed {
        Owed {
            since: self.owed_since,
            last_buyer_at: self.last_buyer_at,
        }
    }

    /// The obligation in force.
    pub fn obligation(&self) -> Option<&Obligation> {
        self.obligation.as_ref().map(|stored| &stored.0)
    }

    /// The nearer clock, while one runs.
    pub fn nearer(&self) -> Option<Nearer> {
        let obligation = self.obligation()?;
        Some(nearer(self.owed(), obligation, self.window_closes_at))
    }

    /// Where the newest draft stands.
    pub fn suggestion(&self) -> Option<&ChatSuggestion> {
        self.suggestion.as_ref().map(|stored| &stored.0)
    }
}

/// Column `context`.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow,
)]
#[diesel(sql_type = sql_types::Jsonb)]
#[serde(transparent)]
pub struct StoredContext(pub ChatContext);

/// Column `obligation`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Jsonb)]
#[serde(transparent)]
pub struct StoredObligation(pub Obligation);

/// Column `suggestion`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Jsonb)]
#[serde(transparent)]
pub struct StoredSuggestion(pub ChatSuggestion);

/// Column `vendor_state`: what the connector must remember about a chat.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow,
)]
#[diesel(sql_type = sql_types::Jsonb)]
pub struct VendorState {
    /// What a send must carry (Wildberries).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_sign: Option<String>,
    /// What the list said about the newest message when everything up to it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// Since when the list has been ahead of the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead_since: Option<DateTime<Utc>>,
}

/// One chat of the tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
) -> QueryResult<Option<Chat>> {
    chats::table
        .find((tenant, id))
        .select(Chat::as_select())
        .first(conn)
        .await
        .optional()
}

/// One chat of the tenant, locked until the transaction ends.
pub async fn lock(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
) -> QueryResult<Option<Chat>> {
    chats::table
        .find((tenant, id))
        .select(Chat::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
}

/// The shop's chats with these external ids.
pub async fn find_by_external_ids(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    seller: SellerId,
    external_ids: &[&str],
) -> QueryResult<Vec<Chat>> {
    chats::table
        .filter(chats::tenant_id.eq(tenant))
        .filter(chats::seller_id.eq(seller))
        .filter(chats::external_id.eq_any(external_ids))
        .select(Chat::as_select())
        .load(conn)
        .await
}

/// The shop's newest chat about an order.
pub async fn find_by_order(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    seller: SellerId,
    order_id: &str,
) -> QueryResult<Option<Chat>> {
    // The words of searches have an index; they are looked through first, and only then compared.
    sql_query(
        "SELECT chats.* FROM chat_searches found \
         JOIN chats ON chats.tenant_id = found.tenant_id AND chats.id = found.chat_id \
         WHERE found.tenant_id = $1 AND found.text LIKE '%' || fold_text($4) \
             AND chats.seller_id = $2 AND chats.context ->> 'order_id' = $3 \
         ORDER BY chats.id DESC LIMIT 1",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::BigInt, _>(seller)
    .bind::<sql_types::Text, _>(order_id)
    .bind::<sql_types::Text, _>(escape_like(order_id))
    .get_result(conn)
    .await
    .optional()
}

/// The shop's chat with this external id, made if it is not there, locked until the transaction ends.
pub async fn lock_or_create(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    seller: SellerId,
    channel: Marketplace,
    external_id: &str,
    now: DateTime<Utc>,
) -> QueryResult<Chat> {
    diesel::insert_into(chats::table)
        .values((
            chats::tenant_id.eq(tenant),
            chats::seller_id.eq(seller),
            chats::channel.eq(channel),
            chats::external_id.eq(external_id),
            chats::public_id.eq(new_public_id()),
            chats::created_at.eq(now),
            chats::updated_at.eq(now),
        ))
        .on_conflict((chats::tenant_id, chats::seller_id, chats::external_id))
        .do_nothing()
        .execute(conn)
        .await?;
    chats::table
        .filter(chats::tenant_id.eq(tenant))
        .filter(chats::seller_id.eq(seller))
        .filter(chats::external_id.eq(external_id))
        .select(Chat::as_select())
        .for_update()
        .first(conn)
        .await
}

/// The shop's chats that wait for the echo of a message sent since `since`.
pub async fn with_unbound_messages(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    seller: SellerId,
    since: DateTime<Utc>,
) -> QueryResult<Vec<Chat>> {
    sql_query(
        "SELECT * FROM chats WHERE tenant_id = $1 AND seller_id = $2 AND id IN ( \
             SELECT chat_id FROM messages WHERE tenant_id = $1 AND direction = 'outgoing' \
                 AND external_id IS NULL AND state IN ('sending', 'sent', 'unknown') \
                 AND at > $3)",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::BigInt, _>(seller)
    .bind::<sql_types::Timestamptz, _>(since)
    .load(conn)
    .await
}

/// Stores what the marketplace told about a chat besides its messages.
pub async fn store_vendor_facts(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    context: &StoredContext,
    vendor_state: &VendorState,
) -> QueryResult<usize> {
    diesel::update(chats::table.find((tenant, id)))
        .set((
            chats::context.eq(context),
            chats::vendor_state.eq(vendor_state),
        ))
        .execute(conn)
        .await
}

/// What follows from the messages of a chat and from what people did to it.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = chats, treat_none_as_null = true)]
pub struct Standing {
    pub status: ChatStatus,
    pub unread_count: i32,
    pub last_message_preview: Option<String>,
    pub last_message_at: Option<DateTime<Utc>>,
    pub last_message_direction: Option<Direction>,
    pub queue_at: DateTime<Utc>,
    pub owed_since: Option<DateTime<Utc>>,
    pub last_buyer_at: Option<DateTime<Utc>>,
    pub last_buyer_message_id: Option<MessageId>,
    pub window_closes_at: Option<DateTime<Utc>>,
    pub obligation: Option<StoredObligation>,
    pub at_risk_at: Option<DateTime<Utc>>,
    pub alarm_at: Option<DateTime<Utc>>,
    pub snoozed_until: Option<DateTime<Utc>>,
    pub suggest_at: Option<DateTime<Utc>>,
    pub suggestion: Option<StoredSuggestion>,
    pub updated_at: DateTime<Utc>,
}

/// Stores how a locked chat stands, and gives it a new version.
pub async fn store_standing(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    standing: &Standing,
) -> QueryResult<Chat> {
    diesel::update(chats::table.find((tenant, id)))
        .set((standing, chats::version.eq(chats::version + 1)))
        .returning(Chat::as_returning())
        .get_result(conn)
        .await
}

/// Whether an answer falls due in one of the shop's chats between two times.
pub async fn has_deadline_between(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    seller: SellerId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> QueryResult<bool> {
    let due = chats::table
        .filter(chats::tenant_id.eq(tenant))
        .filter(chats::seller_id.eq(seller))
        .filter(chats::queue_at.between(from, to));
    diesel::select(diesel::dsl::exists(due))
        .get_result(conn)
        .await
}
