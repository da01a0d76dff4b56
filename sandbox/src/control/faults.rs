//! How is a fault put into force, and taken out of it?

use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::{Fault, Kind};
use crate::llm;
use crate::world::{Change, Marketplace, World};

use super::Refused;

/// What goes wrong where, and for how long.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct FaultRequest {
    /// Marketplace or `llm`, optionally `:path`; missing only for `clear`.
    pub target: Option<String>,
    /// One of the kinds of the README, or `clear`.
    pub kind: String,
    /// Milliseconds, status, seconds or items, by kind.
    pub value: Option<i64>,
    /// How long, in ms of the world's clock; missing for ever.
    pub for_ms: Option<i64>,
    /// How likely, 0 to 1; 1 if missing.
    pub probability: Option<f64>,
    /// How often at most.
    pub times: Option<u32>,
    /// Only this seller.
    #[serde(default, deserialize_with = "super::id")]
    pub seller: Option<String>,
}

pub(super) fn put(world: &mut World, request: FaultRequest) -> Result<Value, Refused> {
    if request.kind == "clear" {
        world.record(Change::NoFaults(request.target));
        return Ok(json!({"faults": []}));
    }
    let kind: Kind = serde_json::from_value(json!(request.kind))
        .map_err(|_| Refused::wrong(format!("unknown kind {}", request.kind)))?;
    let target = request.target.unwrap_or_default();
    let name = target.split(':').next().unwrap_or_default();
    let is_llm = name == llm::TARGET;
    if !is_llm && !Marketplace::ALL.iter().any(|market| market.name() == name) {
        return Err(Refused::wrong(format!("unknown target {target}")));
    }
    if !kind.fits(is_llm) {
        let text = format!("{} does not happen to {name}", request.kind);
        return Err(Refused::wrong(text));
    }
    let probability = request.probability.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&probability) {
        return Err(Refused::wrong("probability must be between 0 and 1"));
    }
    let value = request.value.unwrap_or_else(|| kind.default_value());
    if value < 0 || kind == Kind::Status && !(400..600).contains(&value) {
        return Err(Refused::wrong("value is out of range"));
    }
    let now = world.now();
    let fault = Fault {
        target,
        kind,
        value,
        seller: request.seller,
        probability,
        times: request.times,
        until: request.for_ms.map(|ms| now.saturating_add(ms)),
    };
    let answer = json!(fault);
    world.record(Change::Fault(fault));
    Ok(answer)
}
