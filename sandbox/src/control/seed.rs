//! How does the world get big: shops, chats and messages for load?

use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::HOUR;
use crate::personas;
use crate::shops;
use crate::world::{Author, Change, Draft, Marketplace, NewChat, Via, World};

use super::{Refused, state, write};

const MOST: u64 = 2_000_000;

/// How much to add; every marketplace in turn.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SeedRequest {
    /// How many shops, spread over the marketplaces in turn.
    pub shops: u64,
    /// How many chats each shop gets.
    #[serde(default)]
    pub chats: u64,
    /// How many messages each chat gets, from the buyer and the seller in turn; the last is the buyer's.
    #[serde(default)]
    pub messages: u64,
    /// Varies the texts.
    #[serde(default)]
    pub seed: u64,
    /// Only this marketplace.
    pub marketplace: Option<Marketplace>,
}

pub(super) fn load(world: &mut World, request: &SeedRequest) -> Result<Value, Refused> {
    let each = request.chats.saturating_mul(request.messages.max(1));
    if request.shops.saturating_mul(each.max(1)) > MOST {
        return Err(Refused::wrong("too much at once"));
    }
    let mut added = Vec::new();
    for at in 0..request.shops {
        let turn = usize::try_from(at % 3).unwrap_or(0);
        let market = request.marketplace.unwrap_or(Marketplace::ALL[turn]);
        let mut shop = shops::blank(world, market, None);
        shop.name = format!("Магазин {}", at + 1);
        let place = shop.place;
        world.record(Change::Shop(Box::new(shop)));
        for chat in 0..request.chats {
            fill(world, place, chat, request);
        }
        added.push(state::shop(&world.shops[place]));
    }
    Ok(json!({"shops": added}))
}

fn fill(world: &mut World, shop: usize, number: u64, request: &SeedRequest) {
    let now = world.now();
    // spread over the last day, so that the windows for answers are open
    let step = 23 * HOUR / i64::try_from(request.messages.max(1)).unwrap_or(1);
    let context = write::context_of(world, shop, None);
    let new = NewChat {
        context,
        at: Some(now - 23 * HOUR),
        ..NewChat::default()
    };
    let chat = world.begin_chat(shop, new);
    for at in 0..request.messages {
        let is_buyer = (request.messages - at) % 2 == 1;
        let salt = request.seed ^ (number << 32) ^ at;
        let later = step * i64::try_from(at).unwrap_or(0);
        let text = if is_buyer {
            let persona = crate::ids::pick(salt, "seed", at, personas::FIRST);
            format!("{} №{at}", personas::ALL[persona].opening[0])
        } else {
            let answer = crate::ids::pick(salt, "seed", at, personas::ANSWERS.len());
            personas::ANSWERS[answer].to_owned()
        };
        let draft = Draft {
            author: if is_buyer {
                Author::Buyer
            } else {
                Author::Seller
            },
            via: if is_buyer { Via::Site } else { Via::Cabinet },
            text: Some(text),
            at: Some(now - 23 * HOUR + later),
            ..Draft::default()
        };
        world.write(chat, draft);
    }
}
