//! Who talks to the processes of a stage: the world outside, the people at the desk, and who looks into Redis.

pub mod cache;
pub mod desk;
pub mod outside;

use std::time::Duration;

use anyhow::Result;
use reqwest::Client;

/// A client for loopback that waits as long as told for an answer.
fn client(timeout: Duration) -> Result<Client> {
    Ok(Client::builder().no_proxy().timeout(timeout).build()?)
}
