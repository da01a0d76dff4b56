//! The files of an answer: uploaded before, and such that the marketplace takes them.

use common::db::chats::Chat;
use common::db::files::{self, File};
use common::marketplaces::{FileRules, profile};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::http::{ApiError, ApiResult, FieldProblem, codes};

/// Locks the files that a message names, in its order, and checks them against the marketplace's rules.
pub(super) async fn take_files(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    text: &str,
    ids: &[Uuid],
) -> ApiResult<Vec<File>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rules = &profile(chat.channel).files;
    check_shape(rules, text, ids.len())?;
    let unsent = files::lock_unsent(conn, chat.tenant_id, ids).await?;
    let mut taken = Vec::with_capacity(ids.len());
    for (at, id) in ids.iter().enumerate() {
        let found = unsent.iter().find(|file| file.public_id == *id);
        let file = found.ok_or_else(|| {
            let message = "is no file that can be sent: unknown, not uploaded yet, or sent already";
            ApiError::of_field(&format!("attachments[{at}]"), message)
        })?;
        taken.push(file.clone());
    }
    check_files(rules, &taken)?;
    Ok(taken)
}

fn check_shape(rules: &FileRules, text: &str, count: usize) -> ApiResult<()> {
    if !rules.with_text && !text.is_empty() {
        let message = "this marketplace takes a text or a file: send them as two messages";
        return Err(ApiError::of_field("attachments", message));
    }
    if count > rules.at_most {
        let message = format!("must be at most {} in a message here", rules.at_most);
        let problem = FieldProblem {
            limit: Some(rules.at_most),
            ..FieldProblem::new("attachments", message)
        };
        return Err(ApiError::of_fields(codes::VALIDATION_FAILED, &[problem]));
    }
    Ok(())
}

fn check_files(rules: &FileRules, files: &[File]) -> ApiResult<()> {
    let mut problems = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let field = format!("attachments[{at}]");
        let content_type = file.content_type.as_deref().unwrap_or_default();
        if !rules.types.is_empty() && !rules.types.contains(&content_type) {
            let types = rules.types.join(", ");
            let message = format!("is {content_type}; the marketplace takes {types}");
            problems.push(FieldProblem::new(&field, message));
        }
        if size(file) > rules.one_limit_bytes {
            problems.push(too_large(&field, rules.one_limit_bytes));
        }
    }
    if files.iter().map(size).sum::<u64>() > rules.all_limit_bytes {
        problems.push(too_large("attachments", rules.all_limit_bytes));
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(ApiError::of_fields(codes::FILE_NOT_ACCEPTED, &problems))
}

fn size(file: &File) -> u64 {
    file.size_bytes.unwrap_or_default().unsigned_abs()
}

fn too_large(field: &str, limit_bytes: u64) -> FieldProblem {
    FieldProblem {
        limit: usize::try_from(limit_bytes).ok(),
        ..FieldProblem::new(field, format!("must be at most {limit_bytes} bytes"))
    }
}
