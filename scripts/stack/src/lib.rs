//! Supervises the processes of one Chat Center on one machine: PostgreSQL, Redis, sandbox, worker and api.

pub mod database;
pub mod environment;
pub mod log;
pub mod options;
pub mod ports;
pub mod postgres;
pub mod product;
pub mod program;
pub mod ready;
pub mod redis;
pub mod rotate_keys;
pub mod run;
pub mod run_file;
pub mod secrets;
pub mod services;
pub mod settings;
pub mod signals;
pub mod state_dir;
pub mod supervisor;
pub mod terminal;
pub mod with_services;
