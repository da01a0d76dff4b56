//! What follows from values alone: no input, no output, no clock of its own.

pub mod checks;
pub mod deadlines;
pub mod delivery;
pub mod echoes;
