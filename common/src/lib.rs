//! What more than one binary needs, in layers: an arrow only goes down (`tests/layers.rs` checks it).
//!
//! 0 values → 1 tools and domain → 2 storage / 3 outside world → 4 flows and views.

pub mod channel;
pub mod clock;
pub mod ids;
pub mod words;

pub mod config;
pub mod domain;
pub mod http;
pub mod secrets;
pub mod signature;
pub mod telemetry;
pub mod text;

#[cfg(feature = "db")]
pub mod db;

#[cfg(feature = "redis")]
pub mod feed;
#[cfg(feature = "db")]
pub mod files;
#[cfg(feature = "redis")]
pub mod jobs;
#[cfg(feature = "redis")]
pub mod limits;
pub mod llm;
pub mod marketplaces;

#[cfg(all(feature = "db", feature = "redis"))]
pub mod flows;
#[cfg(feature = "db")]
pub mod views;
