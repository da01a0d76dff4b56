//! Taking a file: its row first, then its bytes, then what they say.

use axum::extract::multipart::Field;
use axum::extract::{FromRequest, Multipart, Request};
use common::db::files::{self, Contents, File, FileState, NewFile};
use common::files::{FILE_LIMIT_BYTES, FileStore, PutError, StoredContent, clean_name};
use common::ids::new_public_id;

use crate::access::Staff;
use crate::http::{ApiError, ApiResult, codes};
use crate::state::AppState;

/// A form that carries a file.
pub struct Upload(Multipart);

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Multipart::from_request(request, state).await {
            Ok(form) => Ok(Self(form)),
            Err(_) => {
                let message = "send a form (multipart/form-data) with one part named file";
                Err(ApiError::from(codes::UNSUPPORTED_MEDIA_TYPE).with_message(message))
            }
        }
    }
}

impl Upload {
    /// Stores the file. If the process dies meanwhile, a row without bytes or bytes that nobody sends are
    /// left, and removed in time.
    pub(super) async fn store(mut self, state: &AppState, staff: &Staff) -> ApiResult<File> {
        let part = self.0.next_field().await.map_err(malformed)?;
        let part = part.ok_or_else(|| ApiError::of_field("file", "is missing"))?;
        if part.name() != Some("file") {
            let name = part.name().unwrap_or_default().to_owned();
            return Err(ApiError::of_field(
                &name,
                "is unknown: the part is named file",
            ));
        }
        let name = part.file_name().unwrap_or_default().to_owned();
        let waiting = new_file(state, staff, &name);
        let mut conn = state.conn().await?;
        let waiting = files::insert(&mut conn, &waiting).await?;
        drop(conn);
        let content = put(state, &waiting, part).await?;
        if let Some(more) = self.0.next_field().await.map_err(malformed)? {
            let name = more.name().unwrap_or_default().to_owned();
            return Err(ApiError::of_field(&name, "one file at a time"));
        }
        let contents = Contents {
            name: clean_name(&name, Some(content.content_type)),
            content_type: content.content_type.to_owned(),
            size_bytes: i64::try_from(content.size_bytes).unwrap_or(i64::MAX),
            sha256: content.sha256,
        };
        let mut conn = state.conn().await?;
        let done = files::complete_upload(&mut conn, staff.tenant, waiting.id, &contents).await?;
        done.ok_or_else(|| codes::FILE_NOT_FOUND.into())
    }
}

fn new_file(state: &AppState, staff: &Staff, name: &str) -> NewFile {
    NewFile {
        tenant_id: staff.tenant,
        public_id: new_public_id(),
        message_id: None,
        position: 0,
        uploaded_by: Some(staff.user),
        seller_id: None,
        channel: None,
        source: None,
        name: clean_name(name, None),
        content_type: None,
        size_bytes: None,
        storage_key: FileStore::new_key(staff.tenant),
        state: FileState::Pending,
        fetch_at: None,
        created_at: state.ctx.clock.now(),
    }
}

async fn put(state: &AppState, file: &File, part: Field<'_>) -> ApiResult<StoredContent> {
    let stored = state
        .ctx
        .files
        .put(&file.storage_key, part, FILE_LIMIT_BYTES);
    stored.await.map_err(|problem| match problem {
        PutError::TooLarge { .. } => codes::FILE_TOO_LARGE.into(),
        PutError::Empty => ApiError::of_field("file", "must not be empty"),
        PutError::Source(problem) => malformed(problem),
        PutError::Store(problem) => ApiError::from(codes::FILES_UNAVAILABLE).because(problem),
    })
}

fn malformed(problem: axum::extract::multipart::MultipartError) -> ApiError {
    ApiError::from(codes::MALFORMED_BODY).because(problem)
}
