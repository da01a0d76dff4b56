//! What the command line may ask for.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Starts Chat Center on this machine and keeps it running.
#[derive(Debug, Parser)]
#[command(name = "stack")]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole product until Ctrl-C.
    Run(RunOptions),
    /// Give the shops' keys of a running world a new encryption key.
    RotateKeys(RotateOptions),
    /// Run a command beside a PostgreSQL and a Redis of its own (DATABASE_URL, REDIS_URL).
    WithServices {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
}

#[derive(Args, Clone, Debug, Default)]
pub struct RunOptions {
    /// Forget all data under STATE_DIR first.
    #[arg(long)]
    pub fresh: bool,
    /// No sandbox and no demo: real marketplaces, real keys.
    #[arg(long)]
    pub real: bool,
    /// Where the programs are; beside this one unless given.
    #[arg(long, hide = true)]
    pub programs: Option<PathBuf>,
}

#[derive(Args, Clone, Debug, Default)]
pub struct RotateOptions {
    /// Only show which encryption keys the shops' keys are sealed with.
    #[arg(long)]
    pub status: bool,
    /// Where the programs are; beside this one unless given.
    #[arg(long, hide = true)]
    pub programs: Option<PathBuf>,
}
