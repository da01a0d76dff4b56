//! How does each change alter the world? Used when it happens and again after a restart.

use super::{Author, Change, Chat, Marketplace, Message, Shop, Via, World};
use crate::{ids, personas};

impl World {
    /// Makes a change without noting it.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Began(seed) => self.seed = seed,
            Change::Clock(offset_ms) => self.offset_ms = offset_ms,
            Change::Shop(shop) => self.put_shop(*shop),
            Change::Chat(chat) => self.put_chat(*chat),
            Change::Message(chat, message) => self.put_message(chat, *message),
            Change::Status(chat, status, kind) => {
                self.chats[chat].status = status;
                self.chats[chat].kind = kind;
            }
            Change::Read(chat, number) => {
                let chat = &mut self.chats[chat];
                chat.read_up_to = chat.read_up_to.max(number);
            }
            Change::File(file) => {
                self.counter += 1;
                self.files.insert(file.id.clone(), *file);
            }
            Change::Fault(fault) => self.faults.add(fault),
            Change::NoFaults(target) => self.faults.clear(target.as_deref()),
            Change::Buyers(per_minute, are_odd) => {
                self.buyers_per_minute = per_minute;
                self.buyers_are_odd = are_odd;
            }
            Change::LlmSpeed(speed) => self.llm.speed = speed,
            Change::Journal(entry) => {
                self.llm.count(&entry);
                self.journal.push(*entry);
            }
        }
    }

    fn put_shop(&mut self, mut shop: Shop) {
        self.counter += 1;
        let market = shop.marketplace;
        if let Some(old) = self.shops.get_mut(shop.place) {
            shop.chats = std::mem::take(&mut old.chats);
            shop.events = std::mem::take(&mut old.events);
            shop.last_event = old.last_event;
        }
        let keys = [&shop.api_key, &shop.oauth_token];
        for key in keys.into_iter().chain(&shop.former_keys) {
            self.key_of.insert((market, key.clone()), shop.place);
        }
        self.shop_of
            .insert((market, shop.seller.clone()), shop.place);
        if shop.place < self.shops.len() {
            let place = shop.place;
            self.shops[place] = shop;
        } else {
            self.shops.push(shop);
        }
    }

    fn put_chat(&mut self, chat: Chat) {
        self.counter = self.counter.max(chat.number);
        let shop = &mut self.shops[chat.shop];
        shop.chats.push(chat.place);
        self.chat_of
            .insert((shop.marketplace, chat.id.clone()), chat.place);
        self.chats.push(chat);
    }

    fn put_message(&mut self, place: usize, message: Message) {
        self.counter += 1;
        // a burst within one millisecond takes the clock along, so that all of it shows at once
        self.last_now = self.last_now.max(message.at);
        let at = self.chats[place].messages.len();
        let shop = self.chats[place].shop;
        match self.shops[shop].marketplace {
            Marketplace::Ozon => {}
            Marketplace::Wildberries => self.shops[shop].put_event(&message, (place, at)),
            Marketplace::YandexMarket => self.chats[place].turn_status(&message),
        }
        self.plan_reaction(place, &message);
        let chat = &mut self.chats[place];
        let turns_sign = match message.author {
            Author::Buyer => at > 0,
            Author::Seller => message.via == Via::Api,
            _ => false,
        };
        chat.sign_turns += u64::from(turns_sign && message.text.is_some());
        if message.via == Via::Cabinet {
            chat.read_up_to = message.number;
        }
        if chat.kind.starts_with("BUYER_SELLER") && message.author == Author::Buyer {
            "OPENED".clone_into(&mut chat.status);
        }
        chat.messages.push(message);
    }

    // a persona answers a seller a while later; what it writes itself settles that
    fn plan_reaction(&mut self, place: usize, message: &Message) {
        let chat = &mut self.chats[place];
        let Some(persona) = chat.persona else { return };
        if message.author == Author::Buyer {
            if let Some(at) = chat.plan_at.take() {
                self.plans.remove(&(at, place));
                chat.persona_step += 1;
            }
            return;
        }
        let has_more = personas::reaction(persona, chat.persona_step).is_some();
        if message.author == Author::Seller && has_more && chat.plan_at.is_none() {
            let wait = 6000 + ids::mix(self.seed, "reaction", message.number) % 40_000;
            let at = message.at + i64::try_from(wait).unwrap_or(0);
            chat.plan_at = Some(at);
            self.plans.insert((at, place), ());
        }
    }
}

impl Shop {
    // a cursor once handed out never comes before an event that is added later
    fn put_event(&mut self, message: &Message, event: (usize, usize)) {
        let mut cursor = message.visible_at;
        while self.events.contains_key(&cursor) {
            cursor += 1;
        }
        if message.visible_at <= message.at {
            self.last_event = cursor;
        }
        self.events.insert(cursor, event);
    }
}

impl Chat {
    fn turn_status(&mut self, message: &Message) {
        let is_quiet = self.kind != "ARBITRAGE" && message.text.is_some();
        let status = match message.author {
            Author::Buyer => "WAITING_FOR_PARTNER",
            Author::Seller => "WAITING_FOR_CUSTOMER",
            _ => return,
        };
        if is_quiet {
            status.clone_into(&mut self.status);
        }
    }
}
