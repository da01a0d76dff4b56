//! How are the simple parameters of a request read, and what is said about wrong ones?

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// A request's body, or an object within it.
pub(super) type Object = Map<String, Value>;

/// Refuses a number outside of the range.
pub(super) fn check_number(
    body: &Object,
    name: &str,
    lowest: f64,
    highest: f64,
) -> Result<(), Refusal> {
    let Some(value) = given(body, name) else {
        return Ok(());
    };
    let number = value
        .as_f64()
        .ok_or_else(|| Refusal::wrong_type(name, "a decimal", value))?;
    let (is_above, code) = match number {
        number if number > highest => (true, "decimal_above_max_value"),
        number if number < lowest => (false, "decimal_below_min_value"),
        _ => return Ok(()),
    };
    let (side, sign, end) = if is_above {
        ("above maximum", "<=", highest)
    } else {
        ("below minimum", ">=", lowest)
    };
    let text = format!(
        "Invalid '{name}': decimal {side} value. Expected a value {sign} {end}, but got {number} instead."
    );
    Err(Refusal::wrong(name, code, text))
}

/// A whole number of at least `lowest`.
pub(super) fn integer(body: &Object, name: &str, lowest: i64) -> Result<Option<i64>, Refusal> {
    let Some(value) = given(body, name) else {
        return Ok(None);
    };
    let number = value
        .as_i64()
        .ok_or_else(|| Refusal::wrong_type(name, "an integer", value))?;
    if number >= lowest {
        return Ok(Some(number));
    }
    let text = format!(
        "Invalid '{name}': integer below minimum value. Expected a value >= {lowest}, but got {number} instead."
    );
    Err(Refusal::wrong(name, "integer_below_min_value", text))
}

/// A yes or no; no if it is missing.
pub(super) fn flag(body: &Object, name: &str) -> Result<bool, Refusal> {
    match given(body, name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(Refusal::wrong_type(name, "a boolean", other)),
    }
}

/// The texts at which an answer ends.
pub(super) fn stops(body: &Object) -> Result<Vec<String>, Refusal> {
    let all = match given(body, "stop") {
        None => return Ok(Vec::new()),
        Some(Value::Array(all)) if !all.is_empty() && all.len() <= 4 => all.clone(),
        Some(Value::Array(all)) => {
            let text = format!(
                "Invalid 'stop': expected an array with 1 to 4 items, but got an array with length {} instead.",
                all.len()
            );
            return Err(Refusal::wrong("stop", "invalid_array_length", text));
        }
        Some(one) => vec![one.clone()],
    };
    let mut stops = Vec::new();
    for stop in all {
        match stop {
            Value::String(stop) if !stop.is_empty() => stops.push(stop),
            Value::String(_) => {
                let text = "Invalid 'stop': empty string. Expected a string with minimum length 1.";
                return Err(Refusal::wrong("stop", "empty_string", text));
            }
            other => {
                let expected = "one of a string or array of strings";
                return Err(Refusal::wrong_type("stop", expected, &other));
            }
        }
    }
    Ok(stops)
}

/// A parameter that is there and not null.
pub(super) fn given<'a>(body: &'a Object, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}
