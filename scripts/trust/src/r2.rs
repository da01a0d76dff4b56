//! R2: what agents reply goes out once and in order, whatever is killed or frozen meanwhile.
//!
//! Replies are posted through the api and sent by two workers while sends are taken and not answered,
//! somebody answers with the same words in the marketplace's cabinet, and everything is killed in turn.
//! Then the sandbox's journal is compared with what was posted and with what the product says of it.

mod oracle;
mod plant;
mod posting;
mod script;

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::time::sleep;

use self::oracle::Findings;
use self::posting::Agents;
use crate::blows::outside::spoil_sends;
use crate::blows::tally::{Tally, tally, watch_leases};
use crate::blows::{Plan, Rain};
use crate::figure::{Figure, Options, Report, say};
use crate::settings::Waits;
use crate::stage::{Cast, Stage};

/// How big a run is.
#[derive(Clone, Copy, Debug)]
struct Size {
    replies: usize,
    /// Shops and chats of each, by marketplace. Wildberries reads one page a second of each shop, whatever
    /// the waits are divided by.
    shops: [(usize, usize); 3],
    window: Duration,
    freeze_for: Duration,
    /// After the last fault everything is to be settled within this.
    settled_within: Duration,
    planted: usize,
    hits_needed: u64,
}

impl Size {
    fn of(options: &Options) -> Self {
        if options.quick {
            return Self {
                replies: 300,
                shops: [(10, 2), (20, 1), (10, 2)],
                window: Duration::from_secs(18),
                freeze_for: Duration::from_millis(4_500),
                settled_within: Duration::from_secs(90),
                planted: 90,
                hits_needed: 10,
            };
        }
        Self {
            replies: 5_000,
            shops: [(20, 6); 3],
            window: Duration::from_secs(420),
            freeze_for: Duration::from_secs(90),
            settled_within: Duration::from_secs(31 * 60),
            planted: 360,
            hits_needed: 50,
        }
    }

    fn plan(&self) -> Plan {
        Plan {
            freeze_at: vec![self.window.mul_f64(0.25), self.window.mul_f64(0.65)],
            freeze_for: self.freeze_for,
            ..Plan::over(self.window)
        }
    }
}

/// What a run with faults showed.
#[derive(Debug)]
struct Ordeal {
    findings: Findings,
    tally: Tally,
    settled_secs: f64,
    deaths: u32,
}

/// Runs the figure.
pub async fn run(options: &Options) -> Result<Report> {
    let (began, seed, size) = (Instant::now(), options.seed_or_new(), Size::of(options));
    let waits = Waits::of(options);
    let stage = Stage::open(Cast {
        workers: 2,
        waits,
        seed,
        poll_interval_s: 5,
        has_desk: true,
    })
    .await?;
    watch_leases(&stage).await?;
    let rng = StdRng::seed_from_u64(seed);
    let mut agents = Agents::open(&stage, rng, size.shops).await?;
    let mut report = blank(size, seed);
    if !options.plant {
        let ordeal = Box::pin(suffer(&stage, &mut agents, size)).await?;
        judge(&mut report, &ordeal, size);
    }
    if options.plant || options.quick {
        let planted = Box::pin(plant::run(&stage, &mut agents, size.planted)).await?;
        plant::judge(&mut report, &planted, options.plant);
    }
    report.figure.secs = began.elapsed().as_secs_f64();
    stage.close(!report.figure.pass && !options.plant).await;
    Ok(report)
}

fn blank(size: Size, seed: u64) -> Report {
    Figure {
        id: "R2",
        value: 0.0,
        goal: "0 lost, 0 double, 0 out of order at the marketplace; none forgotten".to_owned(),
        pass: true,
        n: size.replies as u64,
        seed,
        secs: 0.0,
    }
    .into()
}

/// Posts everything under faults, waits until it is settled, and compares.
async fn suffer(stage: &Stage, agents: &mut Agents, size: Size) -> Result<Ordeal> {
    spoil_sends(&stage.outside, stage.waits.settle_after).await?;
    let rain = Rain::new(stage, size.plan());
    let lines = agents.learn(size.replies, size.window);
    let all = async { tokio::try_join!(rain.fall(), agents.post(stage, &lines)) };
    let posted = tokio::select! {
        ended = all => ended?.1,
        failed = stage.keep_up() => { failed?; Vec::new() }
    };
    stage.restore().await?;
    say(&format!("everything is up, {} posted", posted.len()));
    let settled = tokio::select! {
        settled = settle(stage, size.settled_within) => settled?,
        failed = stage.keep_up() => { failed?; Duration::MAX }
    };
    // What is sent twice may be sent the second time only now.
    sleep(Duration::from_secs(2)).await;
    Ok(Ordeal {
        findings: oracle::compare(stage, &posted).await?,
        tally: tally(&stage.truth, &rain.dealt()).await?,
        settled_secs: settled.as_secs_f64(),
        deaths: stage.deaths().await,
    })
}

/// Waits until everything is settled; the marketplaces get well a while later than the rest.
async fn settle(stage: &Stage, within: Duration) -> Result<Duration> {
    let began = Instant::now();
    if !oracle::settle(stage, stage.waits.settle_after * 2).await? {
        say("the marketplaces are well again");
    }
    stage.outside.clear_faults().await?;
    oracle::settle(stage, within).await?;
    Ok(began.elapsed())
}

fn judge(report: &mut Report, ordeal: &Ordeal, size: Size) {
    let (findings, hits) = (&ordeal.findings, ordeal.tally.hits());
    let counts = hits >= size.hits_needed;
    if !counts {
        say(&format!(
            "this run does not count: only {hits} of {} faults hit",
            size.hits_needed
        ));
    }
    findings.show();
    report.figure.value = findings.broken() as f64;
    report.figure.n = findings.posted;
    report.figure.pass = findings.broken() == 0 && counts && findings.posted >= size.replies as u64;
    report.add(json!({
        "settled_secs": ordeal.settled_secs, "hits": hits, "counts": counts, "blows": ordeal.tally.to_json(),
        "deaths": ordeal.deaths,
    }));
    report.add(findings.to_json());
}
