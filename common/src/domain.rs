//! What follows from values alone: no input, no output, no clock of its own.

pub mod business_hours;
pub mod deadlines;
pub mod delivery;
pub mod echoes;
pub mod keywords;
pub mod sla_rules;
