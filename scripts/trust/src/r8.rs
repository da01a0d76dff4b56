//! R8: a shop whose marketplace refuses or hangs holds up no other.
//!
//! Buyers write to many shops; then one shop is refused for too many requests and another one hangs. The
//! other shops of the same marketplaces must be polled as before, and what their buyers write must come in.

mod round;

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use self::round::{Round, Seen};
use crate::clients::outside::Shop;
use crate::figure::{Figure, Options, Report, say};
use crate::settings::Waits;
use crate::stage::{Cast, Stage};

/// How much later the others' messages may come in.
const LATER: f64 = 1.2;
/// Of the polls without a fault at least this part must be there with it.
const POLLS: f64 = 0.7;
const HANGS_MS: u64 = 120_000;

/// How big a run is.
#[derive(Clone, Copy, Debug)]
struct Size {
    shops: usize,
    window: Duration,
}

impl Size {
    fn of(options: &Options) -> Self {
        if options.quick {
            return Self {
                shops: 21,
                window: Duration::from_secs(10),
            };
        }
        Self {
            shops: 201,
            window: Duration::from_mins(10),
        }
    }
}

/// Runs the figure.
pub async fn run(options: &Options) -> Result<Report> {
    let (began, seed, size) = (Instant::now(), options.seed_or_new(), Size::of(options));
    let stage = Stage::open(Cast {
        workers: 1,
        waits: Waits::of(options),
        seed,
        poll_interval_s: 5,
        has_desk: true,
    })
    .await?;
    let shops = stage.outside.open_shops(size.shops).await?;
    let connecting = stream::iter(&shops).map(|shop| stage.desk.connect(shop));
    connecting.buffer_unordered(4).try_collect::<()>().await?;
    let mut report = blank(size, seed);
    let mut round = Round::begin(&stage, &shops).await?;
    let healthy = round.live(&stage, "without a fault", size.window).await?;
    if !options.plant {
        strike(&stage, round.sick(), true).await?;
        let struck = round.live(&stage, "with a sick shop", size.window).await?;
        stage.outside.clear_faults().await?;
        judge(&mut report, &healthy, &struck, options.quick);
    }
    if options.plant || options.quick {
        plant(&stage, &mut round, &healthy, &mut report, options).await?;
    }
    report.figure.secs = began.elapsed().as_secs_f64();
    stage.close(!report.figure.pass && !options.plant).await;
    Ok(report)
}

/// The first shop hangs, the second is refused for too many requests.
async fn strike(stage: &Stage, sick: [&Shop; 2], is_refused: bool) -> Result<()> {
    let [hangs, refused] = sick;
    let fault = |shop: &Shop, kind: &str, value: u64| json!({"target": shop.marketplace, "seller": shop.seller, "kind": kind, "value": value, "probability": 1.0});
    stage
        .outside
        .fault(&fault(hangs, "latency", HANGS_MS))
        .await?;
    if is_refused {
        stage
            .outside
            .fault(&fault(refused, "rate_limit", 2))
            .await?;
    }
    Ok(())
}

/// A worker with a single slot: the sick shop holds it, and the others wait.
async fn plant(
    stage: &Stage,
    round: &mut Round<'_>,
    healthy: &Seen,
    report: &mut Report,
    options: &Options,
) -> Result<()> {
    say("planting a worker with a single slot");
    for worker in &stage.workers {
        let mut worker = worker.lock().await;
        worker.stop().await;
        worker.tell("WORKER_CONCURRENCY", "1");
        worker.start().await?;
    }
    strike(stage, round.sick(), false).await?;
    let window = Duration::from_secs(10);
    let seen = round.live(stage, "with a single slot", window).await?;
    stage.outside.clear_faults().await?;
    let broken = seen.stuck + seen.starved(healthy, POLLS);
    let is_seen = broken > 0;
    if options.plant {
        report.figure.value = broken as f64;
        report.figure.pass = !is_seen;
        say(if is_seen {
            "planted defect found"
        } else {
            "planted defect not found"
        });
    } else {
        report.figure.pass &= is_seen;
    }
    report.add(json!({"plants": {"single_slot": is_seen}}));
    Ok(())
}

fn blank(size: Size, seed: u64) -> Report {
    Figure {
        id: "R8",
        value: 0.0,
        goal: "others' messages in, polls as without the fault, lag p99 at most 1.2 times"
            .to_owned(),
        pass: true,
        n: size.shops as u64,
        seed,
        secs: 0.0,
    }
    .into()
}

fn judge(report: &mut Report, healthy: &Seen, struck: &Seen, is_quick: bool) {
    let starved = struck.starved(healthy, POLLS);
    let broken = healthy.stuck + struck.stuck + starved;
    let (before, after) = (healthy.lag_p99(), struck.lag_p99());
    // Quick runs fail on counts, never on times.
    let in_time = is_quick || after <= before * LATER;
    let counts = struck.faults > 1 && struck.written > 0;
    report.figure.value = broken as f64;
    report.figure.pass = broken == 0 && in_time && counts;
    report.add(json!({
        "messages": healthy.written + struck.written, "stuck": healthy.stuck + struck.stuck,
        "starved": starved, "polls_before": healthy.polls(), "polls": struck.polls(),
        "lag_p99_before": before, "lag_p99": after, "faults": struck.faults, "counts": counts,
    }));
}
