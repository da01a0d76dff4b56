//! Row 11: how fast a worker gets through a queue of jobs that do nothing.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use common::jobs::{JobQueue, Redis};
use futures::future::try_join_all;
use tokio::runtime::Runtime;

use crate::child::Waiter;
use crate::figures::{Start, median};
use crate::floor::connect;
use crate::redis_server::RedisServer;
use crate::report::{Verdicts, load};
use crate::sample::FLOOR_MOVES;
use crate::worker::{Tick, queue};
use crate::{Output, report};

/// Jobs that run at the same moment in one worker.
pub(crate) const CONCURRENCY: usize = 100;
/// Jobs that are pushed at once; `--jobs` is a multiple of it.
const BATCH: usize = 500;
/// Where `scripts/bench` installs the peer.
const PEERS: &str = ".local/peers";

/// How many and how often.
#[derive(Args)]
pub(crate) struct Options {
    /// Rounds, each of the floor, of the product and of the peer.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Jobs of a round.
    #[arg(long, default_value_t = 90_000)]
    jobs: usize,
    #[command(flatten)]
    output: Output,
}

/// Jobs a second, and the CPU seconds that the workers took for a thousand.
#[derive(Clone, Copy, Default)]
struct Drained {
    rate: f64,
    cpu_per_thousand: f64,
}

#[derive(Default)]
struct Rounds {
    one: Vec<Drained>,
    two: Vec<Drained>,
    peer: Vec<Drained>,
    /// Pushes a second of redis-benchmark.
    floor: Vec<f64>,
}

/// Measures and prints the row.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(
        options.jobs.is_multiple_of(BATCH),
        "--jobs must be a multiple of {BATCH}"
    );
    let runtime = Runtime::new()?;
    let mut rounds = Rounds::default();
    for _ in 0..options.rounds {
        rounds.floor.push(floor()?);
        rounds.one.push(drain(&runtime, 1, options.jobs)?);
        rounds.peer.extend(peer(options.jobs)?);
        rounds.two.push(drain(&runtime, 2, options.jobs)?);
    }
    let moved = moved(&rounds.floor);
    let text = table(options, &rounds, moved)?;
    let output = options.output.if_counts(moved <= FLOOR_MOVES);
    report::show("throughput", "Row 11: throughput of jobs", &text, output)
}

/// Pushes all jobs, and only then starts the workers.
fn drain(runtime: &Runtime, workers: usize, jobs: usize) -> Result<Drained> {
    let server = RedisServer::start()?;
    runtime.block_on(push(&server.url(), jobs))?;
    let mut waiters = Vec::new();
    for _ in 0..workers {
        waiters.push(Waiter::start("drain", &server.url())?);
    }
    let mut starts: Vec<Start> = Vec::new();
    let began = Instant::now();
    while starts.len() < jobs {
        std::thread::sleep(Duration::from_millis(50));
        for waiter in &mut waiters {
            starts.extend(waiter.starts(0)?);
        }
        if began.elapsed() > Duration::from_secs(120) {
            bail!("only {} of {jobs} jobs began", starts.len());
        }
    }
    ensure!(is_emptied(&server)?, "jobs that ran stay in the queue");
    let cpu = waiters.iter().map(Waiter::cpu).sum::<Result<Duration>>()?;
    let times = || starts.iter().map(|it| it.began);
    let time = times()
        .max()
        .zip(times().min())
        .map(|(last, first)| last - first);
    let time = Duration::from_nanos(time.context("no jobs")?);
    Ok(Drained {
        rate: jobs as f64 / time.as_secs_f64(),
        cpu_per_thousand: cpu.as_secs_f64() * 1_000.0 / jobs as f64,
    })
}

/// Whether every job was acknowledged, at most a second later.
fn is_emptied(server: &RedisServer) -> Result<bool> {
    let mut connection = connect(&server.url())?;
    for _ in 0..100 {
        let mut length = redis::cmd("XLEN");
        let left: u64 = length.arg("jobs:tick:0").query(&mut connection)?;
        if left == 0 {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(false)
}

async fn push(url: &str, jobs: usize) -> Result<()> {
    let queues = JobQueue::new(&Redis::new(url, "")?);
    let queue = Arc::new(queue());
    for _ in 0..jobs / BATCH {
        let batch = (0..BATCH).map(|_| queues.push(&queue, &Tick { pushed: 1 }));
        try_join_all(batch).await?;
    }
    Ok(())
}

/// What Redis alone takes in from as many connections, one push each at a time.
fn floor() -> Result<f64> {
    let server = RedisServer::start()?;
    let output = Command::new("redis-benchmark")
        .args(["-p", server.port(), "-c", "100", "-n", "100000", "-q"])
        .args([
            "XADD",
            "floor",
            "*",
            "payload",
            "{\"pushed\":1}",
            "pushed_at",
            "1",
        ])
        .output()
        .context("cannot run redis-benchmark")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = said.split_whitespace().collect();
    let place = words.windows(2).rposition(|it| it[1] == "requests");
    let rate = place.and_then(|place| words[place].parse().ok());
    rate.context("redis-benchmark tells no rate")
}

/// BullMQ with the same jobs, where it is installed.
fn peer(jobs: usize) -> Result<Option<Drained>> {
    if !Path::new(PEERS).join("node_modules/bullmq").exists() {
        return Ok(None);
    }
    #[derive(serde::Deserialize)]
    struct Told {
        rate: f64,
        cpu_seconds: f64,
    }
    let server = RedisServer::start()?;
    let output = Command::new("node")
        .arg("scripts/speed/peers/bullmq.mjs")
        .args([server.port(), &jobs.to_string(), &CONCURRENCY.to_string()])
        .arg(std::path::absolute(PEERS)?)
        .output()
        .context("cannot run node")?;
    let told: Told = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(Some(Drained {
        rate: told.rate,
        cpu_per_thousand: told.cpu_seconds * 1_000.0 / jobs as f64,
    }))
}

fn moved(rates: &[f64]) -> f64 {
    let least = rates.iter().copied().fold(f64::MAX, f64::min);
    let most = rates.iter().copied().fold(0.0, f64::max);
    (most - least) / median(rates.iter().copied())
}

fn table(options: &Options, rounds: &Rounds, moved: f64) -> Result<String> {
    let mut text = format!(
        "{} jobs that do nothing wait in a private Redis; the time from the first handler's entry to the last one's, \
         concurrency {CONCURRENCY}, {} rounds, medians; within a round always floor, ours, BullMQ, two workers. \
         Ours acknowledges each job after it ran and carries tracing; the floor is `redis-benchmark -c 100` with the `XADD` of a push. CPU is that of the workers.\n\n",
        options.jobs, options.rounds
    );
    writeln!(text, "| | jobs a second | CPU-s / 1,000 |\n|---|---|---|")?;
    let rate = |of: &[Drained]| median(of.iter().map(|it| it.rate));
    let mut line = |name: &str, of: &[Drained]| {
        let cpu = median(of.iter().map(|it| it.cpu_per_thousand));
        writeln!(text, "| {name} | {:.0} | {cpu:.3} |", rate(of))
    };
    line("ours, one worker", &rounds.one)?;
    line("ours, two workers", &rounds.two)?;
    if !rounds.peer.is_empty() {
        line("BullMQ, one worker", &rounds.peer)?;
    }
    let floor = median(rounds.floor.iter().copied());
    writeln!(text, "| floor: pushes alone | {floor:.0} | |")?;
    let mut verdicts = Verdicts::default();
    if !rounds.peer.is_empty() {
        let over = rate(&rounds.one) / rate(&rounds.peer);
        verdicts.add(&format!("≥ 1.0× BullMQ: {over:.2}×"), over >= 1.0);
    }
    let two = rate(&rounds.two) / rate(&rounds.one);
    verdicts.add(&format!("two workers ≥ 1.6×: {two:.2}×"), two >= 1.6);
    let of_floor = rate(&rounds.one) / floor;
    writeln!(
        text,
        "\n{verdicts}. One worker reaches {of_floor:.2} of the floor.\n\n{}",
        report::floor_note(moved, &load()?)
    )?;
    Ok(text)
}
