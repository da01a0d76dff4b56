//! Asks a running demo what the examples of the OpenAPI document ask, and judges what it answers.

pub mod asking;
pub mod demo;
pub mod document;
pub mod guide;
pub mod moments;
pub mod names;
pub mod operation;
pub mod people;
