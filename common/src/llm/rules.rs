//! The rule bot as a provider: offline, the same answer to the same question.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;

use super::{Completed, Completion, LlmError, LlmProvider};
use crate::domain::bot::{DEFAULT_RULES, answer};

pub(super) struct Rules;

impl LlmProvider for Rules {
    fn complete<'a>(
        &'a self,
        request: &'a Completion,
    ) -> BoxFuture<'a, Result<Completed, LlmError>> {
        async move {
            let Some(text) = answer(DEFAULT_RULES, &request.question) else {
                let message = "no rule fits".to_owned();
                return Err(LlmError::Rejected { message });
            };
            let text = if request.json {
                json!({"text": text}).to_string()
            } else {
                text.to_owned()
            };
            Ok(Completed { text, usage: None })
        }
        .boxed()
    }
}
