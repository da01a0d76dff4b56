//! How is a shop opened, and its rights changed?

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::App;
use crate::world::{Change, Marketplace, Quirk, Refusal, Shop, World};
use crate::{pushes, shops, tokens};

use super::{Refused, state};

/// A shop to open or to change; what is missing stays, what is null is taken away.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ShopRequest {
    /// The marketplace; required.
    pub marketplace: Option<Marketplace>,
    /// Client id, business id or supplier id; a new one is made if missing.
    #[serde(default, alias = "client_id", deserialize_with = "super::id")]
    pub seller: Option<String>,
    /// Name of the shop.
    pub name: Option<String>,
    /// Tenant which has connected it.
    #[serde(default, deserialize_with = "maybe::deserialize")]
    pub connected_to: Option<Option<String>>,
    /// Key or token; the old one stops working.
    pub api_key: Option<String>,
    /// Access token of the other way to authenticate.
    pub oauth_token: Option<String>,
    /// Whether the key is revoked; false gives it back.
    pub revoked: Option<bool>,
    /// Whether Premium Plus is paid.
    pub premium: Option<bool>,
    /// Roles (Ozon) or scopes (Yandex Market).
    pub scopes: Option<Vec<String>>,
    /// `base`, `test`, `personal`, `service`, or 1 to 4 (Wildberries).
    pub token_type: Option<Value>,
    /// Category bits (Wildberries).
    pub categories: Option<Vec<u32>>,
    /// Whether the token may only read (Wildberries).
    pub read_only: Option<bool>,
    /// When the key expires; null for never.
    #[serde(default, deserialize_with = "maybe::deserialize")]
    pub expires_at: Option<Option<DateTime<Utc>>>,
    /// Where pushes go; null for nowhere.
    #[serde(default, deserialize_with = "maybe::deserialize")]
    pub push_url: Option<Option<String>>,
    /// Quirks switched on.
    pub quirks: Option<Vec<Quirk>>,
    /// Why all requests are refused; null for not at all.
    #[serde(default, deserialize_with = "maybe::deserialize")]
    pub refusal: Option<Option<Refusal>>,
}

/// Opens or changes a shop; tells whether it is new and what became of it.
pub(super) async fn put_and_ping(
    app: &App,
    request: ShopRequest,
) -> Result<(bool, Value), Refused> {
    let Some(market) = request.marketplace else {
        return Err(Refused::wrong("marketplace is required"));
    };
    let url = request.push_url.clone().flatten();
    let put = app.change(|world| {
        let (is_new, place) = put(world, market, request)?;
        Ok::<_, Refused>((is_new, state::shop(&world.shops[place]), world.now()))
    });
    let (is_new, mut shop, now) = put.map_err(|error| Refused::wrong(error.to_string()))??;
    shop["push_check"] = match url {
        Some(url) => match pushes::ping(&app.client, market, &url, now).await {
            Ok(()) => json!({"ok": true, "error": null}),
            Err(code) => json!({"ok": false, "error": code}),
        },
        None => Value::Null,
    };
    Ok((is_new, shop))
}

fn put(
    world: &mut World,
    market: Marketplace,
    request: ShopRequest,
) -> Result<(bool, usize), Refused> {
    let claimed = claims(market, request.api_key.as_deref())?;
    let seller = request
        .seller
        .clone()
        .or(claimed.as_ref().map(|claims| claims.sid.clone()));
    let known = seller
        .as_deref()
        .and_then(|seller| world.shop_by_seller(market, seller));
    let mut shop = match known {
        Some(place) => world.shops[place].clone(),
        None => shops::blank(world, market, seller),
    };
    if claimed
        .as_ref()
        .is_some_and(|claims| claims.sid != shop.seller)
    {
        return Err(Refused::wrong("the token's sid is not the seller"));
    }
    let old_key = (known.is_some()).then(|| shop.api_key.clone());
    amend(&mut shop, &request, claimed.as_ref())?;
    let turned = request.token_type.is_some()
        || request.categories.is_some()
        || request.read_only.is_some()
        || request.expires_at.is_some();
    if market == Marketplace::Wildberries && turned && request.api_key.is_none() {
        shop.api_key = shops::token(world, &shop);
    }
    if let Some(old) = old_key.filter(|old| *old != shop.api_key) {
        shop.former_keys.push(old);
    }
    let current = shop.api_key.clone();
    shop.former_keys.retain(|former| *former != current);
    let place = shop.place;
    world.record(Change::Shop(Box::new(shop)));
    if turned || request.api_key.is_some() {
        world.limits.forget(place);
    }
    Ok((known.is_none(), place))
}

fn amend(
    shop: &mut Shop,
    request: &ShopRequest,
    claims: Option<&tokens::Claims>,
) -> Result<(), Refused> {
    let request = request.clone();
    set(&mut shop.name, request.name);
    set(&mut shop.connected_to, request.connected_to);
    set(&mut shop.api_key, request.api_key);
    set(&mut shop.oauth_token, request.oauth_token);
    set(&mut shop.is_revoked, request.revoked);
    set(&mut shop.is_premium, request.premium);
    set(&mut shop.scopes, request.scopes);
    set(&mut shop.push_url, request.push_url);
    set(&mut shop.quirks, request.quirks);
    set(&mut shop.refusal, request.refusal);
    if let Some(claims) = claims {
        shop.token_type = claims.acc;
        shop.is_read_only = claims.has(tokens::READ_ONLY);
        shop.categories = (0..30).filter(|bit| claims.has(*bit)).collect();
        shop.expires_at = Some(claims.exp * 1000);
    }
    set(&mut shop.categories, request.categories);
    set(&mut shop.is_read_only, request.read_only);
    if let Some(at) = request.expires_at {
        shop.expires_at = at.map(|at| at.timestamp_millis());
    }
    if let Some(kind) = request.token_type {
        shop.token_type = token_type(&kind)
            .ok_or_else(|| Refused::wrong("token_type is base, test, personal or service"))?;
    }
    Ok(())
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn claims(market: Marketplace, key: Option<&str>) -> Result<Option<tokens::Claims>, Refused> {
    match (market, key) {
        (Marketplace::Wildberries, Some(key)) => {
            tokens::read(key).map(Some).map_err(Refused::wrong)
        }
        _ => Ok(None),
    }
}

fn token_type(kind: &Value) -> Option<u8> {
    match kind {
        Value::String(name) => match name.as_str() {
            "base" => Some(1),
            "test" => Some(2),
            "personal" => Some(3),
            "service" => Some(4),
            _ => None,
        },
        number => u8::try_from(number.as_u64()?)
            .ok()
            .filter(|kind| (1..=4).contains(kind)),
    }
}

/// A field that tells null from missing.
mod maybe {
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::deserialize(from).map(Some)
    }
}
