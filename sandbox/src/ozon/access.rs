//! Who asks Ozon, and what may they do? (FACTS §1.1, §1.2)

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::clock;
use crate::incoming::Incoming;
use crate::world::{Quirk, Refusal, Shop, World};

use super::fields::Fields;
use super::{MARKET, REQUESTS_PER_SECOND, error, too_many};

const READ_METHODS: [&str; 3] = ["/v1/roles", "/v3/chat/list", "/v3/chat/history"];
const WRITE_METHODS: [&str; 4] = [
    "/v1/chat/send/message",
    "/v1/chat/send/file",
    "/v1/chat/start",
    "/v2/chat/read",
];

/// The shop a request claims to come from, before any check.
pub(super) fn claimed_shop(world: &World, incoming: &Incoming) -> Option<usize> {
    match bearer(incoming) {
        Some(token) => world.shop_by_key(MARKET, token),
        None => world.shop_by_seller(MARKET, incoming.header("client-id")?),
    }
}

/// The shop that asks, once key, role and rate are checked.
pub(super) fn enter(world: &mut World, incoming: &Incoming) -> Result<usize, Answer> {
    let now = world.now();
    let place = authenticate(world, incoming)?;
    if !world.limits.take_second(place, REQUESTS_PER_SECOND, now) {
        return Err(too_many(1));
    }
    let shop = &world.shops[place];
    refuse(shop)?;
    if !may(shop, &incoming.path) {
        let text = "Api-Key is missing a required role for a method";
        return Err(error(403, 7, text));
    }
    Ok(place)
}

/// `POST /v1/roles`: roles, methods and the key's last day.
pub(super) fn roles(
    world: &mut World,
    place: usize,
    _: &Incoming,
    _: &Fields,
) -> Result<Answer, Answer> {
    let shop = &world.shops[place];
    let roles: Vec<Value> = shop
        .scopes
        .iter()
        .map(|name| json!({"name": name, "methods": methods(name)}))
        .collect();
    let mut body = json!({"roles": roles});
    if let Some(at) = shop.expires_at {
        body["expires_at"] = json!(clock::iso_ms(at));
    }
    Ok(Answer::json(200, &body))
}

fn authenticate(world: &mut World, incoming: &Incoming) -> Result<usize, Answer> {
    let now = world.now();
    if let Some(token) = bearer(incoming) {
        let owner = world.shop_by_key(MARKET, token);
        return owner
            .filter(|place| world.shops[*place].oauth_token == token)
            .ok_or_else(|| error(401, 16, "invalid access token"));
    }
    let (Some(client), Some(key)) = (incoming.header("client-id"), incoming.header("api-key"))
    else {
        return Err(error(401, 16, "Client-Id and Api-Key headers are required"));
    };
    let invalid = "Invalid Api-Key, please check the key and try again";
    let Some(place) = world.shop_by_seller(MARKET, client) else {
        return Err(error(403, 7, invalid));
    };
    let shop = &world.shops[place];
    let is_former = shop.former_keys.iter().any(|former| former == key);
    let is_current = shop.api_key == key;
    if is_former || is_current && (shop.is_revoked || shop.is_expired(now)) {
        let text = "Api-key is deactivated, use another one or generate a new one";
        return Err(error(403, 7, text));
    }
    if !is_current && shop.has(Quirk::InvalidKeyIsNotFound) {
        return Err(error(404, 5, invalid));
    }
    if !is_current {
        return Err(error(403, 7, invalid));
    }
    Ok(place)
}

fn bearer(incoming: &Incoming) -> Option<&str> {
    let (scheme, token) = incoming.header("authorization")?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

fn refuse(shop: &Shop) -> Result<(), Answer> {
    match shop.refusal {
        Some(Refusal::OfferNotSigned) => Err(error(403, 7, "Offer not signed")),
        Some(Refusal::IpRestricted) => {
            let text = "Api-Key is restricted to specific IP addresses";
            Err(error(403, 7, text))
        }
        Some(Refusal::CircleIsOpen) => Err(error(503, 14, "Circle is open")),
        _ => Ok(()),
    }
}

fn may(shop: &Shop, path: &str) -> bool {
    let is_read = !WRITE_METHODS.contains(&path);
    let mut roles = shop.scopes.iter();
    path == "/v1/roles" || roles.any(|role| role == "Admin" || is_read && role == "Admin read only")
}

fn methods(role: &str) -> Vec<&'static str> {
    match role {
        "Admin" => READ_METHODS.into_iter().chain(WRITE_METHODS).collect(),
        "Admin read only" => READ_METHODS.to_vec(),
        _ => vec!["/v1/roles"],
    }
}
