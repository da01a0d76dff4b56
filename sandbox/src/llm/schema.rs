//! Which answers does a JSON schema describe, and is it one that the API accepts?

use serde_json::{Map, Value};

use super::shape::Shape;

// references may go round in circles
const DEEPEST: usize = 10;

/// What the API says against a schema; strict ones must name all keys and allow no others.
pub(super) fn problem(schema: &Value, is_strict: bool) -> Option<String> {
    let kind = schema["type"].as_str();
    if kind != Some("object") {
        let found = kind.unwrap_or("None");
        return Some(format!(
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{found}\"'."
        ));
    }
    is_strict.then(|| looseness(schema, "()")).flatten()
}

fn looseness(schema: &Value, place: &str) -> Option<String> {
    if let Some(keys) = schema["properties"].as_object() {
        if schema["additionalProperties"] != Value::Bool(false) {
            return Some(format!(
                "In context={place}, 'additionalProperties' is required to be supplied and to be false."
            ));
        }
        let required = schema["required"].as_array();
        let is_required = |key: &&String| {
            required.is_some_and(|all| all.iter().any(|name| name.as_str() == Some(key)))
        };
        if let Some(key) = keys.keys().find(|key| !is_required(key)) {
            return Some(format!(
                "In context={place}, 'required' is required to be supplied and to be an array including every key in properties. Missing '{key}'."
            ));
        }
    }
    let (Value::Object(_) | Value::Array(_)) = schema else {
        return None;
    };
    let object = schema.as_object().into_iter().flatten();
    let within = object.map(|(_, value)| value);
    let items = schema.as_array().into_iter().flatten();
    within
        .chain(items)
        .find_map(|inner| looseness(inner, "('properties')"))
}

/// What belongs into an answer after this schema.
pub(super) fn shape(schema: &Value) -> Shape {
    of(schema, schema, 0)
}

fn of(schema: &Value, root: &Value, depth: usize) -> Shape {
    if depth > DEEPEST {
        return Shape::Null;
    }
    if let Some(path) = schema["$ref"].as_str() {
        let target = path.strip_prefix('#').and_then(|path| root.pointer(path));
        return target.map_or(Shape::Null, |target| of(target, root, depth + 1));
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str);
        return Shape::Choice(words.map(ToOwned::to_owned).collect());
    }
    if let Some(word) = schema["const"].as_str() {
        return Shape::Choice(vec![word.to_owned()]);
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let is_something = |option: &&Value| option["type"] != "null";
        let option = options.iter().find(is_something);
        return option.map_or(Shape::Null, |option| of(option, root, depth + 1));
    }
    match kind(schema) {
        "string" => Shape::Text,
        "boolean" => Shape::Flag,
        "integer" => Shape::Integer,
        "number" => Shape::Share,
        "array" => Shape::List(match &schema["items"] {
            Value::Null => None,
            items => Some(Box::new(of(items, root, depth + 1))),
        }),
        "object" => {
            let none = Map::new();
            let keys = schema["properties"].as_object().unwrap_or(&none).iter();
            let filled = keys.map(|(key, inner)| (key.clone(), of(inner, root, depth + 1)));
            Shape::Object(filled.collect())
        }
        _ => Shape::Null,
    }
}

fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(kinds) => {
            let mut named = kinds.iter().filter_map(Value::as_str);
            named.find(|kind| *kind != "null").unwrap_or_default()
        }
        kind => kind.as_str().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Shape, problem, shape};
    use serde_json::json;

    #[test]
    fn a_schema_becomes_a_shape() {
        let schema = json!({
            "type": "object",
            "properties": {
                "kind": {"$ref": "#/$defs/kind"},
                "note": {"type": ["null", "string"]},
                "tags": {"type": "array", "items": {"anyOf": [{"type": "null"}, {"type": "boolean"}]}},
            },
            "$defs": {"kind": {"enum": ["a", "b"]}},
        });
        let words = vec!["a".to_owned(), "b".to_owned()];
        let Shape::Object(keys) = shape(&schema) else {
            panic!("no object");
        };
        assert!(keys.contains(&("kind".into(), Shape::Choice(words))));
        assert!(keys.contains(&("note".into(), Shape::Text)));
        let flags = Shape::List(Some(Box::new(Shape::Flag)));
        assert!(keys.contains(&("tags".into(), flags)));
    }

    #[test]
    fn a_strict_schema_names_all_keys_and_allows_no_others() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        assert!(problem(&schema, false).is_none());
        assert!(problem(&schema, true).is_some_and(|text| text.contains("additionalProperties")));
        let mut closed = schema.clone();
        closed["additionalProperties"] = json!(false);
        assert!(problem(&closed, true).is_some_and(|text| text.contains("Missing 'a'")));
        closed["required"] = json!(["a"]);
        assert!(problem(&closed, true).is_none());
        let outer = json!({
            "type": "object", "additionalProperties": false, "required": ["in"],
            "properties": {"in": schema},
        });
        assert!(problem(&outer, true).is_some());
        assert!(problem(&json!({"type": "array"}), false).is_some());
    }
}
