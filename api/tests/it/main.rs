//! Tests of the API over HTTP, against a real PostgreSQL, a real Redis, and the sandbox.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod access;
mod desk;
mod idempotency;
mod input;
mod llm_settings;
mod outages;
mod routes;
mod seed;
mod set_llm;
mod show_keys;
mod support;
mod system;
