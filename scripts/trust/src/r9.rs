//! R9: each deadline is told once and no message is lost, whatever the wall clock does.
//!
//! Buyers write while the product's clock jumps ahead and back around nights on which the clocks change and
//! days that few years have. Rules count by business hours; PostgreSQL's own time zones say what had to fall
//! due, the sandbox's journal says who waited for an answer, and the live feed is read beside it.

mod clock;
mod feed;
mod oracle;
mod plant;
mod writing;

use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::TimeDelta;
use serde_json::json;
use tokio::time::sleep;

use self::clock::{MOMENTS, WallClock};
use self::feed::Feed;
use self::oracle::Findings;
use self::writing::Buyers;
use crate::figure::{Figure, Options, Report, say};
use crate::settings::Waits;
use crate::stage::{Cast, Stage};

/// What is due is to be told this long after a jump.
const TOLD_WITHIN: Duration = Duration::from_secs(20);
/// What is written while the clock stands right is fetched within this: one poll and a little.
const FETCHED_WITHIN: Duration = Duration::from_secs(7);
/// What is told twice is told the second time within this.
const ECHOES: Duration = Duration::from_millis(700);

/// How big a run is.
#[derive(Clone, Copy, Debug)]
struct Size {
    shops_per_marketplace: usize,
    chats_per_shop: usize,
    /// Jumps from the true time, in minutes.
    jumps: &'static [i64],
    moments: usize,
    obligations_needed: u64,
}

impl Size {
    fn of(options: &Options) -> Self {
        if options.quick {
            return Self {
                shops_per_marketplace: 2,
                chats_per_shop: 3,
                jumps: &[0, 60, -60],
                moments: 1,
                obligations_needed: 45,
            };
        }
        Self {
            shops_per_marketplace: 8,
            chats_per_shop: 6,
            jumps: &[0, 60, 0, -60, 60, -60, 0, 1440, 0, -1440, 0],
            moments: MOMENTS.len(),
            obligations_needed: 2_000,
        }
    }
}

/// Everything is due by then.
const LONG_AFTER: TimeDelta = TimeDelta::hours(6);

/// Runs the figure.
pub async fn run(options: &Options) -> Result<Report> {
    let (began, seed, size) = (Instant::now(), options.seed_or_new(), Size::of(options));
    let stage = Stage::open(Cast {
        workers: 2,
        waits: Waits::of(options),
        seed,
        poll_interval_s: 5,
        has_desk: true,
    })
    .await?;
    let mut clock = WallClock::new(&stage);
    let first = usize::try_from(seed)? % MOMENTS.len();
    let first = if options.quick { first } else { 0 };
    clock.travel(MOMENTS[first]).await?;
    let mut buyers = Buyers::open(&stage, size.shops_per_marketplace).await?;
    oracle::prepare(&stage).await?;
    let feed = Feed::new(&stage.desk);
    let mut report = blank(seed);
    let work = async {
        feed.wait_until_open().await?;
        if !options.plant {
            let mut late = 0;
            for moment in &MOMENTS[first..first + size.moments] {
                clock.travel(moment).await?;
                late += live_through(&stage, &mut clock, &mut buyers, size).await?;
            }
            let findings = oracle::compare(&stage, &feed, &buyers.chats()).await?;
            judge(&mut report, &findings, size, late, buyers.answers());
        }
        if options.plant || options.quick {
            plant::run(&stage, &mut clock, &mut buyers, &feed, &mut report, options).await?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        done = work => done?,
        never = feed.listen() => never,
    }
    report.figure.secs = began.elapsed().as_secs_f64();
    stage.close(!report.figure.pass && !options.plant).await;
    Ok(report)
}

/// The jumps around one moment; tells how many messages nobody had fetched when the next one came.
async fn live_through(
    stage: &Stage,
    clock: &mut WallClock<'_>,
    buyers: &mut Buyers,
    size: Size,
) -> Result<u64> {
    let mut late = 0;
    for (round, minutes) in size.jumps.iter().enumerate() {
        clock.jump(TimeDelta::minutes(*minutes)).await?;
        buyers.write(stage, size.chats_per_shop).await?;
        late += settle(stage, clock, buyers, FETCHED_WITHIN).await?;
        if round % 2 == 0 {
            buyers.are_answered(stage).await?;
        }
    }
    clock.jump(LONG_AFTER).await?;
    settle(stage, clock, buyers, TOLD_WITHIN).await?;
    Ok(late)
}

/// Waits until everything written is stored and what is due is told; tells how many messages are missing.
async fn settle(
    stage: &Stage,
    clock: &WallClock<'_>,
    buyers: &Buyers,
    patience: Duration,
) -> Result<u64> {
    let began = Instant::now();
    loop {
        let missing = buyers.not_stored(stage).await?;
        let untold = oracle::untold(stage, clock.now()).await?;
        let is_over = began.elapsed() > patience;
        if (missing == 0 && untold == 0) || is_over {
            if is_over {
                say(&format!(
                    "{missing} messages not stored, {untold} deadlines not told after {patience:?}"
                ));
            }
            sleep(ECHOES).await;
            return Ok(missing);
        }
        sleep(Duration::from_millis(150)).await;
    }
}

fn blank(seed: u64) -> Report {
    Figure {
        id: "R9",
        value: 0.0,
        goal: "each deadline told once and at its time, 0 messages lost".to_owned(),
        pass: true,
        n: 0,
        seed,
        secs: 0.0,
    }
    .into()
}

fn judge(report: &mut Report, findings: &Findings, size: Size, late: u64, answers: u64) {
    findings.show();
    let counts = findings.obligations >= size.obligations_needed
        && findings.warnings > 0
        && findings.breaches > 0
        && answers > 0;
    report.figure.value = findings.broken() as f64;
    report.figure.n = findings.obligations;
    report.figure.pass = findings.broken() == 0 && counts;
    report.add(findings.to_json());
    report.add(json!({"fetched_late": late, "answers": answers, "counts": counts}));
}
