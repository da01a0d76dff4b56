//! Which shops and chats are there from the start?

use crate::clock::HOUR;
use crate::world::{Author, Change, Context, Draft, Marketplace, NewChat, Order, Shop, Via, World};
use crate::{ids, personas, tokens};

const KEY_LIFE: i64 = 180 * 24 * HOUR;
const ALL_CATEGORIES: [u32; 13] = [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16];

/// The shop of nobody, whose credentials the documents of the product print.
pub(crate) const SPARE_CLIENT_ID: &str = "your-client-id";

/// Fills a new world: a shop per marketplace for `demo` and for `acme`, and the spare one.
pub(crate) fn open_default(world: &mut World, with_chats: bool) {
    for (tenant, names) in [
        ("demo", ["Дом и Сад", "Вещи с характером", "Техника Плюс"]),
        ("acme", ["Acme Ozon", "Acme Wildberries", "Acme Market"]),
    ] {
        for (market, name) in Marketplace::ALL.into_iter().zip(names) {
            let mut shop = blank(world, market, None);
            name.clone_into(&mut shop.name);
            shop.connected_to = Some(tenant.to_owned());
            shop.token_type = if tenant == "demo" { 4 } else { 3 };
            if market == Marketplace::Wildberries {
                shop.api_key = token(world, &shop);
            }
            world.record(Change::Shop(Box::new(shop)));
        }
    }
    let mut spare = blank(world, Marketplace::Ozon, Some(SPARE_CLIENT_ID.to_owned()));
    "My Ozon Store".clone_into(&mut spare.name);
    "your-api-key".clone_into(&mut spare.api_key);
    world.record(Change::Shop(Box::new(spare)));
    if with_chats {
        for shop in 0..world.shops.len() {
            if world.shops[shop].connected_to.is_some() {
                open_chats(world, shop);
            }
        }
    }
}

/// A shop with every right, not yet in the world.
pub(crate) fn blank(world: &mut World, market: Marketplace, seller: Option<String>) -> Shop {
    let n = world.next_number();
    let now = world.now();
    let seed = world.seed;
    let (default_seller, api_key, scope) = match market {
        Marketplace::Ozon => (
            (1_204_000 + n * 37).to_string(),
            ids::uuid(seed, "key", n),
            "Admin",
        ),
        Marketplace::Wildberries => (ids::uuid(seed, "sid", n), String::new(), ""),
        Marketplace::YandexMarket => (
            (90_412_000 + n * 41).to_string(),
            format!(
                "ACMA:{}:{}",
                ids::hex(seed, "key", n, 40),
                ids::hex(seed, "key end", n, 8)
            ),
            "communication",
        ),
    };
    let mut shop = Shop {
        place: world.shops.len(),
        marketplace: market,
        seller: seller.unwrap_or(default_seller),
        name: format!("Магазин {n}"),
        connected_to: None,
        api_key,
        oauth_token: format!("y0_{}", ids::hex(seed, "oauth", n, 48)),
        former_keys: Vec::new(),
        is_revoked: false,
        is_premium: true,
        scopes: vec![scope.to_owned()],
        expires_at: (market != Marketplace::YandexMarket).then_some(now + KEY_LIFE),
        token_type: 3,
        categories: ALL_CATEGORIES.to_vec(),
        is_read_only: false,
        push_url: None,
        quirks: Vec::new(),
        refusal: None,
        orders: orders(seed, market, n, now),
        campaign: 21_000_000 + n,
        chats: Vec::new(),
        events: Default::default(),
        last_event: 0,
    };
    if market == Marketplace::Wildberries {
        shop.scopes = Vec::new();
        shop.api_key = token(world, &shop);
    }
    shop
}

/// A new Wildberries token for what the shop may do.
pub(crate) fn token(world: &World, shop: &Shop) -> String {
    let claims = tokens::Claims {
        acc: shop.token_type,
        s: tokens::mask(&shop.categories, shop.is_read_only),
        sid: shop.seller.clone(),
        exp: shop.expires_at.unwrap_or(i64::MAX) / 1000,
        t: shop.token_type == 2,
    };
    tokens::issue(world.seed, world.next_number(), &claims)
}

// one order for each rule about who may begin a chat, and until when
fn orders(seed: u64, market: Marketplace, n: u64, now: i64) -> Vec<Order> {
    let kinds = [
        ("fbs", None),
        ("fbs", Some(now - HOUR)),
        ("rfbs", Some(now - 100 * HOUR)),
        ("fbo", Some(now - 48 * HOUR)),
    ];
    let orders = kinds.into_iter().zip(0_u64..);
    orders
        .map(|((scheme, delivered_at), at)| Order {
            number: match market {
                Marketplace::Ozon => format!("{}-{:04}-1", 47_873_000 + n, 52 + at),
                Marketplace::Wildberries => ids::hex(seed, "rid", n * 10 + at, 32),
                Marketplace::YandexMarket => (480_000_000 + n * 10 + at).to_string(),
            },
            scheme: scheme.to_owned(),
            delivered_at,
            return_id: (at == 1).then_some(3_300_000 + n),
            sku: 170_000_000 + ids::mix(seed, "sku", n * 10 + at) % 9_000_000,
            price: 500 + ids::mix(seed, "price", n * 10 + at) % 9000,
        })
        .collect()
}

fn open_chats(world: &mut World, shop: usize) {
    let place = u64::try_from(shop).unwrap_or(0);
    let first = ids::pick(world.seed, "first persona", place, personas::FIRST);
    let now = world.now();
    for at in 0..4_usize {
        let persona = (first + at * 3) % personas::FIRST;
        let minutes = i64::try_from(40 * (4 - at) + persona).unwrap_or(60);
        // the newest chats wait for an answer, the older ones have one
        let answer = (at < 2).then(|| personas::ANSWERS[persona % personas::ANSWERS.len()]);
        let new = NewChat {
            context: order_context(world, shop, at),
            // an answered chat stays answered
            persona: answer.is_none().then_some(persona),
            at: Some(now - minutes * 60_000),
            ..NewChat::default()
        };
        let chat = world.begin_chat(shop, new);
        tell(world, chat, persona, now - minutes * 60_000, answer);
    }
    open_odd_chats(world, shop, now);
}

fn tell(world: &mut World, chat: usize, persona: usize, start: i64, answer: Option<&str>) {
    let mut at = start;
    for text in personas::ALL[persona].opening {
        let draft = Draft {
            text: Some((*text).to_owned()),
            at: Some(at),
            ..Draft::default()
        };
        world.write(chat, draft);
        at += 9000;
    }
    if let Some(answer) = answer {
        let draft = Draft {
            author: Author::Seller,
            via: Via::Cabinet,
            text: Some(answer.to_owned()),
            at: Some(at + 240_000),
            ..Draft::default()
        };
        world.write(chat, draft);
    }
}

// what real lists and streams hold besides buyers' messages (FACTS §2.5, §4.10)
fn open_odd_chats(world: &mut World, shop: usize, now: i64) {
    match world.shops[shop].marketplace {
        Marketplace::Ozon => {
            for (kind, author, text) in [
                (
                    "SELLER_SUPPORT",
                    Author::Support,
                    "Здравствуйте! Ваше обращение №4417 решено.",
                ),
                (
                    "SELLER_NOTIFICATION_LOGISTICS",
                    Author::System,
                    "Изменился график приёмки на складе Хоругвино.",
                ),
            ] {
                let new = NewChat {
                    kind: Some(kind.to_owned()),
                    at: Some(now - 5 * HOUR),
                    ..NewChat::default()
                };
                let chat = world.begin_chat(shop, new);
                let draft = Draft {
                    author,
                    text: Some(text.to_owned()),
                    at: Some(now - 5 * HOUR),
                    ..Draft::default()
                };
                world.write(chat, draft);
            }
        }
        Marketplace::Wildberries => {
            let oldest = world.shops[shop].chats[0];
            let draft = Draft {
                author: Author::Seller,
                via: Via::Cabinet,
                at: Some(now - 60_000),
                ..Draft::default()
            };
            world.write(oldest, draft);
        }
        Marketplace::YandexMarket => {}
    }
}

/// What the chat of a shop with that number is about.
pub(crate) fn order_context(world: &World, shop: usize, number: usize) -> Context {
    let shop = &world.shops[shop];
    let order = &shop.orders[number % shop.orders.len()];
    let kind = match (shop.marketplace, number % 3) {
        (Marketplace::YandexMarket, 2) => "DIRECT",
        (Marketplace::YandexMarket, 1) if order.return_id.is_some() => "RETURN",
        (Marketplace::YandexMarket, _) => "ORDER",
        _ => "DIRECT",
    };
    let is_known = shop.marketplace != Marketplace::YandexMarket || kind != "DIRECT";
    Context {
        kind: kind.to_owned(),
        order: is_known.then(|| order.number.clone()),
        return_id: order.return_id.filter(|_| kind == "RETURN"),
        scheme: order.scheme.clone(),
        delivered_at: order.delivered_at,
        sku: Some(order.sku),
        price: order.price,
    }
}
