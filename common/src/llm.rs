//! What the product needs from a language model, and which provider speaks to which.

mod compatible;
mod rules;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;

use crate::config::LlmConfig;
use crate::words::words;

use self::compatible::{Compatible, Dialect};
use self::rules::Rules;

pub use self::settings::{Choice, Door, DoorSettings, LlmSettings};

words! {
    /// Who makes replies.
    ProviderName {
        /// Any server that speaks OpenAI's chat completions.
        Compatible = "compatible",
        Deepseek = "deepseek",
        Openai = "openai",
        /// The rule bot: no model at all.
        Rules = "rules",
    }
}

impl ProviderName {
    /// Every provider, in the order people are shown them.
    pub const ALL: [Self; 4] = [Self::Deepseek, Self::Openai, Self::Compatible, Self::Rules];
}

/// One provider of replies.
pub trait LlmProvider: Send + Sync {
    /// A whole reply.
    fn complete<'a>(
        &'a self,
        request: &'a Completion,
    ) -> BoxFuture<'a, Result<Completed, LlmError>>;
}

/// What a model is asked.
#[derive(Clone, Debug)]
pub struct Completion {
    pub model: String,
    pub messages: Vec<PromptMessage>,
    /// The answer is to be a JSON object.
    pub json: bool,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// What the person asked last, for a provider that is no model.
    pub question: String,
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PromptMessage {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    pub content: String,
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    pub text: String,
    pub usage: Option<Usage>,
}

/// Tokens, as the provider counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
}

/// Why there is no reply.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LlmError {
    /// Its address or key is not configured.
    #[error("the provider is not configured: {variable} is unset")]
    NotConfigured { variable: &'static str },
    #[error("the provider refuses the key: {message}")]
    Unauthorized { message: String },
    #[error("too many requests")]
    RateLimited { retry_after: Option<Duration> },
    #[error("the provider refuses the request: {message}")]
    Rejected { message: String },
    #[error("the provider does not answer: {message}")]
    Unavailable { message: String },
    #[error("the provider answers something else: {message}")]
    Unexpected { message: String },
}

impl LlmError {
    /// Whether the same request may work later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. } | Self::Unavailable { .. } | Self::Unexpected { .. }
        )
    }
}

/// All providers, by name. Cheap to clone.
#[derive(Clone)]
pub struct Providers {
    deepseek: Arc<Compatible>,
    openai: Arc<Compatible>,
    compatible: Arc<Compatible>,
    defaults: LlmDefaults,
}

/// What counts where the settings say nothing.
#[derive(Clone, Debug)]
pub struct LlmDefaults {
    pub provider: ProviderName,
    pub openai_model: String,
}

impl LlmDefaults {
    /// The first provider that is configured, else the rule bot.
    pub fn of(config: &LlmConfig) -> Self {
        let provider = if config.deepseek.key.is_some() {
            ProviderName::Deepseek
        } else if config.openai.key.is_some() {
            ProviderName::Openai
        } else {
            ProviderName::Rules
        };
        Self {
            provider,
            openai_model: config.openai_model.clone(),
        }
    }

    /// The model of a provider where none is chosen; none: it has to be chosen.
    pub fn model(&self, provider: ProviderName) -> Option<&str> {
        match provider {
            ProviderName::Deepseek => Some("deepseek-chat"),
            ProviderName::Openai => Some(&self.openai_model),
            ProviderName::Rules => Some("rules"),
            ProviderName::Compatible => None,
        }
    }
}

impl Providers {
    /// Prepares all of them; nothing is contacted yet.
    pub fn new(config: &LlmConfig) -> anyhow::Result<Self> {
        Ok(Self {
            deepseek: Arc::new(Compatible::new(
                &config.deepseek,
                "DEEPSEEK_API_KEY",
                Dialect::Usual,
            )?),
            openai: Arc::new(Compatible::new(
                &config.openai,
                "OPENAI_API_KEY",
                Dialect::Openai,
            )?),
            compatible: Arc::new(Compatible::new(
                &config.compatible,
                "LLM_SERVICE_URL",
                Dialect::Usual,
            )?),
            defaults: LlmDefaults::of(config),
        })
    }

    /// The provider of this name.
    pub fn get(&self, name: ProviderName) -> &dyn LlmProvider {
        match name {
            ProviderName::Deepseek => &*self.deepseek,
            ProviderName::Openai => &*self.openai,
            ProviderName::Compatible => &*self.compatible,
            ProviderName::Rules => &Rules,
        }
    }

    /// What counts where the settings say nothing.
    pub fn defaults(&self) -> &LlmDefaults {
        &self.defaults
    }
}
