//! Shows what must never break: each figure is a subcommand that prints one line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use trust::figure::{Options, Report, say};
use trust::{r1, r2, r3, r6, r8, r9, s6, s7};

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
    /// What waits after an outage is done, poison or not, with or without Redis's data.
    R3(Options),
    /// Seeded schedules of the pure state machines.
    R6(Options),
    /// A shop whose marketplace refuses or hangs holds up no other.
    R8(Options),
    /// Each deadline is told once, whatever the clock does.
    R9(Options),
    /// Secrets come out nowhere.
    S6(Options),
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
            Self::R3(_) => "R3",
            Self::R6(_) => "R6",
            Self::R8(_) => "R8",
            Self::R9(_) => "R9",
            Self::S6(_) => "S6",
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
        Which::R3(options) => runtime.block_on(Box::pin(r3::run(options))),
        Which::R6(options) => Ok(r6::run(options).into()),
        Which::R8(options) => runtime.block_on(Box::pin(r8::run(options))),
        Which::R9(options) => runtime.block_on(Box::pin(r9::run(options))),
        Which::S6(options) => runtime.block_on(Box::pin(s6::run(options))),
        Which::S7(options) => runtime.block_on(s7::run(options)),
    }
}
