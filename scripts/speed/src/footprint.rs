//! Row 13: how much memory api and worker take, and how soon the api answers after its start.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::figures::median;
use crate::inbox::{Inbox, Place};
use crate::process::{Environment, Process, free_port};
use crate::report::{Verdicts, load};
use crate::{Output, report};

/// The most that api and worker may take, in MB.
const GOAL_MB: f64 = 25.0;
const GOAL_GROWTH: f64 = 1.3;
const GOAL_START_MS: f64 = 150.0;
const STARTS: usize = 5;

/// How much.
#[derive(Args)]
pub(crate) struct Options {
    /// Chats of the tenant whose queue is asked for.
    #[arg(long, default_value_t = 10_000)]
    chats: u32,
    /// Requests after which memory is looked at again.
    #[arg(long, default_value_t = 1_000_000)]
    requests: u64,
    #[command(flatten)]
    output: Output,
}

/// Resident memory of a process in MB.
pub(crate) fn resident_mb(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("no process {pid}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kb.context("no VmRSS")? / 1_024.0)
}

/// Measures and prints the row.
pub(crate) fn run(options: &Options) -> Result<()> {
    let place = Place::of_services()?;
    let inbox = Inbox::open(&place, options.chats)?;
    let environment = Environment::new(inbox.database.url(), &place.redis_url);
    let mut waits = Vec::new();
    for _ in 0..STARTS {
        waits.push(first_answer(&environment, &place)?);
    }
    let port = free_port()?;
    let api = Process::start(
        "api",
        &[],
        &environment.clone().with("APP_PORT", port),
        &place.folder,
    )?;
    let worker = Process::start("worker", &[], &environment, &place.folder)?;
    sleep(Duration::from_secs(15));
    let idle = [resident_mb(api.id())?, resident_mb(worker.id())?];
    // The other one has signed somebody in, which an idle process has not.
    let signed_in = resident_mb(inbox.process())?;
    drop((api, worker));
    let asked = inbox.request("/api/chats?limit=50");
    let mut answered = 0.0;
    while answered < options.requests as f64 {
        let time = Duration::from_secs(10);
        answered += inbox.load(16, time, || asked.clone())?.rate * time.as_secs_f64();
    }
    let busy = resident_mb(inbox.process())?;
    let text = table(median(waits.into_iter()), idle, signed_in, answered, busy)?;
    report::show("footprint", "Row 13: footprint", &text, options.output)
}

/// From the start of the api to the end of its first answer, in milliseconds.
fn first_answer(environment: &Environment, place: &Place) -> Result<f64> {
    let port = free_port()?;
    let environment = environment.clone().with("APP_PORT", port);
    let began = Instant::now();
    let mut api = Process::start("api", &[], &environment, &place.folder)?;
    api.answers(port, "/ready")?;
    Ok(began.elapsed().as_secs_f64() * 1_000.0)
}

fn table(wait: f64, idle: [f64; 2], signed_in: f64, answered: f64, busy: f64) -> Result<String> {
    let mut text = format!(
        "Release builds, 15 s after their start, no shops; then a queue of 50 chats asked for {answered:.0} times by 16 \
         clients. The first answer is that of `/ready`, which asks PostgreSQL and Redis; median of {STARTS} starts.\n\n"
    );
    writeln!(text, "| | measured |\n|---|---|")?;
    writeln!(text, "| api, RSS idle | {:.1} MB |", idle[0])?;
    writeln!(text, "| worker, RSS idle | {:.1} MB |", idle[1])?;
    writeln!(
        text,
        "| api, RSS after one registration | {signed_in:.1} MB |"
    )?;
    writeln!(text, "| api, RSS after the requests | {busy:.1} MB |")?;
    writeln!(text, "| first answer after the start | {wait:.0} ms |")?;
    let mut verdicts = Verdicts::default();
    for (name, mb) in ["api", "worker"].into_iter().zip(idle) {
        verdicts.add(&format!("{name} ≤ {GOAL_MB} MB idle"), mb <= GOAL_MB);
    }
    let growth = busy / signed_in;
    verdicts.add(
        &format!("after the requests ≤ {GOAL_GROWTH}×: {growth:.2}×"),
        growth <= GOAL_GROWTH,
    );
    verdicts.add(
        &format!("first answer ≤ {GOAL_START_MS} ms"),
        wait <= GOAL_START_MS,
    );
    writeln!(
        text,
        "\n{verdicts}\n\nLoad of the machine in these minutes: {}.",
        load()?
    )?;
    Ok(text)
}
