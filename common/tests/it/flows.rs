//! The flows against a real database, a real Redis and the sandbox.

mod deliver_chat;
mod deliver_files;
mod fetch_file;
mod sync_seller;
#[expect(
    dead_code,
    reason = "shared with the tests of `worker`, which use more of it"
)]
mod world;
