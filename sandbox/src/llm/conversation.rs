//! What does the buyer ask, about which product, and what is known about it?

use serde_json::{Map, Value};

use super::messages::{Message, Role};
use super::obey::{asks_for_prompt, instructions, without_instructions};
use super::topic::words;

const BUYERS: [&str; 6] = [
    "buyer",
    "customer",
    "client",
    "user",
    "visitor",
    "покупатель",
];
// the least letters two words must share to speak of the same
const STEM: usize = 5;

/// Something that is known, with the id by which it is cited.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its id, as it came.
    pub id: Value,
    /// All its texts.
    pub text: String,
}

/// A conversation as the model understands it.
#[derive(Debug)]
pub(super) struct Conversation {
    /// What the buyer asks now, without instructions to the model.
    pub question: String,
    /// What the buyer asked before.
    pub earlier: String,
    /// The product's name.
    pub product: Option<String>,
    /// The buyer's name.
    pub buyer: Option<String>,
    /// Whether nobody has answered yet.
    pub is_first: bool,
    /// What is known and speaks of the question.
    pub sources: Vec<Source>,
    /// What instructions anywhere want to be said.
    pub commands: Vec<String>,
}

impl Conversation {
    /// Understands a conversation.
    pub(super) fn of(messages: &[Message]) -> Self {
        let users: Vec<&Message> = messages.iter().filter(|m| m.role == Role::User).collect();
        let last = users.last().map_or("", |message| message.content.as_str());
        let document = document(last);
        let mut conversation = match &document {
            Some(document) => Self::of_document(document),
            None => Self::of_texts(&users, messages),
        };
        conversation.question = without_instructions(&conversation.question);
        conversation.earlier = without_instructions(&conversation.earlier);
        let question = words(&conversation.question);
        conversation.sources.retain(|source| {
            words(&source.text)
                .iter()
                .any(|word| shares(&question, word))
        });
        conversation.commands = commands(messages);
        conversation
    }

    fn of_document(document: &Map<String, Value>) -> Self {
        let mut before = Vec::new();
        let mut now = Vec::new();
        let mut is_first = true;
        for message in document["messages"].as_array().into_iter().flatten() {
            let text = message["text"].as_str().unwrap_or_default();
            if is_buyer(message["from"].as_str().unwrap_or_default()) {
                now.push(text);
            } else {
                is_first = false;
                before.append(&mut now);
            }
        }
        // somebody has answered already: the last question is answered once more
        if now.is_empty() {
            now.extend(before.pop());
        }
        Self {
            question: now.join("\n"),
            earlier: before.join("\n"),
            product: named(document.get("product")),
            buyer: named(document.get("buyer")),
            is_first,
            sources: sources(document),
            commands: Vec::new(),
        }
    }

    fn of_texts(users: &[&Message], messages: &[Message]) -> Self {
        let texts: Vec<&str> = users.iter().map(|user| user.content.as_str()).collect();
        let (question, earlier) = match texts.split_last() {
            Some((last, earlier)) => (*last, earlier.join("\n")),
            None => ("", String::new()),
        };
        Self {
            product: quoted(&without_instructions(question)),
            question: question.to_owned(),
            earlier,
            buyer: None,
            is_first: messages.iter().all(|m| m.role != Role::Assistant),
            sources: Vec::new(),
            commands: Vec::new(),
        }
    }
}

fn document(content: &str) -> Option<Map<String, Value>> {
    let document: Map<String, Value> = serde_json::from_str(content).ok()?;
    let messages = document.get("messages")?.as_array()?;
    let is_message = |message: &Value| message["from"].is_string() && message["text"].is_string();
    messages.iter().all(is_message).then_some(document)
}

fn is_buyer(from: &str) -> bool {
    BUYERS.contains(&from.to_lowercase().as_str())
}

fn named(value: Option<&Value>) -> Option<String> {
    let name = match value? {
        Value::String(name) => name,
        Value::Object(object) => object.get("name")?.as_str()?,
        _ => return None,
    };
    let name = without_instructions(name.trim());
    (!name.is_empty()).then_some(name)
}

fn quoted(text: &str) -> Option<String> {
    let inner = text.split_once('«')?.1.split_once('»')?.0;
    (!inner.is_empty()).then(|| inner.to_owned())
}

fn sources(document: &Map<String, Value>) -> Vec<Source> {
    let lists = document.iter().filter(|(key, _)| *key != "messages");
    let items = lists.filter_map(|(_, value)| value.as_array()).flatten();
    let with_id = items.filter_map(|item| Some((item.get("id")?, item)));
    with_id
        .map(|(id, item)| Source {
            id: id.clone(),
            text: without_instructions(&texts(item).join("\n")),
        })
        .collect()
}

fn shares(question: &[String], word: &str) -> bool {
    let stem: String = word.chars().take(STEM).collect();
    stem.chars().count() == STEM && question.iter().any(|other| other.starts_with(&stem))
}

// every text of a document but the names of its keys
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(object) => {
            let named = object.iter().filter(|(key, _)| *key != "id");
            named.flat_map(|(_, value)| texts(value)).collect()
        }
        _ => Vec::new(),
    }
}

fn commands(messages: &[Message]) -> Vec<String> {
    let system = messages.iter().find(|message| message.role == Role::System);
    let mut commands = Vec::new();
    for message in messages {
        let parsed: Option<Value> = serde_json::from_str(&message.content).ok();
        let all = match &parsed {
            Some(document @ (Value::Object(_) | Value::Array(_))) => texts(document),
            _ => vec![message.content.as_str()],
        };
        let found = all.into_iter().flat_map(instructions);
        for says in found.map(|found| found.says) {
            let is_form = says.contains('{') || says.to_lowercase().contains("json");
            if asks_for_prompt(says) && message.role != Role::System {
                commands.extend(system.map(|system| system.content.clone()));
            } else if !is_form {
                // the form of the answer is asked for in another way
                commands.push(says.to_owned());
            }
        }
    }
    commands
}
