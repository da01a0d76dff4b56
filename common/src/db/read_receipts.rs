//! Table `read_receipts`: what was read here and is yet to be reported to the marketplace.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel::upsert::excluded;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::read_receipts;
use crate::channel::Marketplace;
use crate::ids::{ChatId, TenantId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable, Insertable, QueryableByName)]
#[diesel(table_name = read_receipts)]
pub struct ReadReceipt {
    pub tenant_id: TenantId,
    pub chat_id: ChatId,
    pub channel: Marketplace,
    pub up_to_external_id: String,
    pub due_at: DateTime<Utc>,
    pub failures: i32,
}

/// Remembers what to report; a later message replaces an earlier one.
pub async fn upsert(conn: &mut AsyncPgConnection, receipt: &ReadReceipt) -> QueryResult<usize> {
    diesel::insert_into(read_receipts::table)
        .values(receipt)
        .on_conflict((read_receipts::tenant_id, read_receipts::chat_id))
        .do_update()
        .set((
            read_receipts::up_to_external_id.eq(excluded(read_receipts::up_to_external_id)),
            read_receipts::due_at.eq(excluded(read_receipts::due_at)),
            read_receipts::failures.eq(0),
        ))
        .execute(conn)
        .await
}

/// Claims receipts of a marketplace that are due, by moving them half a minute ahead.
pub async fn claim_due_across_tenants(
    conn: &mut AsyncPgConnection,
    channel: Marketplace,
    now: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<ReadReceipt>> {
    sql_query(
        "UPDATE read_receipts SET due_at = $3 WHERE (tenant_id, chat_id) IN ( \
             SELECT tenant_id, chat_id FROM read_receipts WHERE channel = $1 AND due_at <= $2 \
             ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED) RETURNING *",
    )
    .bind::<sql_types::Text, _>(channel)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Timestamptz, _>(now + TimeDelta::seconds(30))
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await
}

/// Forgets a receipt that was reported, unless it was replaced meanwhile.
pub async fn delete(conn: &mut AsyncPgConnection, receipt: &ReadReceipt) -> QueryResult<usize> {
    diesel::delete(read_receipts::table.find((receipt.tenant_id, receipt.chat_id)))
        .filter(read_receipts::up_to_external_id.eq(&receipt.up_to_external_id))
        .execute(conn)
        .await
}

/// Tries a receipt again at `at`.
pub async fn postpone(
    conn: &mut AsyncPgConnection,
    receipt: &ReadReceipt,
    at: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(read_receipts::table.find((receipt.tenant_id, receipt.chat_id)))
        .filter(read_receipts::up_to_external_id.eq(&receipt.up_to_external_id))
        .set((
            read_receipts::due_at.eq(at),
            read_receipts::failures.eq(read_receipts::failures + 1),
        ))
        .execute(conn)
        .await
}

/// Claims the receipt of one chat if it is due.
pub async fn claim_if_due(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    now: DateTime<Utc>,
) -> QueryResult<Option<ReadReceipt>> {
    diesel::update(read_receipts::table.find((tenant, chat)))
        .filter(read_receipts::due_at.le(now))
        .set(read_receipts::due_at.eq(now + TimeDelta::seconds(30)))
        .returning(ReadReceipt::as_returning())
        .get_result(conn)
        .await
        .optional()
}
