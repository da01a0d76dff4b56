//! One operation: what it takes, what it answers, and when its turn is.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::Value;

/// An operation of the document.
#[derive(Debug)]
pub struct Operation {
    pub method: Method,
    pub path: String,
    /// Its name in the document.
    pub id: String,
    /// Whether a token is needed.
    pub is_secured: bool,
    /// The role that the document asks for, if it names one.
    pub role: Option<String>,
    pub parameters: Vec<Parameter>,
    pub request: Option<Content>,
    pub answers: Vec<Answer>,
}

/// What stands in the path or the query.
#[derive(Debug)]
pub struct Parameter {
    pub name: String,
    pub is_in_path: bool,
    pub is_required: bool,
    pub schema: Value,
    pub example: Value,
}

/// An answer that may come.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// One of these, or nothing at all.
    pub contents: Vec<Content>,
}

/// A body.
#[derive(Debug)]
pub struct Content {
    /// The media type.
    pub kind: String,
    pub schema: Value,
    pub example: Value,
}

impl Operation {
    /// Reads what the document says of it.
    pub fn read(method: &str, path: &str, about: &Value) -> Result<Self> {
        let parameters = about["parameters"].as_array().into_iter().flatten();
        let answers = about["responses"].as_object().context("no answers")?;
        Ok(Self {
            method: method.to_uppercase().parse().context("a method")?,
            path: path.to_owned(),
            id: text(&about["operationId"]),
            is_secured: about["security"].is_array(),
            role: about["security"][0]["bearer"][0]
                .as_str()
                .map(str::to_owned),
            parameters: parameters.map(Parameter::read).collect(),
            request: contents(&about["requestBody"]).into_iter().next(),
            answers: answers
                .iter()
                .map(|(status, about)| Answer {
                    status: status.parse().unwrap_or_default(),
                    contents: contents(about),
                })
                .collect(),
        })
    }

    /// As people speak of it.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether it never ends: a socket, or nothing but events.
    pub fn is_stream(&self) -> bool {
        let events = |content: &Content| content.kind == "text/event-stream";
        let has_events = |answer: &Answer| {
            (200..300).contains(&answer.status) && answer.contents.iter().all(events)
        };
        let is_stream = |answer: &Answer| {
            answer.status == 101 || !answer.contents.is_empty() && has_events(answer)
        };
        self.answers.iter().any(is_stream)
    }

    /// The path up to its first parameter: the list to which the rest belongs.
    pub fn collection(&self) -> &str {
        let (before, _) = self.path.split_once("/{").unwrap_or((&self.path, ""));
        before
    }

    /// Those that make something come first, then those that look, change, take away, and sign out.
    pub fn turn(&self) -> u8 {
        let is_whole = !self.path.contains('{');
        match self.method {
            _ if self.path.ends_with("/logout") => 5,
            Method::DELETE => 4,
            Method::POST if is_whole => 0,
            Method::GET => 1,
            Method::POST => 2,
            _ => 3,
        }
    }
}

impl Parameter {
    fn read(about: &Value) -> Self {
        let example = match &about["example"] {
            Value::Null => &about["schema"]["example"],
            example => example,
        };
        Self {
            name: text(&about["name"]),
            is_in_path: about["in"] == "path",
            is_required: about["required"] == true,
            schema: about["schema"].clone(),
            example: example.clone(),
        }
    }
}

fn contents(about: &Value) -> Vec<Content> {
    let kinds = about["content"].as_object().into_iter().flatten();
    let read = |(kind, about): (&String, &Value)| Content {
        kind: kind.clone(),
        schema: about["schema"].clone(),
        example: about["example"].clone(),
    };
    kinds.map(read).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operation(method: &str, path: &str, answers: &Value) -> Operation {
        Operation::read(method, path, &json!({ "responses": answers })).unwrap()
    }

    #[test]
    fn sockets_and_mere_events_are_streams() {
        let of = |answers| operation("get", "/", &answers).is_stream();
        assert!(of(json!({ "101": {} })));
        assert!(of(
            json!({ "200": { "content": { "text/event-stream": {} } }, "500": {} })
        ));
        let both = json!({ "text/event-stream": {}, "application/json": {} });
        assert!(!of(json!({ "200": { "content": both } })));
        assert!(!of(json!({ "204": {} })));
    }

    #[test]
    fn what_is_made_comes_before_what_is_taken_away() {
        let turn = |method, path| operation(method, path, &json!({ "200": {} })).turn();
        let turns = [
            turn("post", "/things"),
            turn("get", "/things/{id}"),
            turn("post", "/things/{id}/close"),
            turn("patch", "/things/{id}"),
            turn("delete", "/things/{id}"),
            turn("post", "/logout"),
        ];
        assert!(turns.is_sorted(), "{turns:?}");
    }
}
