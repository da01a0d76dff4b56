//! Who asks Wildberries, and what does their token allow? (FACTS §2.1, §2.2, §2.8)

use serde_json::json;

use crate::answer::Answer;
use crate::incoming::Incoming;
use crate::tokens::{self, CHAT, READ_ONLY};
use crate::world::{Refusal, World};

use super::{GATE, MARKET, Route, gate_error};

/// The token, with or without `Bearer`.
pub(super) fn token(incoming: &Incoming) -> Option<&str> {
    let text = incoming.header("authorization")?;
    let (scheme, rest) = text.split_once(' ').unwrap_or(("", text));
    if scheme.is_empty() || scheme.eq_ignore_ascii_case("bearer") {
        Some(rest.trim())
    } else {
        Some(text)
    }
}

/// The shop that asks, once its token is checked.
pub(super) fn enter(
    world: &mut World,
    incoming: &Incoming,
    route: &Route,
) -> Result<usize, Answer> {
    let now = world.now();
    let Some(token) = token(incoming) else {
        let detail = "empty Authorization header";
        return Err(unauthorized(world, detail));
    };
    let claims = match tokens::read(token) {
        Ok(claims) => claims,
        Err(problem) => {
            let detail = format!("token problem; {problem}");
            return Err(unauthorized(world, &detail));
        }
    };
    let Some(place) = world.shop_by_key(MARKET, token) else {
        let detail = "token problem; token signature is invalid";
        return Err(unauthorized(world, detail));
    };
    if claims.exp * 1000 <= now {
        let detail = "token problem; token is expired";
        return Err(unauthorized(world, detail));
    }
    let shop = &world.shops[place];
    if shop.is_revoked || shop.api_key != token {
        return Err(unauthorized(world, "access token is withdrawn"));
    }
    if claims.t || claims.acc == 2 {
        let detail = "test token is not allowed";
        return Err(gate_error(world, 403, "Forbidden", detail, GATE));
    }
    if shop.refusal == Some(Refusal::PaymentRequired) {
        return Err(payment_required());
    }
    let lacks = route.needs_category && !claims.has(CHAT);
    if lacks || route.is_write && claims.has(READ_ONLY) {
        let detail = "scope is not allowed for this resource";
        return Err(gate_error(
            world,
            403,
            "Forbidden",
            detail,
            "ag-marketplace",
        ));
    }
    Ok(place)
}

/// The refusal of a service whose balance is empty.
pub(super) fn payment_required() -> Answer {
    let detail = "wb solution for business has insufficient funds on its balance. please top up the balance in the company's personal account https://dev.wildberries.ru/company";
    let body = json!({"title": "payment required", "detail": detail});
    Answer::problem(402, &body)
}

fn unauthorized(world: &mut World, detail: &str) -> Answer {
    gate_error(world, 401, "unauthorized", detail, GATE)
}
