//! What does the world look like from outside?

use serde_json::{Value, json};

use crate::clock;
use crate::llm;
use crate::world::{Marketplace, Shop, World};

pub(super) fn read(world: &mut World) -> Value {
    let now = world.now();
    let shops: Vec<Value> = world.shops.iter().map(shop).collect();
    let chats: Vec<Value> = (0..world.chats.len())
        .map(|place| chat(world, place, now))
        .collect();
    let faults: Vec<Value> = world
        .faults
        .in_force(now)
        .map(|fault| json!(fault))
        .collect();
    json!({
        "now": clock::iso_ms(now),
        "seed": world.seed,
        "buyers_per_minute": world.buyers_per_minute,
        "shops": shops,
        "chats": chats,
        "llm": llm(world),
        "faults": faults,
    })
}

fn llm(world: &World) -> Value {
    let models: Vec<&str> = llm::MODELS.iter().map(|model| model.name).collect();
    let mut body = json!({"api_key": llm::KEY, "models": models});
    if let (Value::Object(body), Value::Object(calls)) = (&mut body, super::llm::read(world)) {
        body.extend(calls);
    }
    body
}

/// A shop with its credentials.
pub(super) fn shop(shop: &Shop) -> Value {
    let has_client_id = shop.marketplace != Marketplace::Wildberries;
    let orders: Vec<Value> = shop
        .orders
        .iter()
        .map(|order| {
            json!({
                "number": order.number,
                "scheme": order.scheme,
                "delivered_at": order.delivered_at.map(clock::iso_ms),
                "return_id": order.return_id,
                "sku": order.sku,
            })
        })
        .collect();
    let mut body = json!({
        "marketplace": shop.marketplace,
        "seller": shop.seller,
        "name": shop.name,
        "connected_to": shop.connected_to,
        "credentials": {
            "client_id": has_client_id.then_some(&shop.seller),
            "api_key": shop.api_key,
            "oauth_token": has_client_id.then_some(&shop.oauth_token),
        },
        "revoked": shop.is_revoked,
        "premium": shop.is_premium,
        "scopes": shop.scopes,
        "expires_at": shop.expires_at.map(clock::iso_ms),
        "push_url": shop.push_url,
        "quirks": shop.quirks,
        "refusal": shop.refusal,
        "orders": orders,
        "chats": shop.chats.len(),
    });
    match shop.marketplace {
        Marketplace::Wildberries => {
            body["token_type"] = json!(shop.token_type);
            body["categories"] = json!(shop.categories);
            body["read_only"] = json!(shop.is_read_only);
        }
        Marketplace::YandexMarket => body["campaign_id"] = json!(shop.campaign),
        Marketplace::Ozon => {}
    }
    body
}

/// A chat without its messages.
pub(super) fn chat(world: &World, place: usize, now: i64) -> Value {
    let chat = &world.chats[place];
    let shop = world.shop_of_chat(place);
    json!({
        "marketplace": shop.marketplace,
        "seller": shop.seller,
        "chat": chat.id,
        "chat_type": chat.kind,
        "status": chat.status,
        "buyer": {"id": chat.buyer_id, "name": chat.buyer_name},
        "order": chat.context.order,
        "persona": chat.persona.and_then(|at| Some(crate::personas::ALL.get(at)?.name)),
        "created_at": clock::iso_ms(chat.created_at),
        "last_message": chat.messages.last().map(|last| &last.id),
        "last_message_at": chat.messages.last().map(|last| clock::iso_ms(last.at)),
        "messages": chat.messages.len(),
        "unread_count": chat.unread(now).count(),
        "waiting": chat.is_waiting(),
    })
}
