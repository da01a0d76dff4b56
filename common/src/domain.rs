//! What follows from values alone: no input, no output, no clock of its own.

pub mod bot;
pub mod checks;
pub mod deadlines;
pub mod delivery;
pub mod echoes;
pub mod phrases;
pub mod prompt;
pub mod suggestions;
