//! Starts what the command line asks for and says in one line what went wrong.

use std::process::ExitCode;

use clap::Parser;
use stack::options::{Command, Options};
use stack::{rotate_keys, run, terminal, with_services};

// One thread: a child is told of the death of the thread that started it (see `program`), and this one lives longest.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return terminal::usage(&error),
    };
    let outcome = match options.command {
        Command::Run(options) => run::run(options).await.map(|()| ExitCode::SUCCESS),
        Command::RotateKeys(options) => rotate_keys::rotate_keys(options)
            .await
            .map(|()| ExitCode::SUCCESS),
        Command::WithServices { command } => with_services::run(&command).await,
    };
    outcome.unwrap_or_else(|error| {
        terminal::complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}
