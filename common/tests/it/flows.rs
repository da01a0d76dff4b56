//! The flows against a real database, a real Redis and the sandbox.

mod deliver_chat;
mod sync_seller;
mod world;
