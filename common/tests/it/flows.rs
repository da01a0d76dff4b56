//! The flows against a real database, a real Redis and the sandbox.

mod deadlines;
mod deliver_chat;
mod deliver_files;
mod fetch_file;
mod rekey_sellers;
mod start_chat;
mod suggest_reply;
mod sync_seller;
#[expect(
    dead_code,
    reason = "shared with the tests of `worker`, which use more of it"
)]
mod world;
