//! Is an answer what the document of its marketplace describes?

use std::collections::HashSet;
use std::sync::LazyLock;

use sandbox::Marketplace;
use serde_json::{Map, Value, json};

const OVERRIDES: &str = include_str!("../../spec_overrides.json");

static DOCUMENTS: LazyLock<[Value; 3]> = LazyLock::new(|| {
    [
        load("ozon", include_str!("../../specs/ozon.json")),
        load("wildberries", include_str!("../../specs/wildberries.json")),
        load(
            "yandex_market",
            include_str!("../../specs/yandex_market.json"),
        ),
    ]
});

/// Panics unless status, content type and body are described.
pub(crate) fn check(
    market: Marketplace,
    method: &str,
    path: &str,
    status: u16,
    kind: &str,
    body: &[u8],
) {
    if let Err(problem) = validate(market, method, path, status, kind, body) {
        let body = String::from_utf8_lossy(body);
        panic!("{method} {path} → {status}: {problem}\n{body}");
    }
}

/// Whether the documents know the path.
pub(crate) fn knows(market: Marketplace, path: &str) -> bool {
    document(market)["paths"].get(template(path)).is_some()
}

fn validate(
    market: Marketplace,
    method: &str,
    path: &str,
    status: u16,
    kind: &str,
    body: &[u8],
) -> Result<(), String> {
    let document = document(market);
    let methods = document["paths"]
        .get(template(path))
        .ok_or("unknown path")?;
    // an answer to the wrong method is described with the right one
    let operation = methods
        .get(method.to_ascii_lowercase())
        .or_else(|| methods.as_object()?.values().next())
        .ok_or("unknown method")?;
    let responses = &operation["responses"];
    let content = responses
        .get(status.to_string())
        .or_else(|| responses.get("default"))
        .ok_or("status is not described")?;
    let kind = kind.split(';').next().unwrap_or_default();
    let schema = content
        .get(kind)
        .ok_or_else(|| format!("content type {kind} is not described"))?;
    if !kind.ends_with("json") {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": {"schemas": document["schemas"]},
        "allOf": [schema],
    });
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&whole)
        .map_err(|error| error.to_string())?;
    validator.validate(&body).map_err(|error| {
        let at = error.instance_path.to_string();
        format!("{at}: {error}")
    })
}

fn document(market: Marketplace) -> &'static Value {
    match market {
        Marketplace::Ozon => &DOCUMENTS[0],
        Marketplace::Wildberries => &DOCUMENTS[1],
        Marketplace::YandexMarket => &DOCUMENTS[2],
    }
}

fn template(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["", "v2", "businesses", _, ..] => {
            format!("/v2/businesses/{{businessId}}/{}", parts[4..].join("/"))
        }
        ["", "api", "v1", "seller", "download", _] => "/api/v1/seller/download/{id}".to_owned(),
        _ => path.to_owned(),
    }
}

fn load(name: &str, text: &str) -> Value {
    let mut document: Value = serde_json::from_str(text).expect("a document");
    let overrides: Vec<Value> = serde_json::from_str(OVERRIDES).expect("overrides");
    for entry in overrides.iter().filter(|entry| entry["document"] == name) {
        let at = entry["at"].as_str().expect("a place");
        let path: Vec<&str> = at.split('/').skip(1).collect();
        assert!(
            set(&mut document, &path, &entry["value"]) > 0,
            "{at} is nowhere"
        );
    }
    let mut merged = HashSet::new();
    collect_merged(&document, &mut merged);
    for (name, schema) in document["schemas"].as_object_mut().expect("schemas") {
        close(schema, merged.contains(name));
    }
    close_all(&mut document["paths"]);
    document
}

// `*` stands for every key
fn set(node: &mut Value, path: &[&str], value: &Value) -> usize {
    let Some(object) = node.as_object_mut() else {
        return 0;
    };
    match path {
        [] => 0,
        [last] => {
            object.insert((*last).to_owned(), value.clone());
            1
        }
        ["*", rest @ ..] => object
            .values_mut()
            .map(|child| set(child, rest, value))
            .sum(),
        [first, rest @ ..] => object
            .get_mut(*first)
            .map_or(0, |child| set(child, rest, value)),
    }
}

// schemas which others build upon must stay open
fn collect_merged(node: &Value, merged: &mut HashSet<String>) {
    match node {
        Value::Object(map) => {
            for part in map
                .get("allOf")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                if let Some(name) = part["$ref"].as_str() {
                    merged.extend(name.rsplit('/').next().map(ToOwned::to_owned));
                }
            }
            map.values().for_each(|child| collect_merged(child, merged));
        }
        Value::Array(items) => items.iter().for_each(|child| collect_merged(child, merged)),
        _ => {}
    }
}

fn close_all(node: &mut Value) {
    if let Value::Object(map) = node {
        if map.keys().any(|key| key.contains("json")) {
            map.values_mut().for_each(|schema| close(schema, false));
        } else {
            map.values_mut().for_each(close_all);
        }
    }
}

// nothing beyond the described fields, and nulls where they are described
fn close(schema: &mut Value, is_part: bool) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    if map.get("nullable") == Some(&json!(true))
        && let Some(kind) = map.get("type").cloned()
    {
        map.insert("type".to_owned(), json!([kind, "null"]));
    }
    let has_fields = map.contains_key("properties") || map.contains_key("allOf");
    if has_fields && !is_part {
        map.insert("unevaluatedProperties".to_owned(), json!(false));
    }
    // some formats are prose, and jsonschema knows no widths of numbers
    if map
        .get("format")
        .is_some_and(|format| format != "date-time")
    {
        map.remove("format");
    }
    for part in map
        .get_mut("allOf")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        close(part, true);
    }
    if let Some(items) = map.get_mut("items") {
        close(items, false);
    }
    let empty = &mut Map::new();
    let fields = map.get_mut("properties").and_then(Value::as_object_mut);
    for field in fields.unwrap_or(empty).values_mut() {
        close(field, false);
    }
}

#[test]
fn an_answer_beyond_the_document_is_noticed() {
    let market = Marketplace::YandexMarket;
    let path = "/v2/businesses/1/chats/new";
    let good = json!({"status": "OK", "result": {"chatId": 5}});
    let try_it = |body: &Value, status| {
        let body = body.to_string();
        validate(
            market,
            "POST",
            path,
            status,
            "application/json",
            body.as_bytes(),
        )
    };
    assert_eq!(try_it(&good, 200), Ok(()));
    assert!(try_it(&good, 201).is_err());
    for (at, value) in [
        ("/status", json!("FINE")),
        ("/result/chatId", json!("5")),
        ("/result/chatId", json!(0)),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(at).expect("a place") = value;
        assert!(try_it(&bad, 200).is_err(), "{bad}");
    }
    let mut bad = good.clone();
    bad["result"]["more"] = json!(1);
    assert!(try_it(&bad, 200).is_err());
    let mut bad = good;
    bad["more"] = json!(1);
    assert!(try_it(&bad, 200).is_err());
}

#[test]
fn each_override_names_its_paragraph() {
    let overrides: Vec<Value> = serde_json::from_str(OVERRIDES).expect("overrides");
    for entry in overrides {
        let facts = entry["facts"].as_str().unwrap_or_default();
        assert!(facts.starts_with('§'), "{entry}");
    }
}
