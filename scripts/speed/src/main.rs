//! How fast the product is, beside the leanest program that does the same work: rows of the speed table.

mod child;
mod figures;
mod floor;
mod footprint;
mod pauses;
mod queue;
mod redis_server;
mod report;
mod worker;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures the product beside the leanest program that does the same work")]
struct Cli {
    #[command(subcommand)]
    row: Row,
}

#[derive(Subcommand)]
enum Row {
    /// Row 1: from the push of a job to the entry of its handler, on an idle queue.
    Queue(queue::Options),
    /// Part of row 13: resident memory of a running api and worker.
    Footprint {
        /// The `run.json` of a running world.
        #[arg(long)]
        run_json: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// The waiting worker of row 1.
    #[command(hide = true)]
    Worker(Waiting),
    /// The bare reader of row 1.
    #[command(hide = true)]
    Floor(Waiting),
}

/// Where the figures go.
#[derive(Args, Clone, Copy)]
pub(crate) struct Output {
    /// Also writes the section of docs/BENCHMARKS.md.
    #[arg(long)]
    pub(crate) write: bool,
}

/// Where a waiting program gets its jobs.
#[derive(Args, Clone)]
pub(crate) struct Waiting {
    #[arg(long)]
    pub(crate) redis_url: String,
}

fn main() -> Result<()> {
    match Cli::parse().row {
        Row::Queue(options) => queue::run(&options),
        Row::Footprint { run_json, output } => footprint::run(&run_json, output),
        Row::Worker(waiting) => worker::run(&waiting),
        Row::Floor(waiting) => floor::wait(&waiting),
    }
}
