//! Signing in and out, and who one is.

pub mod auth;
pub mod users;
