//! How is something in the world found?

use super::{Chat, Marketplace, Message, Shop, StoredFile, World};
use crate::ids;

impl World {
    /// The shop with that client id, business id or supplier id.
    pub(crate) fn shop_by_seller(&self, marketplace: Marketplace, seller: &str) -> Option<usize> {
        self.shop_of.get(&(marketplace, seller.to_owned())).copied()
    }

    /// The shop that has, or once had, that key or access token.
    pub(crate) fn shop_by_key(&self, marketplace: Marketplace, key: &str) -> Option<usize> {
        self.key_of.get(&(marketplace, key.to_owned())).copied()
    }

    /// The first shop that the tenant has connected.
    pub(crate) fn shop_of_tenant(&self, marketplace: Marketplace, tenant: &str) -> Option<usize> {
        let mut shops = self.shops.iter();
        let found = shops.find(|shop| {
            shop.marketplace == marketplace && shop.connected_to.as_deref() == Some(tenant)
        })?;
        Some(found.place)
    }

    /// The chat with that id.
    pub(crate) fn chat_by_id(&self, marketplace: Marketplace, id: &str) -> Option<usize> {
        self.chat_of.get(&(marketplace, id.to_owned())).copied()
    }

    /// The chat with that id if it belongs to the shop.
    pub(crate) fn chat_in_shop(&self, shop: usize, id: &str) -> Option<usize> {
        let chat = self.chat_by_id(self.shops[shop].marketplace, id)?;
        (self.chats[chat].shop == shop).then_some(chat)
    }

    /// The shop of a chat.
    pub(crate) fn shop_of_chat(&self, chat: usize) -> &Shop {
        &self.shops[self.chats[chat].shop]
    }

    /// An uploaded file.
    pub(crate) fn file(&self, id: &str) -> Option<&StoredFile> {
        self.files.get(id)
    }

    /// The files of a message.
    pub(crate) fn files_of<'a>(
        &'a self,
        message: &'a Message,
    ) -> impl Iterator<Item = &'a StoredFile> {
        message.files.iter().filter_map(|id| self.files.get(id))
    }

    /// The signature of a Wildberries chat that is valid now.
    pub(crate) fn sign_of(&self, chat: &Chat) -> String {
        self.sign_at(chat, chat.sign_turns)
    }

    /// The signature of a Wildberries chat after so many turns.
    pub(crate) fn sign_at(&self, chat: &Chat, turns: u64) -> String {
        let number = chat.number * 1_000_003 + turns;
        let proof = ids::hex(self.seed, "sign", number, 128);
        format!("{}:{}:{proof}", chat.id, 50_000_000 + number % 9_999_991)
    }

    /// The chat whose current signature this is.
    pub(crate) fn chat_by_sign(&self, shop: usize, sign: &str) -> Option<usize> {
        let mut parts = sign.splitn(3, ':');
        let id = format!("{}:{}", parts.next()?, parts.next()?);
        let chat = self.chat_in_shop(shop, &id)?;
        (self.sign_of(&self.chats[chat]) == sign).then_some(chat)
    }
}

impl StoredFile {
    /// Whether it is a picture.
    pub(crate) fn is_image(&self) -> bool {
        self.content_type.starts_with("image/")
    }

    /// Where its moderation stands.
    pub(crate) fn moderation(&self, now: i64) -> Moderation {
        match self.ready_at {
            None => Moderation::Failed,
            Some(at) if at > now => Moderation::Pending {
                retry_seconds: (at - now + 999) / 1000,
            },
            Some(_) => Moderation::Passed,
        }
    }
}

/// Where the moderation of a file stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moderation {
    /// It may be fetched.
    Passed,
    /// Not decided yet.
    Pending {
        /// Seconds after which to ask again.
        retry_seconds: i64,
    },
    /// It may not be fetched.
    Failed,
}
