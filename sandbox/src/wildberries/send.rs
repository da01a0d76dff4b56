//! How does a seller write at Wildberries, and what is refused? (FACTS §2.6)

use bytes::Bytes;
use serde_json::json;

use crate::answer::Answer;
use crate::ids;
use crate::incoming::{Incoming, Part};
use crate::media;
use crate::world::{Author, Draft, Via, World};

use super::bad_request;

const MAX_SIGN: usize = 255;
const MAX_LETTERS: usize = 1000;
const MAX_FILE_BYTES: usize = 5 << 20;
const MAX_TOTAL_BYTES: usize = 30 << 20;

/// `POST /api/v1/seller/message`.
pub(super) fn message(world: &mut World, shop: usize, incoming: &Incoming) -> Answer {
    let checked = check(world, shop, incoming);
    let (chat, text, files, errors) = match checked {
        Ok(checked) => checked,
        Err(detail) => return bad_request(world, &detail),
    };
    let files = files
        .into_iter()
        .map(|(name, content)| world.store_file(shop, &name, content, Some(0)))
        .collect();
    let draft = Draft {
        author: Author::Seller,
        via: Via::Api,
        text: Some(text),
        files,
        ..Draft::default()
    };
    let at = world.write(chat, draft);
    let stored = &world.chats[chat];
    let body = json!({
        "result": {
            "addTime": stored.messages[at].at,
            "chatID": stored.id,
            "sign": world.sign_of(stored),
        },
        "errors": errors,
    });
    let mut answer = Answer::json(200, &body).about(chat);
    answer.has_sent = true;
    answer
}

/// A text field of the form.
pub(super) fn field(incoming: &Incoming, name: &str) -> Option<String> {
    let parts = incoming.form.as_ref()?;
    let part = parts.iter().find(|part| part.name == name)?;
    String::from_utf8(part.content.to_vec()).ok()
}

type Checked = (usize, String, Vec<(String, Bytes)>, Vec<String>);

fn check(world: &World, shop: usize, incoming: &Incoming) -> Result<Checked, String> {
    let sign = field(incoming, "replySign").unwrap_or_default();
    if sign.is_empty() || sign.chars().count() > MAX_SIGN {
        return Err("Invalid value for \"replySign\"".to_owned());
    }
    let parts = incoming.form.as_deref().unwrap_or_default();
    let has_text = parts.iter().any(|part| part.name == "message");
    let text = field(incoming, "message");
    let wrong = || "Invalid value for \"message\"".to_owned();
    if has_text && text.is_none() {
        return Err(wrong());
    }
    let text = text.unwrap_or_default();
    if text.chars().count() > MAX_LETTERS {
        return Err(wrong());
    }
    let (files, errors) = check_files(world, parts)?;
    if text.trim().is_empty() && files.is_empty() {
        return Err(wrong());
    }
    let chat = world
        .chat_by_sign(shop, &sign)
        .ok_or_else(|| "Invalid signature".to_owned())?;
    Ok((chat, text, files, errors))
}

type Files = (Vec<(String, Bytes)>, Vec<String>);

// an empty file is an upload error with status 200, the others refuse the whole request
fn check_files(world: &World, parts: &[Part]) -> Result<Files, String> {
    let parts = parts.iter().filter(|part| part.name == "file");
    let mut files = Vec::new();
    let mut errors = Vec::new();
    let mut total = 0;
    for (part, at) in parts.zip(0_u64..) {
        let id = ids::hex(world.seed ^ at, "upload", world.next_number(), 11).to_ascii_uppercase();
        let name = part.file_name.clone().unwrap_or_default();
        let size = part.content.len();
        total += size;
        if size > MAX_FILE_BYTES {
            return Err(format!("{id}: attachment too big. Max size: 5MiB"));
        }
        if total > MAX_TOTAL_BYTES {
            return Err(format!("{id}: attachments too big. Max total size: 30MiB"));
        }
        if size == 0 {
            errors.push(format!("{id}: {name:?} is empty"));
            continue;
        }
        match media::sniff(&part.content) {
            Some("image/png" | "image/jpeg" | "application/pdf") => {
                files.push((name, part.content.clone()));
            }
            _ => return Err(format!("{id}: {name:?} has unsupported mime type")),
        }
    }
    Ok((files, errors))
}
