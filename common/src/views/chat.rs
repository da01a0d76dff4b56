//! A chat as clients see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::channel::Marketplace;
use crate::db::chats::Chat;
use crate::db::messages::Direction;
use crate::domain::deadlines::{
    ChatStatus, DeadlineClock, DeadlineState, Nearer, Priority, deadline,
};
use crate::domain::suggestions::{ChatSuggestion, SuggestionState};
use crate::ids::{ChatId, SellerId, SlaRuleId, SuggestionId, UserId};

/// A conversation with one buyer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Chat)]
pub struct ChatView {
    #[schema(value_type = i64)]
    pub id: ChatId,
    pub public_id: Uuid,
    /// Where it takes place; for marketplace chats the marketplace.
    pub channel: Marketplace,
    pub marketplace: Marketplace,
    #[schema(value_type = i64)]
    pub seller_id: SellerId,
    /// The marketplace's id of the chat.
    pub external_id: String,
    pub buyer: BuyerView,
    pub order: OrderView,
    /// `open`: an answer is owed; `waiting`: the buyer's turn; `closed` by a person.
    pub status: ChatStatus,
    /// Buyer messages that nobody has read or answered.
    pub unread_count: i32,
    #[schema(value_type = Option<i64>)]
    pub assigned_to: Option<UserId>,
    pub tags: Vec<String>,
    pub snoozed_until: Option<DateTime<Utc>>,
    pub last_message: Option<LastMessageView>,
    /// The nearer clock; null while nothing is owed.
    pub deadline: Option<DeadlineView>,
    pub suggestion: ChatSuggestionView,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Grows with each change; an event with an older one is ignored.
    pub version: i64,
}

/// The buyer, as far as the marketplace tells.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Buyer)]
pub struct BuyerView {
    pub name: Option<String>,
    pub external_id: Option<String>,
}

/// What the chat is about, as far as the marketplace tells.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderView {
    /// The marketplace's order number.
    pub id: Option<String>,
    pub product: ProductView,
}

/// The product of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub struct ProductView {
    pub name: Option<String>,
    pub sku: Option<String>,
    pub image_url: Option<String>,
}

/// The newest message in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = LastMessage)]
pub struct LastMessageView {
    /// Up to 120 characters.
    pub preview: String,
    pub at: DateTime<Utc>,
    pub direction: Direction,
}

/// Until when an answer is owed, and how near that is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Deadline)]
pub struct DeadlineView {
    pub at: DateTime<Utc>,
    /// `obligation`: the answer is due; `window`: afterwards the marketplace takes no answer.
    pub clock: DeadlineClock,
    pub state: DeadlineState,
    pub priority: Priority,
    /// The rule that set the obligation; null: the default of 24 hours.
    #[schema(value_type = Option<i64>)]
    pub rule: Option<SlaRuleId>,
}

/// The newest draft of an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ChatSuggestion)]
pub struct ChatSuggestionView {
    #[schema(value_type = Option<i64>)]
    pub id: Option<SuggestionId>,
    pub state: SuggestionState,
}

impl DeadlineView {
    /// How the nearer clock of a chat stands at `now`, while one runs.
    pub fn of(chat: &Chat, now: DateTime<Utc>) -> Option<Self> {
        let rule = chat.obligation().and_then(|it| it.rule_id);
        chat.nearer().map(|nearer| Self::new(&nearer, rule, now))
    }

    fn new(nearer: &Nearer, rule: Option<SlaRuleId>, now: DateTime<Utc>) -> Self {
        let deadline = deadline(nearer, now);
        Self {
            at: deadline.at,
            clock: deadline.clock,
            state: deadline.state,
            priority: deadline.priority,
            rule,
        }
    }
}

impl ChatSuggestionView {
    fn new(suggestion: Option<&ChatSuggestion>) -> Self {
        Self {
            id: suggestion.and_then(|it| it.id),
            state: suggestion.map_or(SuggestionState::None, |it| it.state),
        }
    }
}

impl ChatView {
    /// The chat as it stands at `now`.
    pub fn new(chat: &Chat, now: DateTime<Utc>) -> Self {
        let context = &chat.context.0;
        let last_message = chat
            .last_message_preview
            .clone()
            .zip(chat.last_message_at)
            .zip(chat.last_message_direction)
            .map(|((preview, at), direction)| LastMessageView {
                preview,
                at,
                direction,
            });
        let deadline = DeadlineView::of(chat, now);
        Self {
            id: chat.id,
            public_id: chat.public_id,
            channel: chat.channel,
            marketplace: chat.channel,
            seller_id: chat.seller_id,
            external_id: chat.external_id.clone(),
            buyer: BuyerView {
                name: context.buyer_name.clone(),
                external_id: context.buyer_external_id.clone(),
            },
            order: OrderView {
                id: context.order_id.clone(),
                product: ProductView {
                    name: context.product_name.clone(),
                    sku: context.product_sku.clone(),
                    image_url: context.product_image_url.clone(),
                },
            },
            status: chat.status,
            unread_count: chat.unread_count,
            assigned_to: chat.assigned_to,
            tags: chat.tags.clone(),
            snoozed_until: chat.snoozed_until,
            last_message,
            deadline,
            suggestion: ChatSuggestionView::new(chat.suggestion()),
            created_at: chat.created_at,
            updated_at: chat.updated_at,
            version: chat.version,
        }
    }
}
