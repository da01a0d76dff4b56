//! Shows what must never break: each figure is a subcommand that prints one line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use trust::figure::{Options, Report, say};
use trust::{r1, r2, r6, s7};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    figure: Which,
}

#[derive(Subcommand)]
enum Which {
    /// What buyers write comes in once and in order, whatever is killed.
    R1(Options),
    /// What agents reply goes out once and in order, whatever is killed.
    R2(Options),
    /// Seeded schedules of the pure state machines.
    R6(Options),
    /// Sealed keys open nowhere but in their own place, and rotate under live polling.
    S7(Options),
}

fn main() -> ExitCode {
    common::http::install_crypto();
    let which = Arguments::parse().figure;
    let mut report = measure(&which);
    if report.figure.value == 0.0 && report.more.get("counts") == Some(&false.into()) {
        say("too few faults hit work in flight: once more");
        report = measure(&which);
    }
    if let Err(error) = report.print() {
        say(&format!("{error:#}"));
        return ExitCode::FAILURE;
    }
    if report.figure.pass {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Which {
    fn id(&self) -> &'static str {
        match self {
            Self::R1(_) => "R1",
            Self::R2(_) => "R2",
            Self::R6(_) => "R6",
            Self::S7(_) => "S7",
        }
    }
}

fn measure(which: &Which) -> Report {
    run(which).unwrap_or_else(|error| {
        say(&format!("no figure: {error:#}"));
        Report::none(which.id(), &format!("{error:#}"))
    })
}

fn run(which: &Which) -> anyhow::Result<Report> {
    // One thread: a process that we start ends with the thread that started it.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    match which {
        Which::R1(options) => runtime.block_on(r1::run(options)),
        Which::R2(options) => runtime.block_on(r2::run(options)),
        Which::R6(options) => Ok(r6::run(options).into()),
        Which::S7(options) => runtime.block_on(s7::run(options)),
    }
}
