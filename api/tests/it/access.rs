//! Signing in and out, and who one is.

mod audit_log;
mod auth;
mod invites;
mod sessions;
mod team;
mod tokens;
mod users;
