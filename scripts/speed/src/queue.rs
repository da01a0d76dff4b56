//! Row 1: from the product's own push of a job to the entry of its handler, on an idle queue.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use common::jobs::{JobQueue, Redis};
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

use crate::child::Waiter;
use crate::figures::{Pause, Round, moved, now_ns, summary};
use crate::footprint::resident_mb;
use crate::pauses::Pauser;
use crate::redis_server::RedisServer;
use crate::report::load;
use crate::sample::FLOOR_MOVES;
use crate::worker::{Tick, queue};
use crate::{Output, floor, report};

/// Goals in milliseconds, and for the waiting worker in parts of a core.
const GOAL_P50: f64 = 0.5;
const GOAL_P99: f64 = 2.0;
const GOAL_MAX: f64 = 50.0;
const GOAL_IDLE: f64 = 0.01;

/// How long and how often.
#[derive(Args)]
pub(crate) struct Options {
    /// Rounds, each of the product and of the floor in turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Jobs of a round.
    #[arg(long, default_value_t = 2_000)]
    jobs: usize,
    /// Seconds over which the CPU of the waiting worker is taken.
    #[arg(long, default_value_t = 10)]
    idle_seconds: u64,
    #[command(flatten)]
    output: Output,
}

/// The time between two jobs: 0 to 10 ms.
pub(crate) fn gap() -> Duration {
    Duration::from_micros(rand::random_range(0..10_000))
}

/// Both programs, waiting.
struct Bench {
    server: RedisServer,
    runtime: Runtime,
    jobs: JobQueue,
    worker: Waiter,
    floor: Waiter,
}

/// The rounds of one kind, of the product and of the floor.
#[derive(Default)]
struct Rounds {
    ours: Vec<Round>,
    floor: Vec<Round>,
    pauses: usize,
}

/// Measures and prints the row.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut bench = Bench::start()?;
    // The first jobs find cold caches and connections.
    bench.ours(options.jobs.min(200), &[])?;
    bench.floor(options.jobs.min(200), &[])?;
    let (mut plain, mut paused) = (Rounds::default(), Rounds::default());
    for round in 0..options.rounds {
        bench.round(round, options.jobs, &mut plain)?;
        bench.paused_round(options.jobs, &mut paused)?;
    }
    let idle = bench.idle(Duration::from_secs(options.idle_seconds))?;
    let mb = resident_mb(bench.worker.id())?;
    let jobs = options.rounds * options.jobs;
    let table = table(&plain, &paused, jobs, idle, mb)?;
    // A run that does not count is shown and not kept.
    let output = options.output.if_counts(moved(&plain.floor) <= FLOOR_MOVES);
    report::show("queue", "Queue start latency (row 1)", &table, output)
}

impl Bench {
    fn start() -> Result<Self> {
        let server = RedisServer::start()?;
        let runtime = Runtime::new()?;
        let redis = Redis::new(&server.url(), "")?;
        let bench = Self {
            jobs: JobQueue::new(&redis),
            worker: Waiter::start("worker", &server.url())?,
            floor: Waiter::start("floor", &server.url())?,
            runtime,
            server,
        };
        sleep(Duration::from_secs(1));
        Ok(bench)
    }

    fn round(&mut self, number: usize, jobs: usize, rounds: &mut Rounds) -> Result<()> {
        // In turn, so that neither always runs after the other.
        if number.is_multiple_of(2) {
            rounds.floor.push(self.floor(jobs, &[])?);
            rounds.ours.push(self.ours(jobs, &[])?);
        } else {
            rounds.ours.push(self.ours(jobs, &[])?);
            rounds.floor.push(self.floor(jobs, &[])?);
        }
        Ok(())
    }

    fn paused_round(&mut self, jobs: usize, rounds: &mut Rounds) -> Result<()> {
        for ours in [true, false] {
            let pauser = Pauser::start(&self.server.url());
            let (worker, runtime) = (&mut self.worker, &self.runtime);
            let waiter = if ours { worker } else { &mut self.floor };
            let before = waiter.cpu()?;
            if ours {
                push(runtime, &self.jobs, jobs)?;
            } else {
                floor::push(&self.server.url(), jobs)?;
            }
            let pauses = pauser.end()?;
            let starts = waiter.starts(jobs)?;
            let round = Round::of(&starts, &pauses, waiter.cpu()?.saturating_sub(before));
            rounds.pauses += pauses.len();
            if ours {
                rounds.ours.push(round);
            } else {
                rounds.floor.push(round);
            }
        }
        Ok(())
    }

    fn ours(&mut self, jobs: usize, pauses: &[Pause]) -> Result<Round> {
        let before = self.worker.cpu()?;
        push(&self.runtime, &self.jobs, jobs)?;
        let starts = self.worker.starts(jobs)?;
        Ok(Round::of(&starts, pauses, self.worker.cpu()? - before))
    }

    fn floor(&mut self, jobs: usize, pauses: &[Pause]) -> Result<Round> {
        let before = self.floor.cpu()?;
        floor::push(&self.server.url(), jobs)?;
        let starts = self.floor.starts(jobs)?;
        Ok(Round::of(&starts, pauses, self.floor.cpu()? - before))
    }

    /// The part of a core that the worker takes while nothing is pushed.
    fn idle(&self, time: Duration) -> Result<f64> {
        let before = self.worker.cpu()?;
        sleep(time);
        let taken = self.worker.cpu()? - before;
        Ok(taken.as_secs_f64() / time.as_secs_f64())
    }
}

fn push(runtime: &Runtime, queues: &JobQueue, jobs: usize) -> Result<()> {
    let queues = queues.clone();
    let pushing = async move {
        let queue = queue();
        for _ in 0..jobs {
            tokio::time::sleep(gap()).await;
            let pushed = now_ns();
            queues.push(&queue, &Tick { pushed }).await?;
        }
        Ok(())
    };
    // On a thread of the runtime, as the handlers of a server.
    runtime.block_on(async { TaskTracker::new().spawn(pushing).await? })
}

fn table(plain: &Rounds, paused: &Rounds, jobs: usize, idle: f64, mb: f64) -> Result<String> {
    let mut text = String::new();
    let rounds = plain.ours.len();
    writeln!(
        text,
        "{jobs} jobs in {rounds} rounds each, 0–10 ms apart, in turn; medians of the rounds, the largest of all. \
         The floor is a bare `XADD` and a bare blocked `XREADGROUP`. Times in ms; net of {} pauses of Redis of 100 ms \
         in the lower half.\n",
        paused.pauses
    )?;
    writeln!(
        text,
        "| | p50 | p99 | max | CPU-s / 1,000 |\n|---|---|---|---|---|"
    )?;
    for (name, rounds) in [("idle queue", plain), ("Redis paused at random", paused)] {
        let (ours, floor) = (summary(&rounds.ours), summary(&rounds.floor));
        line(&mut text, &format!("{name}: ours"), &ours)?;
        line(&mut text, &format!("{name}: floor"), &floor)?;
        writeln!(
            text,
            "| {name}: ratio | {:.1}× | {:.1}× | | {:.1}× |",
            ours.p50 / floor.p50,
            ours.p99 / floor.p99,
            ours.cpu_per_thousand / floor.cpu_per_thousand
        )?;
    }
    let all = [summary(&plain.ours), summary(&paused.ours)];
    let reached = |goal: &dyn Fn(&Round) -> bool| report::verdict(all.iter().all(goal));
    writeln!(
        text,
        "\nGoals: p50 ≤ {GOAL_P50}: {} · p99 ≤ {GOAL_P99}: {} · max ≤ {GOAL_MAX}: {} · waiting worker ≤ 1 % of a core: \
         {:.2} %, {} ({mb:.1} MB resident, 12 queues)",
        reached(&|it| it.p50 <= GOAL_P50),
        reached(&|it| it.p99 <= GOAL_P99),
        reached(&|it| it.max <= GOAL_MAX),
        idle * 100.0,
        report::verdict(idle <= GOAL_IDLE),
    )?;
    let moved = moved(&plain.floor);
    writeln!(text, "\n{}", report::floor_note(moved, &load()?))?;
    Ok(text)
}

fn line(text: &mut String, name: &str, round: &Round) -> Result<()> {
    writeln!(
        text,
        "| {name} | {:.3} | {:.3} | {:.2} | {:.3} |",
        round.p50, round.p99, round.max, round.cpu_per_thousand
    )?;
    Ok(())
}
