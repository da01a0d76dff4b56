//! The product's worker of row 1: as many queues as it really waits at, one of which gets jobs.

use std::thread::spawn;

use anyhow::Result;
use apalis::prelude::{Data, Monitor, WorkerBuilder};
use common::jobs::{Job, Options, Queue, Redis, RedisStreams};
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;

use crate::Waiting;
use crate::child::Seen;
use crate::figures::{Start, now_ns};
use crate::throughput::CONCURRENCY;

/// Four kinds of jobs at three marketplaces.
const QUEUES: usize = 12;

/// A job that only says when it was pushed, in nanoseconds since 1970.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Tick {
    pub(crate) pushed: u64,
}

impl Job for Tick {
    const KIND: &'static str = "tick";
}

/// The queue that gets jobs.
pub(crate) fn queue() -> Queue<Tick> {
    Queue::named("tick:0")
}

/// Waits for jobs as the product does.
#[tokio::main]
pub(crate) async fn run(waiting: &Waiting) -> Result<()> {
    let redis = Redis::new(&waiting.redis_url, "")?;
    let seen = Seen::default();
    let reporting = seen.clone();
    // The process ends with whoever asks it.
    spawn(move || {
        let reported = reporting.report();
        std::process::exit(i32::from(reported.is_err()));
    });
    let mut monitor = Monitor::new();
    for number in 0..QUEUES {
        let (redis, seen) = (redis.clone(), seen.clone());
        monitor = monitor.register(move |_restarts| {
            let queue = Queue::<Tick>::named(format!("tick:{number}"));
            WorkerBuilder::new(queue.name().to_owned())
                .backend(RedisStreams::new(&redis, queue, Options::default()))
                .data(seen.clone())
                .build(note)
        });
    }
    // On a thread of the runtime, as the product's.
    TaskTracker::new().spawn(monitor.run()).await??;
    Ok(())
}

/// Waits at one queue, with many jobs at the same moment (row 11).
#[tokio::main]
pub(crate) async fn drain(waiting: &Waiting) -> Result<()> {
    let redis = Redis::new(&waiting.redis_url, "")?;
    let seen = Seen::default();
    let reporting = seen.clone();
    spawn(move || {
        let reported = reporting.report();
        std::process::exit(i32::from(reported.is_err()));
    });
    let options = Options {
        concurrency: CONCURRENCY,
        ..Options::default()
    };
    let monitor = Monitor::new().register(move |_restarts| {
        WorkerBuilder::new(queue().name().to_owned())
            .backend(RedisStreams::new(&redis, queue(), options))
            .data(seen.clone())
            .build(note)
    });
    TaskTracker::new().spawn(monitor.run()).await??;
    Ok(())
}

async fn note(tick: Tick, seen: Data<Seen>) {
    let began = now_ns();
    seen.add(Start {
        pushed: tick.pushed,
        began,
    });
}
