//! What follows from values alone: no input, no output, no clock of its own.

pub mod canned_replies;
pub mod deadlines;
pub mod delivery;
pub mod echoes;
pub mod suggestions;
