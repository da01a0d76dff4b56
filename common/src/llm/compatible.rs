//! Servers that speak OpenAI's chat completions: DeepSeek, OpenAI, Ollama, vLLM and others.
//!
//! <https://api-docs.deepseek.com/api/create-chat-completion>,
//! <https://platform.openai.com/docs/api-reference/chat/create>

use std::time::Duration;

use anyhow::Context;
use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Completed, Completion, LlmError, LlmProvider, PromptMessage, Usage};
use crate::config::LlmServer;
use crate::http::{Answer, Call, HeaderMap, HeaderValue, StatusCode, VendorClient};

/// How long a whole reply may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How servers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Usual,
    /// Its newer models know `max_completion_tokens` only, and take no temperature.
    Openai,
}

/// One server. Without an address or a key it answers nothing.
pub(super) struct Compatible {
    client: Option<VendorClient>,
    key: Option<SecretString>,
    needs_key: bool,
    /// The variable to name when something is missing.
    variable: &'static str,
    dialect: Dialect,
}

impl Compatible {
    pub(super) fn new(
        server: &LlmServer,
        variable: &'static str,
        dialect: Dialect,
    ) -> anyhow::Result<Self> {
        let client = server
            .base_url
            .as_deref()
            .map(|url| VendorClient::with_timeout(url, TIMEOUT).context("address of a model"))
            .transpose()?;
        Ok(Self {
            client,
            key: server.key.clone(),
            needs_key: server.needs_key,
            variable,
            dialect,
        })
    }

    fn headers(&self) -> Result<HeaderMap, LlmError> {
        let mut headers = HeaderMap::new();
        match &self.key {
            Some(key) => {
                let value = format!("Bearer {}", key.expose_secret());
                let mut value = HeaderValue::from_str(&value).map_err(|_| LlmError::Rejected {
                    message: "the key holds characters that no header may hold".to_owned(),
                })?;
                value.set_sensitive(true);
                headers.insert("authorization", value);
            }
            None if self.needs_key => return Err(self.not_configured()),
            None => {}
        }
        Ok(headers)
    }

    fn not_configured(&self) -> LlmError {
        LlmError::NotConfigured {
            variable: self.variable,
        }
    }

    async fn ask(&self, request: &Completion) -> Result<Completed, LlmError> {
        let headers = self.headers()?;
        let client = self.client.as_ref().ok_or_else(|| self.not_configured())?;
        let call = Call {
            path: "/chat/completions",
            headers,
            ..Call::default()
        };
        let answer = client.post_json(call, &self.body(request)).await;
        let answer = answer.map_err(|problem| LlmError::Unavailable {
            message: problem.to_string(),
        })?;
        read(&answer)
    }

    fn body<'a>(&self, request: &'a Completion) -> ChatCompletion<'a> {
        let is_usual = self.dialect == Dialect::Usual;
        ChatCompletion {
            model: &request.model,
            messages: &request.messages,
            temperature: is_usual.then_some(0.3),
            max_tokens: is_usual.then_some(request.max_tokens),
            max_completion_tokens: (!is_usual).then_some(request.max_tokens),
            response_format: request.json.then_some(ResponseFormat {
                kind: "json_object",
            }),
        }
    }
}

impl LlmProvider for Compatible {
    fn complete<'a>(
        &'a self,
        request: &'a Completion,
    ) -> BoxFuture<'a, Result<Completed, LlmError>> {
        self.ask(request).boxed()
    }
}

fn read(answer: &Answer) -> Result<Completed, LlmError> {
    match answer.status {
        status if status.is_success() => read_completed(&answer.body),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(LlmError::Unauthorized {
            message: reason(answer),
        }),
        StatusCode::TOO_MANY_REQUESTS => Err(LlmError::RateLimited {
            retry_after: answer.retry_after(),
        }),
        status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
            Err(LlmError::Rejected {
                message: reason(answer),
            })
        }
        status => Err(LlmError::Unavailable {
            message: format!("status {}", status.as_u16()),
        }),
    }
}

fn read_completed(body: &[u8]) -> Result<Completed, LlmError> {
    let unexpected = |message: &str| LlmError::Unexpected {
        message: message.to_owned(),
    };
    let answer: CompletionAnswer =
        serde_json::from_slice(body).map_err(|_| unexpected("not a chat completion"))?;
    let text = answer
        .choices
        .into_iter()
        .next()
        .and_then(|choice| choice.message.content)
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| unexpected("no text"))?;
    Ok(Completed {
        text,
        usage: answer.usage.map(|usage| Usage {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
        }),
    })
}

/// The server's own words, at most a line of them.
fn reason(answer: &Answer) -> String {
    let told = serde_json::from_slice::<ErrorAnswer>(&answer.body).ok();
    let message = told.map(|told| told.error.message);
    let message = message.unwrap_or_else(|| format!("status {}", answer.status.as_u16()));
    message.chars().take(300).collect()
}

#[derive(Serialize)]
struct ChatCompletion<'a> {
    model: &'a str,
    messages: &'a [PromptMessage],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat>,
}

#[derive(Serialize)]
struct ResponseFormat {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Deserialize)]
struct CompletionAnswer {
    choices: Vec<CompletionChoice>,
    #[serde(default)]
    usage: Option<CompletionUsage>,
}

#[derive(Deserialize)]
struct CompletionChoice {
    message: CompletionMessage,
}

#[derive(Deserialize)]
struct CompletionMessage {
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
struct CompletionUsage {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ErrorMessage,
}

#[derive(Deserialize)]
struct ErrorMessage {
    message: String,
}
