//! Which keys must an answer in JSON have, and what belongs into each?

use serde_json::{Map, Value};

/// What belongs into one place of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// One of these words.
    Choice(Vec<String>),
    /// A text.
    Text,
    /// A yes or no.
    Flag,
    /// A whole number.
    Integer,
    /// A share between 0 and 1.
    Share,
    /// A list of things of one shape; of none in particular if missing.
    List(Option<Box<Shape>>),
    /// An object with these keys.
    Object(Vec<(String, Shape)>),
    /// Nothing.
    Null,
}

impl Shape {
    /// The shape that the last JSON object in a text shows by example.
    pub(super) fn shown_in(text: &str) -> Option<Self> {
        last_object(text).map(|example| of_object(&example))
    }
}

fn last_object(text: &str) -> Option<Map<String, Value>> {
    // people write the two alternatives without quotes
    let text = text.replace(": true|false", ": true");
    let mut found = None;
    let mut from = 0;
    while let Some(at) = text[from..].find('{').map(|at| from + at) {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter();
        match values.next() {
            Some(Ok(object)) => {
                found = Some(object)
                    .filter(|object: &Map<_, _>| !object.is_empty())
                    .or(found);
                from = at + values.byte_offset();
            }
            _ => from = at + 1,
        }
    }
    found
}

fn of_object(example: &Map<String, Value>) -> Shape {
    let keys = example.iter();
    Shape::Object(
        keys.map(|(key, value)| (key.clone(), of_value(value)))
            .collect(),
    )
}

fn of_value(example: &Value) -> Shape {
    match example {
        Value::Null => Shape::Null,
        Value::Bool(_) => Shape::Flag,
        Value::Number(number) if number.is_f64() => Shape::Share,
        Value::Number(_) => Shape::Integer,
        Value::String(text) => of_text(text),
        Value::Array(items) => Shape::List(items.first().map(|item| Box::new(of_value(item)))),
        Value::Object(object) => of_object(object),
    }
}

// `a|b|c` lists words to choose from; with long phrases in it, it is a text like any other
fn of_text(text: &str) -> Shape {
    let words: Vec<&str> = text.split('|').map(str::trim).collect();
    let is_word = |word: &&str| !word.is_empty() && word.split_whitespace().count() <= 3;
    if words.len() < 2 || !words.iter().all(is_word) {
        return Shape::Text;
    }
    match words[..] {
        ["true", "false"] | ["false", "true"] => Shape::Flag,
        ["string", "null"] | ["null", "string"] => Shape::Text,
        _ => Shape::Choice(words.into_iter().map(ToOwned::to_owned).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::Shape;

    #[test]
    fn the_last_example_counts_and_says_what_belongs_where() {
        let prompt = r#"Товар: {"name": "Чайник"}. Ответь в JSON: {"intent": "delivery|size|other",
            "text": "ответ покупателю", "needs_human": true|false, "urgency": 1, "sure": 0.5,
            "sources": [], "more": {"note": null}} без пояснений {не JSON}."#;
        let Some(Shape::Object(keys)) = Shape::shown_in(prompt) else {
            panic!("no shape");
        };
        let of = |name: &str| &keys.iter().find(|(key, _)| key == name).expect("a key").1;
        assert!(matches!(of("intent"), Shape::Choice(words) if words.len() == 3));
        assert_eq!(of("text"), &Shape::Text);
        assert_eq!(of("needs_human"), &Shape::Flag);
        assert_eq!(of("urgency"), &Shape::Integer);
        assert_eq!(of("sure"), &Shape::Share);
        assert_eq!(of("sources"), &Shape::List(None));
        assert_eq!(
            of("more"),
            &Shape::Object(vec![("note".into(), Shape::Null)])
        );
        assert_eq!(keys.len(), 7);
    }

    #[test]
    fn a_text_without_an_object_shows_no_shape() {
        assert_eq!(
            Shape::shown_in("Ответь в JSON {}. Фигурная скобка: {"),
            None
        );
    }
}
