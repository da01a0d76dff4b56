//! Signing in and out, who one is, and who else is there.

pub mod audit_log;
pub mod auth;
pub mod team;
pub mod tokens;
pub mod users;
