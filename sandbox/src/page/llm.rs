//! What was the language model asked last?

use serde_json::Value;

use super::{escape, row};
use crate::journal::{Entry, Kind};
use crate::world::World;

const CALLS_SHOWN: usize = 10;
const LETTERS_SHOWN: usize = 120;

/// The newest calls, newest first.
pub(super) fn section(world: &World) -> String {
    let mut rows = String::new();
    for entry in world.journal.newest(Kind::Llm, CALLS_SHOWN) {
        let (model, question) = asked(entry);
        let status = entry
            .status
            .map_or_else(String::new, |status| status.to_string());
        let path = entry.path.as_deref().unwrap_or_default();
        row(
            &mut rows,
            &[
                entry.at.clone(),
                escape(path),
                escape(&model),
                status,
                escape(&question),
            ],
        );
    }
    format!(
        "<h2>Language model</h2><p>{} calls</p><table><tr><th>time<th>path<th>model<th>status<th>last message</tr>{rows}</table>",
        world.llm.calls
    )
}

fn asked(entry: &Entry) -> (String, String) {
    let text = entry.text.as_deref().unwrap_or_default();
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let last = body["messages"].as_array().and_then(|all| all.last());
    let content = last
        .and_then(|last| last["content"].as_str())
        .unwrap_or("–");
    let shown = content.chars().take(LETTERS_SHOWN).collect();
    (body["model"].as_str().unwrap_or("–").to_owned(), shown)
}
