//! Where agents answer buyers, and admins connect shops.

pub mod business_hours;
pub mod chats;
pub mod live;
pub mod messages;
pub mod metrics;
pub mod pushes;
pub mod sellers;
pub mod sla_rules;
pub mod suggestions;
