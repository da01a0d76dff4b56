//! Where agents answer buyers, and admins connect shops.

mod chats;
mod live;
mod messages;
mod pushes;
mod rules;
mod sellers;
mod suggestions;
