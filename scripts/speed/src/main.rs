//! How fast the product is, beside the leanest program that does the same work: rows of the speed table.

mod child;
mod database;
mod figures;
mod floor;
mod footprint;
mod growth;
mod http;
mod inbox;
mod inbox_rows;
mod live;
mod load;
mod pauses;
mod pgbench;
mod polling;
mod process;
mod queue;
mod redis_server;
mod report;
mod sample;
mod stub;
mod throughput;
mod worker;

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
    /// Row 4: 50 of many chats, by deadline.
    List(inbox_rows::Options),
    /// Row 5: few and many chats, the first page and a deep one, the counts.
    Growth(growth::Options),
    /// Row 6: the messages of a chat, and an answer.
    Messages(inbox_rows::Options),
    /// Row 7: many shops, of which one marketplace's fall silent.
    Polling(polling::Options),
    /// Row 11: jobs that do nothing.
    Throughput(throughput::Options),
    /// Row 12: from a buyer's message in the sandbox to the event in an agent's socket.
    Live(live::Options),
    /// Row 13: memory of api and worker, and how soon they answer.
    Footprint(footprint::Options),
    /// The waiting worker of row 1.
    #[command(hide = true)]
    Worker(Waiting),
    /// The waiting worker of row 11.
    #[command(hide = true)]
    Drain(Waiting),
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

impl Output {
    /// A run that does not count is shown and not kept.
    pub(crate) fn if_counts(self, counts: bool) -> Self {
        Self {
            write: self.write && counts,
        }
    }
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
        Row::List(options) => inbox_rows::list(&options),
        Row::Growth(options) => growth::run(&options),
        Row::Messages(options) => inbox_rows::messages(&options),
        Row::Polling(options) => polling::run(&options),
        Row::Throughput(options) => throughput::run(&options),
        Row::Live(options) => live::run(&options),
        Row::Footprint(options) => footprint::run(&options),
        Row::Worker(waiting) => worker::run(&waiting),
        Row::Drain(waiting) => worker::drain(&waiting),
        Row::Floor(waiting) => floor::wait(&waiting),
    }
}
