//! Where agents answer buyers, and admins connect shops.

mod canned_replies;
mod chat_starts;
mod chats;
mod files;
mod live;
mod messages;
mod notes;
mod presence;
mod pushes;
mod rules;
mod sellers;
mod suggestions;
mod tags;
mod views;
