//! Where agents answer buyers, and admins connect shops.

pub mod chats;
pub mod live;
pub mod messages;
pub mod notes;
pub mod pushes;
pub mod sellers;
