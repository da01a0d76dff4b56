//! What operators and machines ask about the process itself.

pub mod docs;
pub mod health;
pub mod metrics;
