//! Which language models are there, how fast are they, and how often were they asked?

mod conversation;
mod fields;
mod fill;
mod format;
mod messages;
mod obey;
mod pass;
mod phrases;
mod refusal;
mod reply;
mod request;
mod schema;
mod shape;
mod stream;
mod thought;
mod topic;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use pass::pass;

use crate::journal::{Entry, Kind};

/// The name of the language model in faults.
pub(crate) const TARGET: &str = "llm";
/// The key that is accepted, the same in every world.
pub(crate) const KEY: &str = "sk-sandbox-5f1d0c7e94b84a26";
const COMPLETIONS: &str = "/v1/chat/completions";

/// Whose habits a model has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Vendor {
    /// OpenAI.
    OpenAi,
    /// DeepSeek.
    DeepSeek,
}

/// A model that may be asked.
#[derive(Debug)]
pub(crate) struct Model {
    /// Name in requests.
    pub name: &'static str,
    /// Whose habits it has.
    pub vendor: Vendor,
    /// Most tokens of a request.
    pub context_tokens: usize,
    /// Most tokens of an answer.
    pub answer_tokens: u64,
    /// Whether it shows its reasoning.
    pub reasons: bool,
    /// Whether it obeys whatever instruction it finds.
    pub obeys: bool,
}

/// All models.
pub(crate) const MODELS: [Model; 4] = [
    Model {
        name: "deepseek-chat",
        vendor: Vendor::DeepSeek,
        context_tokens: 131_072,
        answer_tokens: 8192,
        reasons: false,
        obeys: false,
    },
    Model {
        name: "deepseek-reasoner",
        vendor: Vendor::DeepSeek,
        context_tokens: 131_072,
        answer_tokens: 65_536,
        reasons: true,
        obeys: false,
    },
    Model {
        name: "gpt-5.2",
        vendor: Vendor::OpenAi,
        context_tokens: 400_000,
        answer_tokens: 128_000,
        reasons: false,
        obeys: false,
    },
    Model {
        name: "sandbox-obey",
        vendor: Vendor::OpenAi,
        context_tokens: 131_072,
        answer_tokens: 8192,
        reasons: false,
        obeys: true,
    },
];

/// How fast the models are.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Speed {
    /// Tokens a second; null for no pacing.
    pub tokens_per_second: Option<f64>,
    /// Milliseconds before the first token.
    pub first_token_ms: u64,
}

/// What the world knows about its language models.
#[derive(Debug, Default)]
pub(crate) struct Llm {
    /// How fast they are.
    pub speed: Speed,
    /// Requests for an answer, refused ones too.
    pub calls: u64,
    /// The same by model, if there is such a model.
    pub by_model: BTreeMap<&'static str, u64>,
}

#[derive(Deserialize)]
struct Named {
    model: String,
}

impl Llm {
    /// Counts what the journal tells, so that both always agree, after a restart too.
    pub(crate) fn count(&mut self, entry: &Entry) {
        if entry.kind != Kind::Llm || entry.path.as_deref() != Some(COMPLETIONS) {
            return;
        }
        self.calls += 1;
        let text = entry.text.as_deref().unwrap_or_default();
        let named = serde_json::from_str(text).ok();
        if let Some(model) = named.and_then(|Named { model }| model_named(&model)) {
            *self.by_model.entry(model.name).or_default() += 1;
        }
    }
}

fn model_named(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == name)
}
