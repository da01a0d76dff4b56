//! JSON bodies: what they may be, and which field is wrong if they are not.

use std::error::Error;

use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::codes;
use super::error::{ApiError, Problems};

/// A JSON body that keeps its rules; also a JSON answer.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// A JSON body that may be left out.
#[derive(Clone, Copy, Debug)]
pub struct OptionalJson<T>(pub T);

/// The rules of a body beyond its types.
pub trait Validate {
    /// Notes every field that breaks a rule.
    fn validate(&self, problems: &mut Problems);
}

impl<S, T> FromRequest<S> for Json<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Validate,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let body = bytes(request, state).await?;
        if !is_json {
            return Err(codes::UNSUPPORTED_MEDIA_TYPE.into());
        }
        parse(&body).map(Self)
    }
}

impl<S, T> FromRequest<S> for OptionalJson<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Validate + Default,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let body = bytes(request, state).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        if !is_json {
            return Err(codes::UNSUPPORTED_MEDIA_TYPE.into());
        }
        parse(&body).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state)
        .await
        .map_err(|error| ApiError::from(codes::MALFORMED_BODY).because(error))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn parse<T: DeserializeOwned + Validate>(body: &[u8]) -> Result<T, ApiError> {
    refuse_nul(body)?;
    require_object(body)?;
    let axum::Json(value) =
        axum::Json::<T>::from_bytes(body).map_err(|rejection| explain(&rejection, body))?;
    let mut problems = Problems::default();
    value.validate(&mut problems);
    problems.check()?;
    Ok(value)
}

/// Fields have names: serde would also take them by their order.
fn require_object(body: &[u8]) -> Result<(), ApiError> {
    if body.trim_ascii_start().starts_with(b"{") {
        return Ok(());
    }
    match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => Err(ApiError::of_field("body", "must be a JSON object")),
        Err(_) => Err(codes::MALFORMED_JSON.into()),
    }
}

/// PostgreSQL keeps no NUL; nobody means to write one.
fn refuse_nul(body: &[u8]) -> Result<(), ApiError> {
    const MESSAGE: &str = "must not contain NUL";
    if body.contains(&0) {
        return Err(ApiError::of_field("body", MESSAGE));
    }
    if !body.windows(6).any(|window| window == br"\u0000") {
        return Ok(());
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => match nul_in(&value, "body") {
            Some(field) => Err(ApiError::of_field(&field, MESSAGE)),
            None => Ok(()),
        },
        // Not JSON at all: said by the parser proper.
        Err(_) => Ok(()),
    }
}

/// The name of a field that holds a NUL.
fn nul_in(value: &Value, field: &str) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| field.to_owned()),
        Value::Array(items) => items.iter().find_map(|item| nul_in(item, field)),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            if name.contains('\0') {
                return Some(field.to_owned());
            }
            nul_in(value, name)
        }),
        _ => None,
    }
}

/// Reads a part of a body as what it has to be; problems are named beneath `field`.
pub fn read_as<T: DeserializeOwned>(part: &impl Serialize, field: &str) -> Result<T, ApiError> {
    let json = serde_json::to_vec(part).map_err(ApiError::internal)?;
    let read = axum::Json::<T>::from_bytes(&json);
    read.map(|read| read.0)
        .map_err(|rejection| match rejection {
            JsonRejection::JsonDataError(error) => {
                let said = error.source().map(ToString::to_string).unwrap_or_default();
                let (name, message) = field_and_message(&said);
                ApiError::of_field(&format!("{field}.{name}"), message)
            }
            _ => ApiError::of_field(field, "cannot be read"),
        })
}

fn explain(rejection: &JsonRejection, body: &[u8]) -> ApiError {
    let said = match rejection {
        JsonRejection::JsonDataError(error) => error.source(),
        // A number where one of a few words is wanted is called a fault of syntax, too.
        JsonRejection::JsonSyntaxError(error) if is_sound(body) => error.source(),
        _ => return codes::MALFORMED_JSON.into(),
    };
    let said = said.map(ToString::to_string).unwrap_or_default();
    let (field, message) = field_and_message(&said);
    ApiError::of_field(&field, message)
}

fn is_sound(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok()
}

/// Splits what the parser says, `path: message at line 1 column 2`, and finds the field's name where
/// the message alone has it.
pub(super) fn field_and_message(said: &str) -> (String, String) {
    let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
    let quoted = said.split('`').nth(1);
    let is_about_name = ["missing field", "unknown field", "duplicate field"]
        .iter()
        .any(|about| said.contains(about));
    let (path, message) = match said.split_once(": ") {
        Some((path, message)) if !path.contains(' ') => (Some(path), message),
        _ => (None, said),
    };
    let field = match (is_about_name, quoted, path) {
        (true, Some(name), _) => name,
        (_, _, Some(path)) => path,
        _ => "body",
    };
    let message = match message {
        _ if message.starts_with("missing field") => "is missing".to_owned(),
        _ if message.starts_with("unknown field") => "is unknown".to_owned(),
        _ if message.starts_with("duplicate field") => "is given twice".to_owned(),
        _ => message.chars().take(200).collect(),
    };
    (field.chars().take(100).collect(), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only its type matters")]
        count: i64,
        #[expect(dead_code, reason = "only its type matters")]
        word: Option<Word>,
    }

    #[derive(Debug, Deserialize)]
    enum Word {
        One,
    }

    impl Validate for Body {
        fn validate(&self, _: &mut Problems) {}
    }

    fn problem(body: &str) -> (&'static str, String) {
        let error = parse::<Body>(body.as_bytes()).unwrap_err();
        let details = error.details.unwrap_or_default();
        let field = details[0]["field"].as_str().unwrap_or_default().to_owned();
        (error.code.name, field)
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let field = |name: &str| ("validation_failed", name.to_owned());
        assert_eq!(problem(r#"{"count":"x"}"#), field("count"));
        assert_eq!(problem(r#"{"count":99999999999999999999}"#), field("count"));
        assert_eq!(problem(r#"{}"#), field("count"));
        assert_eq!(problem(r#"{"count":1,"other":2}"#), field("other"));
        assert_eq!(problem(r#"{"count":1,"word":2}"#), field("word"));
        assert_eq!(problem(r#"{"count":1,"word":"Two"}"#), field("word"));
        assert_eq!(problem(r#"{"count":1,"count":2}"#), field("count"));
        assert_eq!(problem(r#"{"count":"\u0000"}"#), field("count"));
        assert_eq!(problem("[]"), field("body"));
        assert_eq!(problem("[1]"), field("body"));
        assert_eq!(problem("{\"count\":\"\0\"}"), field("body"));
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for body in ["", "{", r#"{"count":1}x"#, "{'a':1}", r#"{"count":1e999}"#] {
            assert_eq!(problem(body).0, "malformed_json", "{body}");
        }
    }
}
