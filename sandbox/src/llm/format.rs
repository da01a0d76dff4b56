//! Which form must an answer have?

use serde_json::Value;

use super::fields::{Object, given};
use super::messages::Message;
use super::refusal::Refusal;
use super::{Model, Vendor, schema};

/// The form of an answer.
#[derive(Debug)]
pub(super) enum Format {
    /// Plain text.
    Text,
    /// A JSON object like the one the system message shows.
    Object,
    /// A JSON object after this schema.
    Schema(Value),
}

/// Reads `response_format`.
pub(super) fn read(body: &Object, model: &Model, messages: &[Message]) -> Result<Format, Refusal> {
    let name = "response_format";
    let format = match given(body, name) {
        None => return Ok(Format::Text),
        Some(Value::Object(format)) => format,
        Some(other) => return Err(Refusal::wrong_type(name, "an object", other)),
    };
    let param = "response_format.type";
    match format.get("type").and_then(Value::as_str) {
        None => Err(Refusal::missing(param)),
        Some("text") => Ok(Format::Text),
        Some("json_object") => json_object(model, messages),
        Some("json_schema") if model.vendor == Vendor::DeepSeek => Err(Refusal::deepseek(
            "This response_format type is unavailable now",
        )),
        Some("json_schema") => json_schema(format),
        Some(other) => {
            let text = format!(
                "Invalid value: '{other}'. Supported values are: 'json_object', 'json_schema', and 'text'."
            );
            Err(Refusal::wrong(param, "invalid_value", text))
        }
    }
}

fn json_object(model: &Model, messages: &[Message]) -> Result<Format, Refusal> {
    let says_json = |message: &Message| message.content.to_ascii_lowercase().contains("json");
    if messages.iter().any(says_json) {
        return Ok(Format::Object);
    }
    let rest = "must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
    Err(match model.vendor {
        Vendor::DeepSeek => Refusal::deepseek(format!("Prompt {rest}")),
        Vendor::OpenAi => Refusal::new(400, format!("'messages' {rest}")).about("messages"),
    })
}

fn json_schema(format: &Object) -> Result<Format, Refusal> {
    let place = "response_format.json_schema";
    let named = match format.get("json_schema") {
        Some(Value::Object(named)) => named,
        None => return Err(Refusal::missing(place)),
        Some(other) => return Err(Refusal::wrong_type(place, "an object", other)),
    };
    let param = format!("{place}.name");
    let Some(name) = named.get("name").and_then(Value::as_str) else {
        return Err(Refusal::missing(&param));
    };
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if !(1..=64).contains(&name.len()) || !name.chars().all(is_word) {
        let text = format!(
            "Invalid '{param}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        );
        return Err(Refusal::wrong(&param, "invalid_value", text));
    }
    let Some(schema) = named.get("schema").filter(|schema| schema.is_object()) else {
        return Err(Refusal::missing(&format!("{place}.schema")));
    };
    let is_strict = named.get("strict").and_then(Value::as_bool) == Some(true);
    if let Some(problem) = schema::problem(schema, is_strict) {
        let text = format!("Invalid schema for response_format '{name}': {problem}");
        return Err(Refusal::wrong(
            "response_format",
            "invalid_json_schema",
            text,
        ));
    }
    Ok(Format::Schema(schema.clone()))
}
