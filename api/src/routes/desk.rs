//! Where agents answer buyers, and admins connect shops.

pub mod chats;
pub mod files;
pub mod live;
pub mod messages;
pub mod pushes;
pub mod sellers;
pub mod suggestions;
