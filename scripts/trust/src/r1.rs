//! R1: what buyers write comes in once and in order, whatever is killed meanwhile.
//!
//! Numbered messages are written into many chats of shops of three marketplaces while worker, api,
//! Redis and PostgreSQL are killed and the marketplaces answer badly. Then the sandbox's journal is
//! compared with what the api shows.

mod oracle;
mod plant;
mod writing;

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::SeedableRng;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use self::oracle::Findings;
use self::writing::{Buyers, Numbers};
use crate::blows::outside::spoil_reads;
use crate::blows::tally::{Tally, tally, watch_leases};
use crate::blows::{Blow, Plan, Rain};
use crate::figure::{Figure, Options, Report, say};
use crate::settings::Waits;
use crate::stage::{Cast, Stage};

/// Everything is to be stored this long after the last fault.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(60);

/// How big a run is.
#[derive(Clone, Copy, Debug)]
struct Size {
    messages: usize,
    shops_per_marketplace: usize,
    chats_per_shop: usize,
    window: Duration,
    /// Messages of the run with the planted defect.
    planted: usize,
    hits_needed: u64,
}

impl Size {
    fn of(options: &Options) -> Self {
        if options.quick {
            return Self {
                messages: 1_000,
                shops_per_marketplace: 4,
                chats_per_shop: 4,
                window: Duration::from_secs(16),
                planted: 240,
                hits_needed: 10,
            };
        }
        Self {
            messages: 10_000,
            shops_per_marketplace: 20,
            chats_per_shop: 6,
            window: Duration::from_secs(240),
            planted: 600,
            hits_needed: 50,
        }
    }
}

/// What a run with faults showed.
#[derive(Debug)]
struct Ordeal {
    findings: Findings,
    tally: Tally,
    bad_answers: u64,
    caught_up_secs: f64,
    deaths: u32,
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
    watch_leases(&stage).await?;
    let rng = StdRng::seed_from_u64(seed);
    let mut buyers =
        Buyers::open(&stage, rng, size.shops_per_marketplace, size.chats_per_shop).await?;
    let mut report = blank(size, seed);
    let mut planted = None;
    if options.plant {
        planted = Some(plant::begin(&stage, &mut buyers, size.planted).await?);
    } else {
        let (blows, written) = Box::pin(suffer(&stage, &mut buyers, size)).await?;
        let healed = Instant::now();
        if options.quick {
            planted = Some(plant::begin(&stage, &mut buyers, size.planted).await?);
        }
        let ordeal = Box::pin(look(&stage, &blows, &written, healed)).await?;
        judge(&mut report, &ordeal, size, options.quick);
    }
    if let Some(planted) = planted {
        plant::end(&stage, &planted, &mut report, options.plant).await?;
    }
    report.figure.secs = began.elapsed().as_secs_f64();
    stage.close(!report.figure.pass && !options.plant).await;
    Ok(report)
}

fn blank(size: Size, seed: u64) -> Report {
    Figure {
        id: "R1",
        value: 0.0,
        goal: "0 lost, 0 double, 0 out of order; caught up 60 s after the last fault".to_owned(),
        pass: true,
        n: size.messages as u64,
        seed,
        secs: 0.0,
    }
    .into()
}

/// Writes everything under faults; when it returns they are over.
async fn suffer(stage: &Stage, buyers: &mut Buyers, size: Size) -> Result<(Vec<Blow>, Numbers)> {
    spoil_reads(&stage.outside).await?;
    let rain = Rain::new(stage, Plan::over(size.window));
    let all =
        async { tokio::try_join!(rain.fall(), buyers.write(stage, size.messages, size.window)) };
    tokio::select! {
        ended = all => drop(ended?),
        failed = stage.keep_up() => failed?,
        failed = keep_asking(stage) => failed?,
    }
    stage.restore().await?;
    stage.outside.clear_faults().await?;
    say("faults are over");
    Ok((rain.dealt(), buyers.take_numbers()))
}

/// Waits until everything is stored, and compares.
async fn look(stage: &Stage, blows: &[Blow], written: &Numbers, healed: Instant) -> Result<Ordeal> {
    tokio::select! {
        caught_up = catch_up(stage, written, healed) => caught_up?,
        failed = stage.keep_up() => failed?,
    }
    let caught_up_secs = healed.elapsed().as_secs_f64();
    // What comes twice may come the second time only now.
    sleep(Duration::from_secs(2)).await;
    let journal = stage.outside.journal(0).await?;
    let bad = journal
        .iter()
        .filter(|entry| entry.status.is_some_and(|status| status >= 400));
    Ok(Ordeal {
        bad_answers: bad.count() as u64,
        findings: oracle::compare(stage, &journal, written).await?,
        tally: tally(&stage.truth, blows).await?,
        caught_up_secs,
        deaths: stage.deaths().await,
    })
}

/// Waits until as much is stored as was written, or nobody would wait any longer.
async fn catch_up(stage: &Stage, written: &Numbers, healed: Instant) -> Result<()> {
    loop {
        let (stored, all) = (oracle::stored(stage, written).await?, written.len() as u64);
        if stored >= all || healed.elapsed() > CAUGHT_UP_WITHIN * 2 {
            say(&format!(
                "{stored} of {all} stored after {:.1} s",
                healed.elapsed().as_secs_f64()
            ));
            return Ok(());
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// People look at the desk and pull shops all the time, so that the api has work in flight, too.
async fn keep_asking(stage: &Stage) -> Result<()> {
    let look = async || -> Result<()> {
        loop {
            for path in [
                "/api/chats?limit=50",
                "/api/sellers?limit=100",
                "/api/chats/counts",
            ] {
                stage.desk.try_once(Method::GET, path, None).await;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let pull = async || -> Result<()> {
        loop {
            let sellers = stage
                .desk
                .try_once(Method::GET, "/api/sellers?limit=100", None)
                .await;
            let sellers = sellers.map(|answer| answer.body["sellers"].clone());
            for seller in sellers.iter().filter_map(|it| it.as_array()).flatten() {
                let path = format!("/api/sellers/{}/sync", seller["id"]);
                stage.desk.try_once(Method::POST, &path, None).await;
                sleep(Duration::from_millis(250)).await;
            }
            sleep(Duration::from_millis(250)).await;
        }
    };
    tokio::try_join!(look(), pull())?;
    Ok(())
}

fn judge(report: &mut Report, ordeal: &Ordeal, size: Size, is_quick: bool) {
    let findings = &ordeal.findings;
    let hits = ordeal.tally.hits();
    let counts = hits >= size.hits_needed;
    if !counts {
        say(&format!(
            "this run does not count: only {hits} of {} faults hit",
            size.hits_needed
        ));
    }
    findings.show();
    // Quick runs fail on counts, never on times.
    let in_time = is_quick || ordeal.caught_up_secs <= CAUGHT_UP_WITHIN.as_secs_f64();
    report.figure.value = findings.broken() as f64;
    report.figure.n = findings.expected;
    report.figure.pass = findings.broken() == 0 && counts && in_time && findings.expected > 0;
    let more = json!({
        "lost": findings.lost.len(), "double": findings.double.len(), "out_of_order": findings.out_of_order.len(),
        "caught_up_secs": ordeal.caught_up_secs, "hits": hits, "counts": counts, "blows": ordeal.tally.to_json(),
        "bad_answers": ordeal.bad_answers, "deaths": ordeal.deaths,
    });
    report.add(more);
}
