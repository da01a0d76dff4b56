//! Removes uploads that nobody sent: first out of use, then the bytes, then the row.

use chrono::TimeDelta;

use super::{Context, FlowError};
use crate::db::files;

/// How long an upload waits to be sent.
pub const UNSENT_FOR: TimeDelta = TimeDelta::hours(24);
/// So many are removed at a time.
const BATCH: i64 = 100;

/// Removes those that are old enough; tells how many. What one run leaves half done, the next one ends.
pub async fn purge_files(ctx: &Context) -> Result<usize, FlowError> {
    let mut conn = ctx.pool.get().await?;
    let before = ctx.clock.now() - UNSENT_FOR;
    let expired = files::expire_unsent_across_tenants(&mut conn, before, BATCH).await?;
    drop(conn);
    let mut removed = 0;
    for file in expired {
        if let Err(problem) = ctx.files.delete(&file.storage_key).await {
            tracing::warn!(%problem, file = %file.id, "an unused upload was not removed");
            continue;
        }
        let mut conn = ctx.pool.get().await?;
        removed += files::delete_expired(&mut conn, &file).await?;
    }
    Ok(removed)
}
