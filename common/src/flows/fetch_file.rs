//! Brings the bytes of an attached file from the marketplace into the file store.
//!
//! The caller holds the file's lease; every result is stored only while it holds. It ends after the
//! result was published: if the process dies before, another worker publishes it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncConnection;
use futures::TryStreamExt;

use super::{Context, FlowError, publish};
use crate::db::files::{self, FetchProgress, File, FileState};
use crate::db::leases::Lease;
use crate::db::messages::{self, Message, StoredAttachments};
use crate::db::{chats, sellers};
use crate::files::{FILE_LIMIT_BYTES, PutError, StoredContent, clean_name};
use crate::http::DownloadBody;
use crate::marketplaces::{FileAnswer, Operation, VendorError};

/// How long a worker may take for one file: longer than the download itself may.
pub const FETCH_LEASE: Duration = Duration::from_secs(90);

/// So many tries in vain end it.
const TRIES: i32 = 8;
/// So many end it where the marketplace says that the file is not there.
const TRIES_IF_REFUSED: i32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);
/// The files of a shop that cannot be asked are looked at again after this long.
const LOCKED_PAUSE: Duration = Duration::from_secs(60 * 60);
/// A file that is examined for longer than this is given up.
const EXAMINED_WITHIN: TimeDelta = TimeDelta::days(3);

/// How one try to fetch ended.
enum Fetched {
    Stored(StoredContent),
    /// Not now: again after the pause, which is nobody's failure.
    Later {
        state: FileState,
        pause: Duration,
    },
    Blocked(String),
    /// The file is as it is: trying again changes nothing.
    Unfit(String),
    Failed {
        reason: String,
        tries: i32,
    },
}

/// Fetches one claimed file. Fetching twice does no harm.
pub async fn fetch_file(ctx: &Context, file: File, lease: Lease) -> Result<(), FlowError> {
    if file.state.is_final() {
        // Whoever fetched it died before it was told.
        return end(ctx, &file, &lease, None).await;
    }
    let fetched = fetch(ctx, &file).await?;
    let now = ctx.clock.now();
    let (progress, again_at) = judge(&file, fetched, now);
    let mut conn = ctx.pool.get().await?;
    let recorded = conn
        .transaction(async |conn| {
            if let Some(message) = file.message_id {
                // Locked first: what is shown of one file is not lost when another is recorded.
                messages::lock(conn, file.tenant_id, message).await?;
            }
            let recorded = files::record(conn, &file, &lease, &progress).await?;
            let recorded = recorded.ok_or(FlowError::LeaseLost)?;
            if let Some(message) = recorded.message_id {
                let shown = files::of_message(conn, recorded.tenant_id, message).await?;
                let shown = StoredAttachments(shown.iter().map(Into::into).collect());
                messages::show_files(conn, recorded.tenant_id, message, &shown).await?;
            }
            Ok::<_, FlowError>(recorded)
        })
        .await?;
    drop(conn);
    if recorded.state.is_final() || recorded.state != file.state {
        return end(ctx, &recorded, &lease, again_at).await;
    }
    let mut conn = ctx.pool.get().await?;
    files::release(&mut conn, &recorded, &lease, again_at).await?;
    Ok(())
}

async fn fetch(ctx: &Context, file: &File) -> Result<Fetched, FlowError> {
    let (Some(seller), Some(source)) = (file.seller_id, file.source.as_deref()) else {
        let reason = "nobody knows where it was".to_owned();
        return Ok(Fetched::Unfit(reason));
    };
    let mut conn = ctx.pool.get().await?;
    let seller = sellers::find(&mut conn, file.tenant_id, seller).await?;
    drop(conn);
    let Some(seller) = seller.filter(|it| it.is_active) else {
        return Ok(later(file, LOCKED_PAUSE));
    };
    let Ok(access) = ctx.open(&seller) else {
        // The shop itself shows what is wrong with its key.
        return Ok(later(file, LOCKED_PAUSE));
    };
    // Held until the last byte is here.
    let permit = match ctx.permit(&seller, Operation::FetchFile).await {
        Ok(permit) => permit,
        Err(problem) => return Ok(refused(file, problem)),
    };
    let connector = ctx.marketplace(&seller);
    let answer = connector.fetch_file(&access, source).await;
    let fetched = match answer {
        Ok(FileAnswer::Content(body)) => store(ctx, file, body).await,
        Ok(FileAnswer::InModeration { .. }) if is_given_up(ctx, file) => {
            let reason = "the marketplace did not finish examining it".to_owned();
            Fetched::Unfit(reason)
        }
        Ok(FileAnswer::InModeration { retry_after }) => Fetched::Later {
            state: FileState::Moderation,
            pause: retry_after,
        },
        Ok(FileAnswer::Blocked { message }) => Fetched::Blocked(message),
        Err(problem) => refused(file, problem),
    };
    drop(permit);
    Ok(fetched)
}

async fn store(ctx: &Context, file: &File, body: DownloadBody) -> Fetched {
    let chunks = body.chunks.map_err(|no_answer| no_answer.reason);
    match ctx
        .files
        .put(&file.storage_key, chunks, FILE_LIMIT_BYTES)
        .await
    {
        Ok(stored) => Fetched::Stored(stored),
        Err(problem @ (PutError::TooLarge { .. } | PutError::Empty)) => {
            Fetched::Unfit(problem.to_string())
        }
        Err(PutError::Source(reason)) => Fetched::Failed {
            reason,
            tries: TRIES,
        },
        Err(PutError::Store(problem)) => {
            // Ours to mend: however long it lasts, the file is not given up for it.
            tracing::warn!(%problem, file = %file.id, "a file was not stored");
            later(file, LONGEST_PAUSE / 60)
        }
    }
}

fn later(file: &File, pause: Duration) -> Fetched {
    Fetched::Later {
        state: file.state,
        pause,
    }
}

fn refused(file: &File, problem: VendorError) -> Fetched {
    match problem {
        VendorError::RateLimited { retry_after } => {
            later(file, retry_after.unwrap_or(SHORTEST_PAUSE))
        }
        VendorError::Unauthorized { .. } => later(file, LOCKED_PAUSE),
        VendorError::Rejected { message } => Fetched::Failed {
            reason: message,
            tries: TRIES_IF_REFUSED,
        },
        other => Fetched::Failed {
            reason: other.to_string(),
            tries: TRIES,
        },
    }
}

fn is_given_up(ctx: &Context, file: &File) -> bool {
    ctx.clock.now() - file.created_at >= EXAMINED_WITHIN
}

/// What the row says from now on, and when to try again.
fn judge(
    file: &File,
    fetched: Fetched,
    now: DateTime<Utc>,
) -> (FetchProgress, Option<DateTime<Utc>>) {
    let as_it_was = FetchProgress {
        state: file.state,
        name: file.name.clone(),
        content_type: file.content_type.clone(),
        size_bytes: file.size_bytes,
        sha256: None,
        error: None,
        failures: file.failures,
    };
    match fetched {
        Fetched::Stored(content) => {
            let progress = FetchProgress {
                state: FileState::Ready,
                name: clean_name(&file.name, Some(content.content_type)),
                content_type: Some(content.content_type.to_owned()),
                size_bytes: i64::try_from(content.size_bytes).ok(),
                sha256: Some(content.sha256),
                ..as_it_was
            };
            (progress, None)
        }
        Fetched::Later { state, pause } => {
            (FetchProgress { state, ..as_it_was }, Some(now + pause))
        }
        Fetched::Blocked(reason) => (ended(FileState::Blocked, reason, as_it_was), None),
        Fetched::Unfit(reason) => (ended(FileState::Failed, reason, as_it_was), None),
        Fetched::Failed { reason, tries } => {
            let failures = file.failures + 1;
            let progress = FetchProgress {
                failures,
                ..as_it_was
            };
            if failures >= tries {
                return (ended(FileState::Failed, reason, progress), None);
            }
            tracing::debug!(file = %file.id, failures, reason, "a file was not fetched");
            (progress, Some(now + pause_after(failures)))
        }
    }
}

fn ended(state: FileState, reason: String, before: FetchProgress) -> FetchProgress {
    FetchProgress {
        state,
        error: Some(reason),
        ..before
    }
}

fn pause_after(failures: i32) -> Duration {
    let doublings = u32::try_from(2 * (failures - 1)).unwrap_or(0).min(16);
    (SHORTEST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
}

/// Tells everybody who watches, then ends the claim.
async fn end(
    ctx: &Context,
    file: &File,
    lease: &Lease,
    again_at: Option<DateTime<Utc>>,
) -> Result<(), FlowError> {
    let mut conn = ctx.pool.get().await?;
    let message = match file.message_id {
        Some(id) => messages::find(&mut conn, file.tenant_id, id).await?,
        None => None,
    };
    if let Some(message) = message {
        let name = author_name(&mut conn, &message).await?;
        drop(conn);
        ctx.publish_message(&message, name).await;
        conn = ctx.pool.get().await?;
    }
    files::release(&mut conn, file, lease, again_at).await?;
    Ok(())
}

async fn author_name(
    conn: &mut diesel_async::AsyncPgConnection,
    message: &Message,
) -> Result<Option<String>, FlowError> {
    match chats::find(conn, message.tenant_id, message.chat_id).await? {
        Some(chat) => Ok(publish::author_name(conn, &chat, message).await?),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        assert_eq!(pause_after(1), Duration::from_secs(10));
        assert_eq!(pause_after(2), Duration::from_secs(40));
        assert_eq!(pause_after(4), Duration::from_secs(640));
        assert_eq!(pause_after(TRIES), LONGEST_PAUSE);
    }
}
