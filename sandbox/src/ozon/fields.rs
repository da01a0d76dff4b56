//! Which fields does a request to Ozon hold, in the loose typing of protobuf's JSON?

use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::incoming::Incoming;

use super::{error, invalid};

/// The object in a request's body.
#[derive(Debug, Default)]
pub(super) struct Fields {
    map: Map<String, Value>,
}

impl Fields {
    /// Reads the body; an empty one counts as an empty object.
    pub(super) fn of(incoming: &Incoming) -> Result<Self, Answer> {
        if incoming.body.is_empty() {
            return Ok(Self::default());
        }
        if !incoming.says_json() {
            let text = "Content-Type header should be application/json";
            return Err(error(400, 3, text));
        }
        match serde_json::from_slice(&incoming.body) {
            Ok(Value::Object(map)) => Ok(Self { map }),
            _ => Err(error(400, 3, "Invalid request body")),
        }
    }

    /// A text; null and an empty one count as missing.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Answer> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok((!text.is_empty()).then_some(text)),
            Some(_) => Err(invalid(&format!("invalid value for string field {name}"))),
        }
    }

    /// A text that must be there.
    pub(super) fn required_text(&self, name: &str) -> Result<&str, Answer> {
        self.text(name)?
            .ok_or_else(|| invalid(&format!("{name}: value is required")))
    }

    /// A number, as JSON number or text; null and 0 count as missing.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Answer> {
        let wrong = || invalid(&format!("invalid value for uint64 field {name}"));
        let number = match self.map.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.parse().map_err(|_| wrong())?),
            Some(value) => Some(value.as_u64().ok_or_else(wrong)?),
        };
        Ok(number.filter(|number| *number != 0))
    }

    /// Yes or no; null counts as no.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Answer> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(invalid(&format!("invalid value for bool field {name}"))),
        }
    }

    /// An object within; null and missing are an empty one.
    pub(super) fn object(&self, name: &str) -> Result<Self, Answer> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(Self::default()),
            Some(Value::Object(map)) => Ok(Self { map: map.clone() }),
            Some(_) => Err(invalid(&format!("invalid value for object field {name}"))),
        }
    }

    /// A list of numbers, each as JSON number or text.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<u64>, Answer> {
        let wrong = || invalid(&format!("invalid value for repeated uint64 field {name}"));
        let items = match self.map.get(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(wrong()),
        };
        let numbers = items.iter().map(|item| match item {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        });
        numbers.collect::<Option<_>>().ok_or_else(wrong)
    }
}
