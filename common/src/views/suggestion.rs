//! A draft as clients see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::db::suggestions::Suggestion;
use crate::domain::suggestions::{OutcomeKind, SuggestionState};
use crate::ids::{ChatId, MessageId, SuggestionId, UserId};

/// A draft of an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Suggestion)]
pub struct SuggestionView {
    #[schema(value_type = i64)]
    pub id: SuggestionId,
    #[schema(value_type = i64)]
    pub chat_id: ChatId,
    /// The buyer's last message when it was made; with a newer one it is stale.
    #[schema(value_type = i64)]
    pub for_message_id: MessageId,
    pub text: String,
    /// `ready`; `held`: a check forbids to send it as it is; `stale`: the chat moved on.
    pub state: SuggestionState,
    /// What the buyer wants: `delivery`, `return`, `refund`, `defect`, `size`, `product`, `cancel`,
    /// `complaint`, `thanks` or `other`.
    pub intent: Option<String>,
    /// `positive`, `neutral` or `negative`.
    pub sentiment: Option<String>,
    /// `low`, `normal` or `high`.
    pub urgency: Option<String>,
    /// Whether the model thinks that a person has to decide.
    pub needs_human: bool,
    /// Why.
    pub reason: Option<String>,
    /// What the deterministic checks found.
    #[schema(value_type = Vec<Check>)]
    pub checks: Value,
    /// What it rests on: `product`, `order`, `chat`.
    #[schema(value_type = Vec<String>)]
    pub sources: Value,
    pub provider: String,
    pub model: String,
    pub prompt_version: String,
    /// Tokens, as the provider counted them.
    pub usage: Option<UsageView>,
    /// How long the provider took, in milliseconds.
    pub latency_ms: i32,
    /// What became of it; null while nobody has decided.
    pub outcome: Option<OutcomeView>,
    pub created_at: DateTime<Utc>,
}

/// Something in a text that is not right.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Check {
    /// Which rule: `contacts`, `links`, `money`, `dates` …
    pub rule: String,
    /// `warn` or `forbid`.
    pub verdict: String,
    /// The characters of the text, from and up to; null: the whole.
    pub span: Option<[usize; 2]>,
    /// What is known of the same but says something else.
    pub source: Option<String>,
    /// One sentence for a person.
    pub message: String,
}

/// Tokens, as the provider counted them.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageView {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
}

/// What became of a draft.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SuggestionOutcome)]
pub struct OutcomeView {
    pub kind: OutcomeKind,
    /// Who decided; null: it happened by itself.
    #[schema(value_type = Option<i64>)]
    pub by: Option<UserId>,
    pub at: DateTime<Utc>,
    /// Why it was rejected.
    pub reason: Option<String>,
}

impl From<&Suggestion> for SuggestionView {
    fn from(suggestion: &Suggestion) -> Self {
        let outcome = suggestion.outcome_kind.zip(suggestion.outcome_at);
        Self {
            id: suggestion.id,
            chat_id: suggestion.chat_id,
            for_message_id: suggestion.for_message_id,
            text: suggestion.text.clone(),
            state: suggestion.state,
            intent: suggestion.intent.clone(),
            sentiment: suggestion.sentiment.clone(),
            urgency: suggestion.urgency.clone(),
            needs_human: suggestion.needs_human,
            reason: suggestion.reason.clone(),
            checks: suggestion.checks.clone(),
            sources: suggestion.sources.clone(),
            provider: suggestion.provider.clone(),
            model: suggestion.model.clone(),
            prompt_version: suggestion.prompt_version.clone(),
            usage: suggestion.usage.map(|usage| UsageView {
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
            }),
            latency_ms: suggestion.latency_ms,
            outcome: outcome.map(|(kind, at)| OutcomeView {
                kind,
                by: suggestion.outcome_by,
                at,
                reason: suggestion.outcome_reason.clone(),
            }),
            created_at: suggestion.created_at,
        }
    }
}
