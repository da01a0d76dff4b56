//! Who asks Yandex Market, and about which cabinet? (FACTS §3.1)

use crate::answer::Answer;
use crate::incoming::Incoming;
use crate::world::{Refusal, World};

use super::{MARKET, Route, bad_request, error};

/// The key or access token of a request.
pub(super) fn key(incoming: &Incoming) -> Option<&str> {
    incoming.header("api-key").or_else(|| token(incoming))
}

/// The access token of a request, as `Bearer` or `OAuth`.
pub(super) fn token(incoming: &Incoming) -> Option<&str> {
    let (scheme, token) = incoming.header("authorization")?.split_once(' ')?;
    let is_known = ["bearer", "oauth"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    is_known.then_some(token.trim())
}

/// The shop whose key or token this is.
pub(super) fn authenticate(world: &mut World, incoming: &Incoming) -> Result<usize, Answer> {
    let now = world.now();
    let Some(given) = key(incoming) else {
        let text = "Api-Key or OAuth token is not specified";
        return Err(error(401, "UNAUTHORIZED", text));
    };
    let is_api_key = incoming.header("api-key").is_some();
    let place = world.shop_by_key(MARKET, given).filter(|place| {
        let shop = &world.shops[*place];
        let current = if is_api_key {
            &shop.api_key
        } else {
            &shop.oauth_token
        };
        current == given && !shop.is_revoked && !shop.is_expired(now)
    });
    place.ok_or_else(|| error(403, "FORBIDDEN", "Api-Key or OAuth token is invalid"))
}

/// The shop that asks, once key and scope are checked.
pub(super) fn enter(world: &mut World, incoming: &Incoming, route: Route) -> Result<usize, Answer> {
    let place = authenticate(world, incoming)?;
    let shop = &world.shops[place];
    if shop.refusal == Some(Refusal::Locked) {
        return Err(error(423, "LOCKED", "Resource is locked"));
    }
    let mut scopes = shop.scopes.iter();
    let may = scopes.any(|scope| match scope.as_str() {
        "communication" | "all-methods" => true,
        "all-methods:read-only" => !route.is_write,
        _ => false,
    });
    if may {
        return Ok(place);
    }
    let text = "Access denied: the token has no scope for this method";
    Err(error(403, "FORBIDDEN", text))
}

/// Refuses any cabinet but the caller's own.
pub(super) fn check_business(
    world: &World,
    shop: usize,
    incoming: &Incoming,
) -> Result<(), Answer> {
    let id = incoming.path.split('/').nth(3).unwrap_or_default();
    match id.parse::<i64>() {
        Ok(number) if number >= 1 => {}
        _ => return Err(bad_request("businessId: must be a positive integer")),
    }
    if world.shops[shop].seller == id {
        return Ok(());
    }
    let text = format!("Access denied to business {id}");
    Err(error(403, "FORBIDDEN", &text))
}
