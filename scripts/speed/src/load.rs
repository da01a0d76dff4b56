//! Several clients that each do one operation after the other for a time.

use std::sync::Barrier;
use std::thread::scope;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// One operation of one client.
pub(crate) type Operation<'a> = Box<dyn FnMut() -> Result<()> + 'a>;

/// The latencies of all operations in milliseconds, and the time that they took together.
pub(crate) struct Load {
    pub(crate) latencies: Vec<f64>,
    pub(crate) time: Duration,
}

/// Has each client do its operation again and again; `prepare` connects the client with this number.
pub(crate) fn drive<'a>(
    clients: usize,
    time: Duration,
    prepare: impl Fn(usize) -> Result<Operation<'a>> + Sync,
) -> Result<Load> {
    let ready = Barrier::new(clients + 1);
    scope(|scope| {
        let running: Vec<_> = (0..clients)
            .map(|number| {
                let (ready, prepare) = (&ready, &prepare);
                scope.spawn(move || {
                    let prepared = prepare(number);
                    ready.wait();
                    repeat(&mut *prepared?, time)
                })
            })
            .collect();
        ready.wait();
        let began = Instant::now();
        let mut latencies = Vec::new();
        for client in running {
            let ended = client.join().map_err(|_| anyhow!("a client panicked"))?;
            latencies.extend(ended?);
        }
        Ok(Load {
            latencies,
            time: began.elapsed(),
        })
    })
}

fn repeat(operation: &mut dyn FnMut() -> Result<()>, time: Duration) -> Result<Vec<f64>> {
    let began = Instant::now();
    let mut latencies = Vec::new();
    let mut last = began;
    while last - began < time {
        operation()?;
        let now = Instant::now();
        latencies.push((now - last).as_secs_f64() * 1_000.0);
        last = now;
    }
    Ok(latencies)
}
