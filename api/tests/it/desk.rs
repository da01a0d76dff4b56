//! Where agents answer buyers, and admins connect shops.

mod canned_replies;
mod chats;
mod live;
mod messages;
mod notes;
mod presence;
mod pushes;
mod sellers;
mod tags;
mod views;
