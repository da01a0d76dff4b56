//! How do new chats, messages and files come into the world?

use bytes::Bytes;

use super::chat::CHAT_BASE;
use super::{
    About, Author, Caller, Change, Chat, Context, Marketplace, Message, StoredFile, Via, World,
};
use crate::journal::Kind;
use crate::{ids, pushes};

const OZON_MESSAGE_BASE: u64 = 3_000_000_000_817_031_000;
const YANDEX_MESSAGE_BASE: u64 = 70_000_000;

/// A message to be written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// Who writes.
    pub author: Author,
    /// How it comes in.
    pub via: Via,
    /// The text; `None` for an event without a message.
    pub text: Option<String>,
    /// Ids of its files.
    pub files: Vec<String>,
    /// When, if not now; ms since 1970.
    pub at: Option<i64>,
    /// Another kind of event than `message` (Wildberries).
    pub event_type: Option<String>,
}

/// A chat to be begun.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewChat {
    /// Buyer's name; one is found if it is empty.
    pub buyer_name: String,
    /// Its kind, if not that of a chat with a buyer.
    pub kind: Option<String>,
    /// What it is about.
    pub context: Context,
    /// The script a persona follows in it.
    pub persona: Option<usize>,
    /// When, if not now; ms since 1970.
    pub at: Option<i64>,
}

impl World {
    /// Begins a chat and returns its place.
    pub(crate) fn begin_chat(&mut self, shop: usize, new: NewChat) -> usize {
        let number = self.next_number();
        let place = self.chats.len();
        let now = self.now();
        let marketplace = self.shops[shop].marketplace;
        let uuid = ids::uuid(self.seed, "chat", number);
        let (id, kind, status) = match marketplace {
            Marketplace::Ozon => (uuid, "BUYER_SELLER", "OPENED"),
            Marketplace::Wildberries => (format!("1:{uuid}"), "", ""),
            Marketplace::YandexMarket => ((CHAT_BASE + number).to_string(), "CHAT", "NEW"),
        };
        let buyer_id = match marketplace {
            Marketplace::Ozon => (115_000 + number).to_string(),
            _ => ids::hex(self.seed, "buyer", number, 26),
        };
        let chat = Chat {
            place,
            shop,
            number,
            id,
            created_at: new.at.unwrap_or(now),
            buyer_id,
            buyer_name: self.name_or(new.buyer_name, number),
            kind: new.kind.unwrap_or_else(|| kind.to_owned()),
            status: status.to_owned(),
            context: new.context,
            persona: new.persona,
            messages: Vec::new(),
            read_up_to: 0,
            sign_turns: 0,
            plan_at: None,
            persona_step: 0,
        };
        self.record(Change::Chat(Box::new(chat)));
        pushes::chat_created(self, place);
        place
    }

    /// Writes a message and returns its place in the chat.
    pub(crate) fn write(&mut self, chat: usize, draft: Draft) -> usize {
        let message = self.compose(chat, draft);
        let (author, text, at) = (message.author, message.text.clone(), message.at);
        let place = self.chats[chat].messages.len();
        self.record(Change::Message(chat, Box::new(message)));
        if author == Author::Buyer {
            let shop = self.shop_of_chat(chat);
            let caller = Caller {
                marketplace: shop.marketplace,
                place: Some(shop.place),
            };
            let about = About {
                chat: Some(chat),
                message: Some(place),
                text: Some(text.unwrap_or_default()),
                at: Some(at),
                ..About::default()
            };
            self.note(Kind::Written, caller, about);
        }
        pushes::message_written(self, chat, place);
        place
    }

    /// Keeps a file and returns its id.
    pub(crate) fn store_file(
        &mut self,
        shop: usize,
        name: &str,
        content: Bytes,
        wait: Option<i64>,
    ) -> String {
        let now = self.now();
        let id = ids::uuid(self.seed, "file", self.next_number());
        let file = StoredFile {
            id: id.clone(),
            shop,
            name: name.to_owned(),
            content_type: crate::media::type_of(name, &content).to_owned(),
            content,
            at: now,
            ready_at: wait.map(|wait| now + wait),
        };
        self.record(Change::File(Box::new(file)));
        id
    }

    fn compose(&mut self, chat: usize, draft: Draft) -> Message {
        let now = self.now();
        let n = self.next_number();
        let (shop, last) = (self.shop_of_chat(chat), self.chats[chat].messages.last());
        let (number, id) = match shop.marketplace {
            Marketplace::Ozon => {
                let number = OZON_MESSAGE_BASE + n * 997 + ids::mix(self.seed, "step", n) % 900;
                (number, number.to_string())
            }
            Marketplace::Wildberries => (n, ids::uuid(self.seed, "event", n)),
            Marketplace::YandexMarket => {
                let number = YANDEX_MESSAGE_BASE + n;
                (number, number.to_string())
            }
        };
        let mut at = draft.at.unwrap_or(now).min(now);
        at = at.max(last.map_or(0, |last| last.at + 1));
        let sign = (shop.marketplace == Marketplace::Wildberries && last.is_none())
            .then(|| self.sign_of(&self.chats[chat]));
        let echo_ms = if draft.via == Via::Api {
            self.late_echo_ms
        } else {
            0
        };
        let ahead_ms = self
            .faults
            .hides_new_messages(shop.marketplace.name(), &shop.seller, now);
        if shop.marketplace == Marketplace::Wildberries && echo_ms.max(ahead_ms) == 0 {
            at = at.max(shop.last_event + 1);
        }
        Message {
            number,
            id,
            at,
            visible_at: at + echo_ms.max(ahead_ms),
            listed_at: at + echo_ms,
            author: draft.author,
            via: draft.via,
            text: draft.text,
            files: draft.files,
            event_type: draft.event_type.unwrap_or_else(|| "message".to_owned()),
            sign,
            is_served: false,
        }
    }

    fn name_or(&self, name: String, n: u64) -> String {
        const NAMES: [&str; 12] = [
            "Анна",
            "Игорь",
            "Мария",
            "Сергей",
            "Ольга",
            "Дмитрий",
            "Елена",
            "Павел",
            "Наталья",
            "Руслан",
            "Алёна",
            "Виктор",
        ];
        if name.is_empty() {
            NAMES[ids::pick(self.seed, "name", n, NAMES.len())].to_owned()
        } else {
            name
        }
    }
}
