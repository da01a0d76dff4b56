//! How does the language model's API say no?

use serde_json::json;

use crate::answer::Answer;

/// A refusal in the API's form.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    message: String,
    kind: &'static str,
    param: Option<String>,
    code: Option<&'static str>,
}

impl Refusal {
    /// A request that cannot be answered as it is.
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kind: "invalid_request_error",
            param: None,
            code: None,
        }
    }

    /// The parameter `param` is wrong.
    pub(super) fn wrong(param: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.to_owned()),
            code: Some(code),
            ..Self::new(400, message)
        }
    }

    /// The parameter `param` has the wrong type.
    pub(super) fn wrong_type(param: &str, expected: &str, found: &serde_json::Value) -> Self {
        let found = match found {
            serde_json::Value::Null => "null",
            serde_json::Value::Bool(_) => "a boolean",
            serde_json::Value::Number(number) if number.is_f64() => "a decimal",
            serde_json::Value::Number(_) => "an integer",
            serde_json::Value::String(_) => "a string",
            serde_json::Value::Array(_) => "an array",
            serde_json::Value::Object(_) => "an object",
        };
        let text =
            format!("Invalid type for '{param}': expected {expected}, but got {found} instead.");
        Self::wrong(param, "invalid_type", text)
    }

    /// The parameter `param` is missing.
    pub(super) fn missing(param: &str) -> Self {
        let text = format!("Missing required parameter: '{param}'.");
        Self::wrong(param, "missing_required_parameter", text)
    }

    /// DeepSeek's way of refusing a body.
    pub(super) fn deepseek(message: impl Into<String>) -> Self {
        Self::new(400, message).coded("invalid_request_error")
    }

    /// The same refusal with a code.
    pub(super) fn coded(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// The same refusal, known to be about a parameter.
    pub(super) fn about(self, param: &str) -> Self {
        Self {
            param: Some(param.to_owned()),
            ..self
        }
    }

    /// No key, or a wrong one; the key itself is not repeated.
    pub(super) fn no_access(has_key: bool) -> Self {
        if has_key {
            let text = "Incorrect API key provided. You can find the key of the sandbox at /control/state.";
            return Self::new(401, text).coded("invalid_api_key");
        }
        let text = "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
        Self::new(401, text)
    }

    /// An error without a cause of its own.
    pub(super) fn failure(status: u16) -> Self {
        let (message, kind) = match status {
            401 => return Self::no_access(true),
            402 => ("Insufficient Balance", "unknown_error"),
            403 => (
                "Country, region, or territory not supported",
                "request_forbidden",
            ),
            404 => ("The requested resource was not found", "not_found_error"),
            429 => ("Rate limit reached for requests", "requests"),
            503 => (
                "The engine is currently overloaded, please try again later",
                "service_unavailable_error",
            ),
            400..500 => ("The request was refused", "invalid_request_error"),
            _ => (
                "The server had an error while processing your request. Sorry about that!",
                "server_error",
            ),
        };
        let code = (status == 429).then_some("rate_limit_exceeded");
        Self {
            kind,
            code,
            ..Self::new(status, message)
        }
    }

    /// The refusal for too many requests.
    pub(super) fn too_many(retry_after: i64) -> Answer {
        Self::failure(429)
            .answer()
            .with_header("retry-after", retry_after)
            .with_header("x-ratelimit-limit-requests", 500)
            .with_header("x-ratelimit-remaining-requests", 0)
            .with_header("x-ratelimit-reset-requests", format!("{retry_after}s"))
    }

    /// What goes back to the caller.
    pub(super) fn answer(self) -> Answer {
        let body = json!({"error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }});
        Answer::json(self.status, &body)
    }
}
