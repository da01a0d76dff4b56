//! Storage: PostgreSQL is the truth. One file per table: its row, inserts and queries.

mod columns;
mod condition;
pub mod schema;

pub mod access_changes;
pub mod api_tokens;
pub mod audit_log;
pub mod business_hours;
pub mod canned_replies;
pub mod chat_starts;
pub mod chats;
pub mod files;
pub mod idempotency_keys;
pub mod invites;
pub mod leases;
pub mod messages;
pub mod notes;
pub mod obligations;
pub mod read_receipts;
pub mod reply_metrics;
pub mod runtime_settings;
pub mod saved_views;
pub mod sellers;
pub mod send_attempts;
pub mod sessions;
pub mod sla_rules;
pub mod suggestions;
pub mod tenants;
pub mod users;

mod migrations;
mod pool;

pub use self::migrations::{migrate, migrations_are_current};
pub use self::pool::{Connection, Pool, PoolError, connect};
