//! What stands in each key of an answer in JSON?

use serde_json::{Map, Value, json};

use super::shape::Shape;
use super::thought::{Mood, Thought};
use super::topic::Topic;

const POSITIVE: [&str; 4] = ["positiv", "good", "happy", "позитив"];
const NEUTRAL: [&str; 4] = ["neutral", "mixed", "normal", "нейтрал"];
const NEGATIVE: [&str; 4] = ["negativ", "bad", "angry", "негатив"];
const LOW: [&str; 3] = ["low", "none", "низк"];
const MIDDLE: [&str; 4] = ["normal", "medium", "middle", "средн"];
const HIGH: [&str; 4] = ["high", "urgent", "critical", "высок"];

/// The value that belongs under a key.
pub(super) fn fill(shape: &Shape, key: &str, thought: &Thought) -> Value {
    let key = key.to_lowercase();
    match shape {
        Shape::Null => Value::Null,
        Shape::Choice(words) => choice(&key, words, thought),
        Shape::Text => Value::String(text(&key, thought)),
        Shape::Flag => Value::Bool(flag(&key, thought)),
        Shape::Integer => json!(urgency(thought) + 1),
        Shape::Share => share(&key, thought),
        Shape::List(item) => list(&key, item.as_deref(), thought),
        Shape::Object(keys) => {
            let filled = keys.iter().map(|(key, shape)| {
                let value = fill(shape, key, thought);
                (key.clone(), value)
            });
            Value::Object(filled.collect::<Map<_, _>>())
        }
    }
}

fn choice(key: &str, words: &[String], thought: &Thought) -> Value {
    let by_name = |names: &[&str]| {
        let mut names = names.iter();
        names.find_map(|name| {
            words
                .iter()
                .find(|word| word.to_lowercase().starts_with(name))
        })
    };
    let named = if has(key, &["sentiment", "mood", "tone", "тональн"]) {
        by_name(match thought.mood {
            Mood::Positive => &POSITIVE,
            Mood::Neutral => &NEUTRAL,
            Mood::Negative => &NEGATIVE,
        })
    } else if has(key, &["urgency", "priority", "severity", "срочн"]) {
        by_name(match urgency(thought) {
            0 => &LOW,
            1 => &MIDDLE,
            _ => &HIGH,
        })
    } else if flag_names(words) {
        let names: &[&str] = if flag(key, thought) {
            &["yes", "да"]
        } else {
            &["no", "нет"]
        };
        by_name(names)
    } else {
        None
    };
    named
        .or_else(|| thought.topic.choose(words))
        .map_or(Value::Null, |word| json!(word))
}

fn flag_names(words: &[String]) -> bool {
    let is_one =
        |word: &String| matches!(word.to_lowercase().as_str(), "yes" | "no" | "да" | "нет");
    words.iter().all(is_one)
}

fn text(key: &str, thought: &Thought) -> String {
    if has(key, &["reason", "why", "причин"]) {
        return thought.reason().to_owned();
    }
    if has(key, &["intent", "topic", "category", "label", "тема"]) {
        return thought.topic.name().to_owned();
    }
    if has(key, &["sentiment", "mood", "tone"]) {
        let name = match thought.mood {
            Mood::Positive => "positive",
            Mood::Neutral => "neutral",
            Mood::Negative => "negative",
        };
        return name.to_owned();
    }
    if has(key, &["urgency", "priority", "severity"]) {
        return ["low", "normal", "high"][urgency(thought)].to_owned();
    }
    if has(key, &["summary", "title", "subject", "question"]) {
        return thought.summary.clone();
    }
    if has(key, &["language", "locale", "lang"]) {
        return "ru".to_owned();
    }
    thought.answer.clone()
}

fn flag(key: &str, thought: &Thought) -> bool {
    if has(
        key,
        &[
            "human", "operator", "escalat", "handoff", "handover", "person",
        ],
    ) {
        return thought.needs_human;
    }
    if has(key, &["question"]) {
        return thought.is_question;
    }
    has(key, &["can_answer", "confident", "polite"]) && thought.topic != Topic::Other
}

fn share(key: &str, thought: &Thought) -> Value {
    if has(key, &["urgency", "priority", "severity"]) {
        return json!([0.2, 0.5, 0.9][urgency(thought)]);
    }
    json!(if thought.topic == Topic::Other {
        0.5
    } else {
        0.9
    })
}

fn list(key: &str, item: Option<&Shape>, thought: &Thought) -> Value {
    if has(key, &["source", "citation", "reference"]) {
        let of_ids = |id: &Value| match item {
            Some(Shape::Object(keys)) => cited(keys, id, thought),
            Some(Shape::Text) => json!(id.as_str().map_or_else(|| id.to_string(), str::to_owned)),
            _ => id.clone(),
        };
        let ids = thought.sources.iter().map(|source| of_ids(&source.id));
        return Value::Array(ids.collect());
    }
    let item = item.map(|item| fill(item, key, thought));
    Value::Array(item.into_iter().collect())
}

fn cited(keys: &[(String, Shape)], id: &Value, thought: &Thought) -> Value {
    let filled = keys.iter().map(|(key, shape)| {
        let is_id = key == "id" || key.ends_with("_id");
        let value = if is_id {
            id.clone()
        } else {
            fill(shape, key, thought)
        };
        (key.clone(), value)
    });
    Value::Object(filled.collect())
}

// 0 low, 1 normal, 2 high
fn urgency(thought: &Thought) -> usize {
    match thought.topic {
        Topic::Thanks => 0,
        _ if thought.needs_human => 2,
        _ => 1,
    }
}

fn has(key: &str, names: &[&str]) -> bool {
    names.iter().any(|name| key.contains(name))
}
