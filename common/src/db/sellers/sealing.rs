//! Which encryption keys the shops' keys are sealed with, and how they get a new one.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::key_place;
use crate::channel::Marketplace;
use crate::ids::{SellerId, TenantId};
use crate::secrets::Place;

/// How many shops' keys are sealed with one encryption key.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct KeyCount {
    #[diesel(sql_type = sql_types::Text)]
    pub key_id: String,
    #[diesel(sql_type = sql_types::BigInt)]
    pub sellers: i64,
}

/// A shop's sealed key.
#[derive(Clone, Debug, QueryableByName)]
pub struct SealedKey {
    #[diesel(sql_type = sql_types::Uuid)]
    pub tenant_id: TenantId,
    #[diesel(sql_type = sql_types::BigInt)]
    pub id: SellerId,
    #[diesel(sql_type = sql_types::Uuid)]
    pub public_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    pub sealed_key: String,
}

impl SealedKey {
    /// Where it stands.
    pub fn place(&self) -> Place<'static> {
        key_place(self.tenant_id, self.public_id)
    }
}

/// How many shops name which encryption key, deactivated ones included.
pub async fn count_by_key_across_tenants(
    conn: &mut AsyncPgConnection,
) -> QueryResult<Vec<KeyCount>> {
    sql_query(
        "SELECT split_part(sealed_key, '.', 2) AS key_id, count(*) AS sellers \
         FROM sellers GROUP BY 1 ORDER BY 1",
    )
    .load(conn)
    .await
}

/// Shops of a marketplace whose keys are sealed with this encryption key, deactivated ones included. Goes
/// through the table in the order of its primary key: asked seldom, it is not worth an index that each
/// poll would have to keep.
pub async fn list_sealed_with_across_tenants(
    conn: &mut AsyncPgConnection,
    marketplace: Marketplace,
    key_id: &str,
    after: Option<(TenantId, SellerId)>,
    limit: i64,
) -> QueryResult<Vec<SealedKey>> {
    let (tenant, id) = after.unwrap_or((TenantId(Uuid::nil()), SellerId(0)));
    sql_query(
        "SELECT tenant_id, id, public_id, sealed_key FROM sellers \
         WHERE marketplace = $1 AND split_part(sealed_key, '.', 2) = $2 \
             AND (tenant_id, id) > ($3, $4) \
         ORDER BY tenant_id, id LIMIT $5",
    )
    .bind::<sql_types::Text, _>(marketplace)
    .bind::<sql_types::Text, _>(key_id)
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::BigInt, _>(id)
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await
}

/// Replaces what is sealed, `(before, after)`, and tells of how many shops. A shop is left as it is if its
/// key was changed meanwhile, if somebody else writes to it, or while it is polled: how a poll ends is
/// judged by the key it began with.
pub async fn reseal_across_tenants(
    conn: &mut AsyncPgConnection,
    resealed: &[(SealedKey, String)],
) -> QueryResult<usize> {
    let tenants: Vec<_> = resealed.iter().map(|(it, _)| it.tenant_id).collect();
    let ids: Vec<_> = resealed.iter().map(|(it, _)| it.id).collect();
    let before: Vec<_> = resealed.iter().map(|(it, _)| &it.sealed_key).collect();
    let after: Vec<_> = resealed.iter().map(|(_, after)| after).collect();
    // Rows are locked without waiting: neither a poll nor a person nor another worker is held up.
    sql_query(
        "UPDATE sellers SET sealed_key = free.after FROM ( \
             SELECT held.tenant_id, held.id, fresh.after \
             FROM unnest($1, $2, $3, $4) AS fresh (tenant_id, id, before, after) \
             JOIN sellers held ON held.tenant_id = fresh.tenant_id AND held.id = fresh.id \
             WHERE held.sealed_key = fresh.before \
                 AND (held.lease_until IS NULL OR held.lease_until < now()) \
             FOR UPDATE OF held SKIP LOCKED) AS free \
         WHERE sellers.tenant_id = free.tenant_id AND sellers.id = free.id",
    )
    .bind::<sql_types::Array<sql_types::Uuid>, _>(tenants)
    .bind::<sql_types::Array<sql_types::BigInt>, _>(ids)
    .bind::<sql_types::Array<sql_types::Text>, _>(before)
    .bind::<sql_types::Array<sql_types::Text>, _>(after)
    .execute(conn)
    .await
}
