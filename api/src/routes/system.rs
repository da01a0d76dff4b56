//! What operators and machines ask about the process itself.

pub mod docs;
pub mod health;
pub mod llm_settings;
pub mod metrics;
pub mod pages;
