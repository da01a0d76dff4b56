//! Where agents answer buyers, and admins connect shops.

pub mod business_hours;
pub mod canned_replies;
pub mod chats;
pub mod files;
pub mod live;
pub mod messages;
pub mod metrics;
pub mod notes;
pub mod pushes;
mod scope;
pub mod sellers;
pub mod sla_rules;
pub mod suggestions;
pub mod views;
