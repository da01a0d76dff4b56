//! How does a seller write at Yandex Market, and begin a chat? (FACTS §3.2)

use serde_json::json;

use crate::answer::Answer;
use crate::incoming::Incoming;
use crate::world::{Author, Context, Draft, NewChat, Via, World};

use super::body::{chat, id, object, word};
use super::{bad_request, error, ok};

const MAX_LETTERS: usize = 4096;
const MAX_FILE_BYTES: usize = 5 << 20;

/// `sendMessageToChat`.
pub(super) fn message(
    world: &mut World,
    shop: usize,
    incoming: &Incoming,
) -> Result<Answer, Answer> {
    super::body::query_id(incoming, "chatId")?;
    let body = object(incoming)?;
    let text = body.get("message").and_then(|text| text.as_str());
    let Some(text) = text else {
        return Err(bad_request("message: must not be null"));
    };
    let letters = text.chars().count();
    if text.trim().is_empty() || letters > MAX_LETTERS {
        return Err(bad_request("message: size must be between 1 and 4096"));
    }
    let place = chat(world, shop, incoming)?;
    accept(world, place, text.to_owned(), Vec::new())
}

/// `sendFileToChat`.
pub(super) fn file(world: &mut World, shop: usize, incoming: &Incoming) -> Result<Answer, Answer> {
    super::body::query_id(incoming, "chatId")?;
    let parts = incoming.form.as_deref().unwrap_or_default();
    let Some(part) = parts.iter().find(|part| part.name == "file") else {
        return Err(bad_request("Required part 'file' is not present"));
    };
    if part.content.is_empty() {
        return Err(bad_request("file: must not be empty"));
    }
    if part.content.len() > MAX_FILE_BYTES {
        return Err(bad_request("file: size must not exceed 5 MB"));
    }
    let place = chat(world, shop, incoming)?;
    let name = part.file_name.clone().unwrap_or_else(|| "file".to_owned());
    let stored = world.store_file(shop, &name, part.content.clone(), Some(0));
    accept(world, place, String::new(), vec![stored])
}

/// `createChat`: begins a chat about an order or a return, or returns the one there is.
pub(super) fn create(
    world: &mut World,
    shop: usize,
    incoming: &Incoming,
) -> Result<Answer, Answer> {
    let body = object(incoming)?;
    let (kind, number) = match body.get("context").filter(|context| !context.is_null()) {
        Some(context) => {
            let wrong = || bad_request("context: type and id are required");
            let object = context.as_object().ok_or_else(wrong)?;
            let kind = object.get("type").ok_or_else(wrong)?;
            let kind = word(kind, &["ORDER", "RETURN"])
                .ok_or_else(|| bad_request("context.type: must be ORDER or RETURN"))?;
            (kind, id(object, "id")?.ok_or_else(wrong)?)
        }
        None => {
            let number = id(&body, "orderId")?;
            let number = number.ok_or_else(|| bad_request("context: must not be null"))?;
            ("ORDER", number)
        }
    };
    let context = find_order(world, shop, kind, number)
        .ok_or_else(|| error(404, "NOT_FOUND", &format!("{kind} {number} not found")))?;
    let mut chats = world.shops[shop]
        .chats
        .iter()
        .rev()
        .map(|place| &world.chats[*place]);
    let old = chats.find(|chat| {
        chat.context.kind == kind
            && chat.context.order == context.order
            && chat.context.return_id == context.return_id
    });
    let place = match old.map(|chat| chat.place) {
        Some(place) => place,
        None => {
            let new = NewChat {
                context,
                ..NewChat::default()
            };
            world.begin_chat(shop, new)
        }
    };
    let result = json!({"chatId": world.chats[place].yandex_id()});
    Ok(ok(&result).about(place))
}

fn find_order(world: &World, shop: usize, kind: &str, number: u64) -> Option<Context> {
    let mut orders = world.shops[shop].orders.iter();
    let order = orders.find(|order| match kind {
        "RETURN" => order.return_id == Some(number),
        _ => order.number == number.to_string(),
    })?;
    Some(Context {
        kind: kind.to_owned(),
        order: Some(order.number.clone()),
        return_id: order.return_id.filter(|_| kind == "RETURN"),
        scheme: order.scheme.clone(),
        delivered_at: order.delivered_at,
        sku: Some(order.sku),
        price: order.price,
    })
}

fn accept(
    world: &mut World,
    place: usize,
    text: String,
    files: Vec<String>,
) -> Result<Answer, Answer> {
    if world.chats[place].status == "FINISHED" {
        return Err(bad_request("Chat is finished"));
    }
    let draft = Draft {
        author: Author::Seller,
        via: Via::Api,
        text: Some(text),
        files,
        ..Draft::default()
    };
    world.write(place, draft);
    let mut answer = Answer::json(200, &json!({"status": "OK"})).about(place);
    answer.has_sent = true;
    Ok(answer)
}
