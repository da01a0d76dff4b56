//! The worker as a whole, beside a real database, a real Redis and the sandbox.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![expect(
    dead_code,
    reason = "shared with the tests of `common`, which use more of it"
)]

#[path = "../../../common/tests/support/database.rs"]
mod database;
mod jobs;
#[path = "../../../common/tests/it/redis_server.rs"]
mod redis_server;
#[path = "../../../common/tests/it/flows/world.rs"]
mod world;
