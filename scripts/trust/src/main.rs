//! Shows what must never break: each figure is a subcommand that prints one line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use trust::figure::{Options, Report};
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
    /// Sealed keys open nowhere but in their own place.
    S7(Options),
}

fn main() -> anyhow::Result<ExitCode> {
    common::http::install_crypto();
    // One thread: a process that we start ends with the thread that started it.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let report: Report = match Arguments::parse().figure {
        Which::R1(options) => runtime.block_on(r1::run(&options))?,
        Which::R2(options) => runtime.block_on(r2::run(&options))?,
        Which::R6(options) => r6::run(&options).into(),
        Which::S7(options) => runtime.block_on(s7::run(&options))?,
    };
    report.print()?;
    Ok(if report.figure.pass {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
