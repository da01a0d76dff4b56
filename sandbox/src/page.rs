//! How does a person look at the world, and write as a buyer?

mod llm;

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::clock;
use crate::control::{self, WriteRequest};
use crate::server::App;
use crate::world::{Author, Marketplace, World};

const CHATS_SHOWN: usize = 200;
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}\
.seller{background:#eef6ff}.waiting{font-weight:600}pre{white-space:pre-wrap;margin:0;font:inherit}";

#[derive(Debug, Deserialize)]
struct Shown {
    marketplace: Option<Marketplace>,
    chat: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Written {
    marketplace: Marketplace,
    seller: String,
    #[serde(default)]
    chat: String,
    text: String,
}

/// The page and its form.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(show))
        .route("/write", post(write))
}

async fn show(State(app): State<Arc<App>>, Query(shown): Query<Shown>) -> Response {
    let mut world = app.lock();
    let now = world.now();
    let chat = shown
        .marketplace
        .zip(shown.chat.as_deref())
        .and_then(|(market, chat)| world.chat_by_id(market, chat));
    let body = match chat {
        Some(chat) => chat_page(&world, chat),
        None => world_page(&world, now),
    };
    drop(world);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(body)).into_response()
}

async fn write(State(app): State<Arc<App>>, Form(form): Form<Written>) -> Response {
    let market = form.marketplace;
    let request = serde_json::json!({
        "marketplace": market, "seller": form.seller, "chat": form.chat, "text": form.text,
    });
    let request: WriteRequest = match serde_json::from_value(request) {
        Ok(request) => request,
        Err(error) => return error.to_string().into_response(),
    };
    match app.change(|world| control::buyer_writes(world, request)) {
        Ok(Ok(written)) => Redirect::to(&link(market, &written.chat)).into_response(),
        Ok(Err(refused)) => refused.into_response(),
        Err(error) => error.to_string().into_response(),
    }
}

fn world_page(world: &World, now: i64) -> String {
    let mut rows = String::new();
    for shop in &world.shops {
        row(
            &mut rows,
            &[
                shop.marketplace.name().to_owned(),
                escape(&shop.name),
                escape(&shop.seller),
                escape(shop.connected_to.as_deref().unwrap_or("–")),
                shop.chats.len().to_string(),
                format!(
                    "<form method=post action=/write><input type=hidden name=marketplace value={}><input type=hidden name=seller value=\"{}\"><input name=text required placeholder=\"Новый чат\" aria-label=\"Текст\"> <button>Написать</button></form>",
                    shop.marketplace.name(),
                    escape(&shop.seller)
                ),
            ],
        );
    }
    let mut chats: Vec<_> = world.chats.iter().collect();
    chats.sort_by_key(|chat| {
        std::cmp::Reverse(chat.messages.last().map_or(chat.created_at, |last| last.at))
    });
    let mut lines = String::new();
    for chat in chats.iter().take(CHATS_SHOWN) {
        let shop = world.shop_of_chat(chat.place);
        let last = chat.messages.last();
        let text = last.and_then(|last| last.text.as_deref()).unwrap_or("–");
        row(
            &mut lines,
            &[
                shop.marketplace.name().to_owned(),
                escape(&shop.name),
                format!(
                    "<a class={} href=\"{}\">{}</a>",
                    if chat.is_waiting() {
                        "waiting"
                    } else {
                        "answered"
                    },
                    escape(&link(shop.marketplace, &chat.id)),
                    escape(&chat.buyer_name)
                ),
                clock::iso_seconds(last.map_or(chat.created_at, |last| last.at)),
                escape(&text.chars().take(90).collect::<String>()),
            ],
        );
    }
    document(&format!(
        "<h1>Sandbox</h1><p>{} · seed {} · {} buyers a minute</p>\
         <h2>Shops</h2><table><tr><th>marketplace<th>name<th>seller<th>tenant<th>chats<th>write as a buyer</tr>{rows}</table>\
         <h2>Chats</h2><table><tr><th>marketplace<th>shop<th>buyer<th>last<th>text</tr>{lines}</table>{}",
        clock::iso_seconds(now),
        world.seed,
        world.buyers_per_minute,
        llm::section(world)
    ))
}

fn chat_page(world: &World, place: usize) -> String {
    let chat = &world.chats[place];
    let shop = world.shop_of_chat(place);
    let mut rows = String::new();
    for message in &chat.messages {
        let who = match message.author {
            Author::Buyer => escape(&chat.buyer_name),
            Author::Seller => escape(&shop.name),
            other => format!("{other:?}"),
        };
        let class = match message.author {
            Author::Seller => "seller",
            _ => "other",
        };
        let text = message.text.as_deref().unwrap_or("(no message)");
        let files: String = world
            .files_of(message)
            .map(|file| format!(" [{}]", escape(&file.name)))
            .collect();
        // writing to a String cannot fail
        write!(
            rows,
            "<tr class={class}><td>{}<td>{who}<td><pre>{}{files}</pre></tr>",
            clock::iso_ms(message.at),
            escape(text)
        )
        .unwrap_or_default();
    }
    document(&format!(
        "<p><a href=/>Sandbox</a></p><h1>{} · {}</h1><p>{} {}</p><table>{rows}</table>\
         <h2>Write as the buyer</h2><form method=post action=/write>\
         <input type=hidden name=marketplace value={}><input type=hidden name=seller value=\"{}\">\
         <input type=hidden name=chat value=\"{}\">\
         <textarea name=text rows=3 cols=60 required aria-label=\"Text\"></textarea><br><button>Send</button></form>",
        escape(&shop.name),
        escape(&chat.buyer_name),
        shop.marketplace.name(),
        escape(&chat.id),
        shop.marketplace.name(),
        escape(&shop.seller),
        escape(&chat.id)
    ))
}

fn document(body: &str) -> String {
    format!(
        "<!doctype html><html lang=ru><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>Sandbox</title><style>{STYLE}</style>{body}"
    )
}

fn row(table: &mut String, cells: &[String]) {
    table.push_str("<tr>");
    for cell in cells {
        table.push_str("<td>");
        table.push_str(cell);
    }
    table.push_str("</tr>");
}

fn link(market: Marketplace, chat: &str) -> String {
    format!("/?marketplace={}&chat={chat}", market.name())
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn markup_is_escaped() {
        let text = super::escape("<script>alert(\"1\")&'");
        assert_eq!(text, "&lt;script&gt;alert(&quot;1&quot;)&amp;&#39;");
    }
}
