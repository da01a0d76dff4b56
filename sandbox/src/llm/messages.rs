//! What is said in a conversation, by whom, and is it said properly?

use serde_json::Value;

use super::fields::{Object, given};
use super::refusal::Refusal;
use super::{Model, Vendor};

const MOST_MESSAGES: usize = 2048;

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// The one who set the model up.
    System,
    /// The one who is answered.
    User,
    /// The model itself.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug)]
pub(super) struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Reads `messages`.
pub(super) fn read(body: &Object, model: &Model) -> Result<Vec<Message>, Refusal> {
    let all = match given(body, "messages") {
        None => return Err(Refusal::missing("messages")),
        Some(Value::Array(all)) => all,
        Some(other) => {
            return Err(Refusal::wrong_type(
                "messages",
                "an array of objects",
                other,
            ));
        }
    };
    if all.is_empty() {
        let text = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        return Err(Refusal::wrong("messages", "empty_array", text));
    }
    if all.len() > MOST_MESSAGES {
        let text = format!(
            "Invalid 'messages': array too long. Expected an array with maximum length {MOST_MESSAGES}, but got an array with length {} instead.",
            all.len()
        );
        let code = "array_above_max_length";
        return Err(Refusal::wrong("messages", code, text));
    }
    let read = |(at, message)| message_at(at, message, model);
    all.iter().enumerate().map(read).collect()
}

fn message_at(at: usize, message: &Value, model: &Model) -> Result<Message, Refusal> {
    let place = format!("messages[{at}]");
    let Value::Object(message) = message else {
        return Err(Refusal::wrong_type(&place, "an object", message));
    };
    let role = role(&place, message, model)?;
    let is_known = |name: &&String| matches!(name.as_str(), "role" | "content" | "name");
    if let Some(name) = message.keys().find(|name| !is_known(name)) {
        let text = format!("Unknown parameter: '{place}.{name}'.");
        let param = format!("{place}.{name}");
        return Err(Refusal::wrong(&param, "unknown_parameter", text));
    }
    let param = format!("{place}.content");
    match message.get("content") {
        Some(Value::String(content)) => Ok(Message {
            role,
            content: content.clone(),
        }),
        None => Err(Refusal::missing(&param)),
        Some(Value::Null) => {
            let text = "Invalid value for 'content': expected a string, got null.";
            Err(Refusal::wrong(&param, "invalid_type", text))
        }
        Some(other) => Err(Refusal::wrong_type(&param, "a string", other)),
    }
}

fn role(place: &str, message: &Object, model: &Model) -> Result<Role, Refusal> {
    let param = format!("{place}.role");
    let name = match message.get("role") {
        None => return Err(Refusal::missing(&param)),
        Some(Value::String(name)) => name.as_str(),
        Some(other) => return Err(Refusal::wrong_type(&param, "a string", other)),
    };
    match (name, model.vendor) {
        ("system", _) | ("developer", Vendor::OpenAi) => Ok(Role::System),
        ("user", _) => Ok(Role::User),
        ("assistant", _) => Ok(Role::Assistant),
        ("tool", _) => {
            let text = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
            Err(Refusal::wrong(&param, "invalid_value", text))
        }
        (_, Vendor::DeepSeek) => Err(Refusal::deepseek(format!(
            "Failed to deserialize the JSON body into the target type: {param}: unknown variant `{name}`, expected one of `system`, `user`, `assistant`, `tool`"
        ))),
        _ => {
            let text = format!(
                "Invalid value: '{name}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
            );
            Err(Refusal::wrong(&param, "invalid_value", text))
        }
    }
}
