//! When does Wildberries hand out a file? (FACTS §2.7)

use serde_json::json;

use crate::answer::Answer;
use crate::world::{Moderation, World};

use super::{CHATS, chat_error, request_id};

/// `GET /api/v1/seller/download/{id}`.
pub(super) fn download(world: &mut World, shop: usize, id: &str) -> Answer {
    let now = world.now();
    let Some(file) = world.file(id).filter(|file| file.shop == shop) else {
        let body = chat_error(world, "invalid fileID", "invalid fileID");
        return Answer::json(400, &body);
    };
    match file.moderation(now) {
        Moderation::Pending { retry_seconds } => {
            let body = json!({"moderationState": "pending", "retrySeconds": retry_seconds});
            Answer::json(202, &body)
        }
        Moderation::Failed => {
            let body = json!({
                "status": 451, "title": "Unavailable for Legal Reasons", "origin": CHATS,
                "detail": "moderation error", "requestId": request_id(world),
            });
            Answer::problem(451, &body)
        }
        Moderation::Passed => {
            let kind = match file.content_type.as_str() {
                "image/png" => "image/png",
                "application/pdf" => "application/pdf",
                _ => "image/jpeg",
            };
            Answer::raw(200, kind, file.content.clone())
        }
    }
}
