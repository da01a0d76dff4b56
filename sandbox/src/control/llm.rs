//! How is the language model made slower or faster, and how often was it asked?

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::llm::Speed;
use crate::world::{Change, World};

use super::Refused;

const MAX_FIRST_TOKEN_MS: u64 = 600_000;

/// How fast the language model is; what is missing stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LlmRequest {
    /// Tokens a second; null or 0 for no pacing.
    #[serde(default, deserialize_with = "given")]
    tokens_per_second: Option<Option<f64>>,
    /// Milliseconds before the first token.
    first_token_ms: Option<u64>,
}

pub(super) fn put(world: &mut World, request: &LlmRequest) -> Result<Value, Refused> {
    let old = world.llm.speed;
    let speed = Speed {
        tokens_per_second: request.tokens_per_second.unwrap_or(old.tokens_per_second),
        first_token_ms: request.first_token_ms.unwrap_or(old.first_token_ms),
    };
    set(world, speed)
}

pub(super) fn set(world: &mut World, mut speed: Speed) -> Result<Value, Refused> {
    speed.tokens_per_second = speed.tokens_per_second.filter(|tokens| *tokens != 0.0);
    let is_slow = speed
        .tokens_per_second
        .is_some_and(|tokens| !(0.1..=1e6).contains(&tokens));
    if is_slow {
        let text = "tokens_per_second must be 0 or between 0.1 and 1000000";
        return Err(Refused::wrong(text));
    }
    if speed.first_token_ms > MAX_FIRST_TOKEN_MS {
        return Err(Refused::wrong("first_token_ms must be at most 600000"));
    }
    world.record(Change::LlmSpeed(speed));
    Ok(read(world))
}

pub(super) fn read(world: &World) -> Value {
    json!({
        "calls": world.llm.calls,
        "by_model": world.llm.by_model,
        "tokens_per_second": world.llm.speed.tokens_per_second,
        "first_token_ms": world.llm.speed.first_token_ms,
    })
}

// a null that is given is not the same as nothing given
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<f64>>, D::Error> {
    Option::deserialize(from).map(Some)
}
