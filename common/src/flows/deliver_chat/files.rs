//! The bytes of a message's files, brought together before it is sent.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Delivery;
use crate::db::files;
use crate::db::messages::Message;
use crate::flows::FlowError;
use crate::marketplaces::OutgoingFile;

/// The pause after the file store did not answer.
const STORE_PAUSE: Duration = Duration::from_secs(5);

pub(super) enum Loaded {
    Files(Vec<OutgoingFile>),
    /// The file store does not answer: not before this time.
    Later(DateTime<Utc>),
    Lost,
}

impl Delivery<'_> {
    /// Before the intent is stored: reading takes time, and may fail.
    pub(super) async fn load_files(&self, message: &Message) -> Result<Loaded, FlowError> {
        if message.attachments.0.is_empty() {
            return Ok(Loaded::Files(Vec::new()));
        }
        let mut conn = self.ctx.pool.get().await?;
        let rows = files::of_message(&mut conn, message.tenant_id, message.id).await?;
        drop(conn);
        let mut loaded = Vec::with_capacity(rows.len());
        for row in rows {
            match self.ctx.files.read(&row.storage_key).await {
                Ok(Some(content)) => loaded.push(OutgoingFile {
                    name: row.name,
                    content_type: row.content_type.unwrap_or_default(),
                    content,
                }),
                Ok(None) => return Ok(Loaded::Lost),
                Err(problem) => {
                    tracing::warn!(%problem, file = %row.id, "a file to be sent was not read");
                    return Ok(Loaded::Later(self.ctx.clock.now() + STORE_PAUSE));
                }
            }
        }
        Ok(Loaded::Files(loaded))
    }
}
