//! Tells everybody who watches a tenant what changed: after the commit, never before.

use diesel_async::AsyncPgConnection;

use super::Context;
use crate::db::chats::Chat;
use crate::db::messages::{Author, Message};
use crate::db::sellers::Seller;
use crate::db::suggestions::Suggestion;
use crate::db::users;
use crate::feed::Event;
use crate::views::{ChatView, MessageView, SellerView, SuggestionView};

impl Context {
    /// A chat is new or changed.
    pub async fn publish_chat(&self, chat: &Chat) {
        let view = ChatView::new(chat, self.clock.now());
        self.publish(chat.tenant_id, Event::ChatUpdated, &view)
            .await;
    }

    /// A draft is ready.
    pub async fn publish_suggestion(&self, event: Event, suggestion: &Suggestion) {
        let view = SuggestionView::from(suggestion);
        self.publish(suggestion.tenant_id, event, &view).await;
    }

    /// A deadline is near, or over.
    pub async fn publish_deadline(&self, event: Event, chat: &Chat) {
        let view = ChatView::new(chat, self.clock.now());
        self.publish(chat.tenant_id, event, &view).await;
    }

    /// A message is new.
    pub async fn publish_new_message(&self, message: &Message, author_name: Option<String>) {
        let view = MessageView::new(message, author_name);
        self.publish(message.tenant_id, Event::MessageCreated, &view)
            .await;
    }

    /// A message changed.
    pub async fn publish_message(&self, message: &Message, author_name: Option<String>) {
        let view = MessageView::new(message, author_name);
        self.publish(message.tenant_id, Event::MessageUpdated, &view)
            .await;
    }

    /// A shop is new or changed.
    pub async fn publish_seller(&self, seller: &Seller) {
        let view = SellerView::new(seller, self.push_url(seller), self.clock.now());
        self.publish(seller.tenant_id, Event::SellerUpdated, &view)
            .await;
    }

    async fn publish<T: serde::Serialize + Sync>(
        &self,
        tenant: crate::ids::TenantId,
        kind: Event,
        data: &T,
    ) {
        // The feed logs its own outages; whoever missed an event reconciles from PostgreSQL.
        self.feed.publish(tenant, kind, data).await.ok();
    }
}

/// The name shown beside a message: the buyer's, or that of the person of the tenant.
pub async fn author_name(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    message: &Message,
) -> diesel::QueryResult<Option<String>> {
    match (message.author, message.user_id) {
        (Author::Buyer, _) => Ok(chat.context.0.buyer_name.clone()),
        (Author::Agent, Some(user)) => users::username(conn, message.tenant_id, user).await,
        _ => Ok(None),
    }
}
