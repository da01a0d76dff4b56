//! How answering goes, worked out from `suggestions` and `obligations`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{self, BigInt, Nullable};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::ids::TenantId;

/// The figures of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct ReplyMetrics {
    #[diesel(sql_type = BigInt)]
    pub eligible: i64,
    #[diesel(sql_type = BigInt)]
    pub accepted: i64,
    #[diesel(sql_type = BigInt)]
    pub edited: i64,
    #[diesel(sql_type = BigInt)]
    pub rejected: i64,
    #[diesel(sql_type = BigInt)]
    pub stale: i64,
    #[diesel(sql_type = BigInt)]
    pub held: i64,
    #[diesel(sql_type = BigInt)]
    pub answered: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub median_s: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub p90_s: Option<i64>,
    #[diesel(sql_type = BigInt)]
    pub breached: i64,
    #[diesel(sql_type = BigInt)]
    pub no_answer: i64,
    #[diesel(sql_type = BigInt)]
    pub send_failed: i64,
    #[diesel(sql_type = BigInt)]
    pub shop_error: i64,
    #[diesel(sql_type = BigInt)]
    pub read_only: i64,
}

/// The figures of all that began since `since`.
pub async fn since(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    since: DateTime<Utc>,
) -> QueryResult<ReplyMetrics> {
    // A draft was held if a check forbids it, whatever became of it later.
    sql_query(
        "WITH drafts AS (SELECT outcome_kind, EXISTS ( \
                 SELECT 1 FROM jsonb_array_elements(checks) AS found \
                 WHERE found ->> 'verdict' = 'forbid') AS was_held \
             FROM suggestions WHERE tenant_id = $1 AND created_at >= $2), \
         counted AS (SELECT \
             count(*) FILTER (WHERE NOT was_held OR outcome_kind IN ('sent_as_is', 'edited')) \
                 AS eligible, \
             count(*) FILTER (WHERE outcome_kind = 'sent_as_is') AS accepted, \
             count(*) FILTER (WHERE outcome_kind = 'edited') AS edited, \
             count(*) FILTER (WHERE outcome_kind = 'rejected' AND NOT was_held) AS rejected, \
             count(*) FILTER (WHERE outcome_kind = 'stale' AND NOT was_held) AS stale, \
             count(*) FILTER (WHERE was_held) AS held \
             FROM drafts), \
         owed AS (SELECT breached_at, breach_cause, end_cause, \
                 extract(epoch FROM ended_at - started_at) AS took_s \
             FROM obligations WHERE tenant_id = $1 AND started_at >= $2), \
         answers AS (SELECT count(*) AS answered, \
             percentile_cont(0.5) WITHIN GROUP (ORDER BY took_s)::bigint AS median_s, \
             percentile_cont(0.9) WITHIN GROUP (ORDER BY took_s)::bigint AS p90_s \
             FROM owed WHERE end_cause = 'answered'), \
         late AS (SELECT count(*) AS breached, \
             count(*) FILTER (WHERE breach_cause = 'no_answer') AS no_answer, \
             count(*) FILTER (WHERE breach_cause = 'send_failed') AS send_failed, \
             count(*) FILTER (WHERE breach_cause = 'shop_error') AS shop_error, \
             count(*) FILTER (WHERE breach_cause = 'read_only') AS read_only \
             FROM owed WHERE breached_at IS NOT NULL) \
         SELECT * FROM counted, answers, late",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::Timestamptz, _>(since)
    .get_result(conn)
    .await
}
