//! Shows what must never break: each figure breaks the running product on purpose and counts what it lost.

pub mod blows;
pub mod clients;
pub mod figure;
pub mod process;
pub mod r1;
pub mod r2;
pub mod r3;
pub mod r6;
pub mod r8;
pub mod r9;
pub mod s6;
pub mod s7;
pub mod settings;
pub mod stage;
pub mod truth;
