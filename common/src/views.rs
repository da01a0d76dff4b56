//! What clients see of a row, the same over REST and on the live feed. Rows themselves never leave.

mod chat;
mod message;
mod seller;
mod suggestion;

pub use self::chat::{
    BuyerView, ChatSuggestionView, ChatView, DeadlineView, LastMessageView, OrderView, ProductView,
};
pub use self::message::{AttachmentView, AuthorView, MessageErrorView, MessageView};
pub use self::seller::{SellerView, SyncStatus, SyncView};
pub use self::suggestion::{Check, OutcomeView, SuggestionView, UsageView};
