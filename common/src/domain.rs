//! What follows from values alone: no input, no output, no clock of its own.

pub mod bot;
pub mod business_hours;
pub mod canned_replies;
pub mod chat_starts;
pub mod checks;
pub mod deadlines;
pub mod delivery;
pub mod echoes;
pub mod keywords;
pub mod prompt;
pub mod sla_rules;
pub mod suggestions;
