//! When do buyers write on their own?

use std::sync::Arc;
use std::time::Duration;

use crate::ids;
use crate::personas;
use crate::server::App;
use crate::shops::order_context;
use crate::world::{Author, Draft, Marketplace, NewChat, World};

const TICK: Duration = Duration::from_millis(500);

/// Lets buyers begin chats and react to answers, until the end.
pub(crate) async fn run(app: Arc<App>) {
    let mut turn = u64::from(std::process::id());
    loop {
        tokio::select! {
            () = app.end.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        turn += 1;
        let is_on = app.lock().buyers_per_minute > 0.0;
        // a failed write has been logged already; the next tick tries again
        if is_on && app.change(|world| tick(world, turn)).is_err() {
            tokio::time::sleep(TICK).await;
        }
    }
}

/// What happens in one tick: due reactions, and by chance a new chat.
pub(crate) fn tick(world: &mut World, turn: u64) {
    let now = world.now();
    while let Some((&(at, chat), ())) = world.plans.first_key_value() {
        if at > now {
            break;
        }
        react(world, chat);
    }
    let ticks_per_minute = 60.0 / TICK.as_secs_f64();
    let mut expected = world.buyers_per_minute / ticks_per_minute;
    let mut draw = turn;
    while expected > 0.0 {
        draw = ids::mix(world.seed, "chance", draw);
        let chance = (draw % 1_000_000) as f64 / 1e6;
        if chance < expected {
            begin(world, draw);
        }
        expected -= 1.0;
    }
}

fn react(world: &mut World, chat: usize) {
    let persona = world.chats[chat].persona.unwrap_or_default();
    let text = personas::reaction(persona, world.chats[chat].persona_step);
    let draft = Draft {
        text: Some(text.unwrap_or("Спасибо!").to_owned()),
        ..Draft::default()
    };
    world.write(chat, draft);
}

fn begin(world: &mut World, draw: u64) {
    let shops: Vec<usize> = world
        .shops
        .iter()
        .filter(|shop| shop.connected_to.as_deref() == Some("demo") && !shop.is_revoked)
        .map(|shop| shop.place)
        .collect();
    if shops.is_empty() {
        return;
    }
    let shop = shops[ids::pick(draw, "shop", 0, shops.len())];
    if world.buyers_are_odd && draw.is_multiple_of(10) {
        return be_odd(world, shop);
    }
    let persona = ids::pick(draw, "persona", 0, personas::ALL.len());
    let number = ids::pick(draw, "order", 0, 4);
    let new = NewChat {
        context: order_context(world, shop, number),
        persona: Some(persona),
        ..NewChat::default()
    };
    let chat = world.begin_chat(shop, new);
    for text in personas::ALL[persona].opening {
        let draft = Draft {
            text: Some((*text).to_owned()),
            ..Draft::default()
        };
        world.write(chat, draft);
    }
}

// kinds of chats and events that clients have never heard of (FACTS §1.3, §5)
fn be_odd(world: &mut World, shop: usize) {
    let is_ozon = world.shops[shop].marketplace == Marketplace::Ozon;
    let kind = is_ozon.then(|| "SELLER_NOTIFICATION_UPDATE_CONTENT".to_owned());
    let new = NewChat {
        kind,
        ..NewChat::default()
    };
    let chat = world.begin_chat(shop, new);
    let draft = Draft {
        author: Author::System,
        text: Some("Служебное уведомление.".to_owned()),
        event_type: Some("refund".to_owned()),
        ..Draft::default()
    };
    world.write(chat, draft);
}
