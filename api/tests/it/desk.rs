//! Where agents answer buyers, and admins connect shops.

mod chats;
mod files;
mod live;
mod messages;
mod pushes;
mod sellers;
