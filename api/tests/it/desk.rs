//! Where agents answer buyers, and admins connect shops.

mod chats;
mod live;
mod messages;
mod notes;
mod presence;
mod pushes;
mod sellers;
mod tags;
