//! Files of messages: uploaded to be sent, and handed out to those who answer buyers.

mod upload;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use common::db::files::{self, File, FileState};
use common::views::AttachmentView;
use utoipa::ToSchema;

pub use self::upload::Upload;
use crate::access::Staff;
use crate::http::{ApiError, ApiResult, Json, PathFileId, codes};
use crate::openapi::examples;
use crate::state::AppState;

/// A form with one part.
#[derive(Debug, ToSchema)]
pub struct UploadForm {
    /// The file, at most 30 MiB. Its type is found by its content; its name loses what no name may have.
    #[schema(value_type = String, format = Binary)]
    pub file: Vec<u8>,
}

/// Uploads a file, to be sent with `POST /api/messages`.
///
/// A file that is not sent within 24 hours is removed.
#[utoipa::path(
    post, path = "/api/files", tag = "messages", security(("bearer" = [])),
    request_body(content = UploadForm, content_type = "multipart/form-data", example = json!({"file": "…"})),
    responses(
        (status = 201, description = "uploaded", body = AttachmentView, example = json!(examples::file())),
        (status = 413, description = "`file_too_large`"),
        (status = 415, description = "`unsupported_media_type`: it is no form"),
        (status = 422, description = "`validation_failed`: no file, an empty one, or more than one"),
        (status = 503, description = "`files_unavailable`, `database_unavailable`"),
    )
)]
pub async fn create_file(
    State(state): State<AppState>,
    staff: Staff,
    upload: Upload,
) -> ApiResult<Response> {
    let file = upload.store(&state, &staff).await?;
    let location = [(LOCATION, format!("/api/files/{}", file.public_id))];
    let view = AttachmentView::from(&file);
    Ok((StatusCode::CREATED, location, Json(view)).into_response())
}

/// Hands out a file.
///
/// Always as a download, with the type that its content proves.
#[utoipa::path(
    get, path = "/api/files/{id}", tag = "messages", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "the `file_id` of an attachment")),
    responses(
        (status = 200, description = "the bytes", body = Vec<u8>, content_type = "application/octet-stream", example = json!("…")),
        (status = 409, description = "`file_not_ready`: it is being fetched or examined; `file_unavailable`: it cannot be had, the message says why"),
        (status = 503, description = "`files_unavailable`, `database_unavailable`"),
    )
)]
pub async fn get_file(
    State(state): State<AppState>,
    staff: Staff,
    PathFileId(id): PathFileId,
) -> ApiResult<Response> {
    let tenant = staff.tenant;
    let found = state
        .read(async |conn| files::find_by_public_id(conn, tenant, id).await)
        .await?;
    let file = found.ok_or(codes::FILE_NOT_FOUND)?;
    check_state(&file)?;
    let content = state.ctx.files.get(&file.storage_key).await;
    let content =
        content.map_err(|problem| ApiError::from(codes::FILES_UNAVAILABLE).because(problem))?;
    let Some(content) = content else {
        let lost = ApiError::from(codes::FILE_UNAVAILABLE).with_message("the file is lost");
        return Err(lost.because(format!("no bytes of file {}", file.id)));
    };
    let headers = headers(&file, content.size_bytes);
    Ok((headers, Body::from_stream(content.chunks)).into_response())
}

fn check_state(file: &File) -> ApiResult<()> {
    match file.state {
        FileState::Ready => Ok(()),
        FileState::Pending | FileState::Moderation => Err(codes::FILE_NOT_READY.into()),
        FileState::Blocked | FileState::Failed => {
            let reason = file.error.clone().unwrap_or_default();
            Err(ApiError::from(codes::FILE_UNAVAILABLE).with_message(reason))
        }
        FileState::Expired => Err(codes::FILE_NOT_FOUND.into()),
    }
}

/// Nothing of a file runs in a browser: it is a download, of the type that it is, and without rights.
fn headers(file: &File, size_bytes: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let kind = file.content_type.as_deref().unwrap_or_default();
    let kind =
        HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_LENGTH, size_bytes.into());
    headers.insert(CONTENT_DISPOSITION, disposition(&file.name));
    let policy = HeaderValue::from_static("sandbox; default-src 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers
}

/// RFC 6266: the name in letters that every client reads, and the name as it is.
fn disposition(name: &str) -> HeaderValue {
    let plain: String = name
        .chars()
        .map(|it| if is_plain(it) || it == ' ' { it } else { '_' })
        .collect();
    let mut exact = String::new();
    for byte in name.bytes() {
        if is_plain(char::from(byte)) {
            exact.push(char::from(byte));
        } else {
            exact.push_str(&format!("%{byte:02X}"));
        }
    }
    let text = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "._-".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_end_the_header() {
        for (name, expected) in [
            (
                "чек 5.pdf",
                "attachment; filename=\"___ 5.pdf\"; filename*=UTF-8''%D1%87%D0%B5%D0%BA%205.pdf",
            ),
            (
                "a\r\n\"b;.png",
                "attachment; filename=\"a___b_.png\"; filename*=UTF-8''a%0D%0A%22b%3B.png",
            ),
        ] {
            assert_eq!(disposition(name), expected);
        }
    }
}
