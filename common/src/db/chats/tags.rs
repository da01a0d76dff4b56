//! The tags of chats: what people sort them by.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Uuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Chat;
use crate::db::schema::chats;
use crate::ids::{ChatId, TenantId};

/// How many tagged chats are looked through, those changed last first.
const LOOKED_THROUGH: i64 = 20_000;
/// How many tags are known at most.
const MOST_TAGS: i64 = 200;

/// A tag, and how many chats bear it.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct TagUse {
    #[diesel(sql_type = Text)]
    pub tag: String,
    /// Up to 1000.
    #[diesel(sql_type = BigInt)]
    pub chats: i64,
}

/// Gives a chat other tags, and a new version.
pub async fn set_tags(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    tags: &[String],
    now: DateTime<Utc>,
) -> QueryResult<Chat> {
    diesel::update(chats::table.find((tenant, id)))
        .set((
            chats::tags.eq(tags),
            chats::version.eq(chats::version + 1),
            chats::updated_at.eq(now),
        ))
        .returning(Chat::as_returning())
        .get_result(conn)
        .await
}

/// The tags of the tenant's chats, those used most first.
pub async fn tags_in_use(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
) -> QueryResult<Vec<TagUse>> {
    sql_query(
        "SELECT tag, least(count(*), 1000) AS chats FROM ( \
             SELECT tags FROM chats WHERE tenant_id = $1 AND tags <> '{}' \
             ORDER BY updated_at DESC LIMIT $2) tagged, unnest(tags) tag \
         GROUP BY tag ORDER BY count(*) DESC, tag LIMIT $3",
    )
    .bind::<Uuid, _>(tenant)
    .bind::<BigInt, _>(LOOKED_THROUGH)
    .bind::<BigInt, _>(MOST_TAGS)
    .load(conn)
    .await
}
