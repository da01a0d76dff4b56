//! What the product does, step by step: only what two callers share, or what crosses storage and the
//! outside.

mod context;
pub mod deliver_chat;
pub mod fetch_file;
pub mod obligations;
pub mod probe_seller;
pub mod publish;
pub mod purge_files;
pub mod push_address;
pub mod refresh_chat;
pub mod rekey_sellers;
pub mod report_keys;
pub mod report_read;
pub mod start_chat;
pub mod store_messages;
pub mod suggest_reply;
pub mod switch_llm;
pub mod sync_seller;
pub mod watch_chat;

pub use self::context::{Context, FlowError, SyncRules};
