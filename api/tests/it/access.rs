//! Signing in and out, and who one is.

mod auth;
mod sessions;
mod users;
