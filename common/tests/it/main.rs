//! Tests of the crate against real services.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../support/database.rs"]
mod database;
mod feed;
mod flows;
mod jobs;
mod limits;
mod marketplaces;
mod plans;
mod presence;
mod redis_server;
mod schema;
