//! R3: what waits after an outage is done, and poison blocks nobody.
//!
//! While no worker runs, buyers write, agents reply, and jobs pile up in Redis with poison between them.
//! Then the workers come back; and once more after Redis lost everything, when only rows call for the work.

mod backlog;
mod people;

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use self::backlog::Backlog;
use self::people::People;
use crate::figure::{Figure, Options, Report, say};
use crate::settings::Waits;
use crate::stage::{Cast, Stage};

/// How long a queue may take until nobody would wait any longer.
const DRAINED_WITHIN: Duration = Duration::from_secs(240);
/// Full runs only: everything that people wait for is done this long after the outage.
const LATENCY: Duration = Duration::from_secs(10);

/// Runs the figure.
pub async fn run(options: &Options) -> Result<Report> {
    let (began, seed) = (Instant::now(), options.seed_or_new());
    let jobs = if options.quick { 20_000 } else { 100_000 };
    let stage = Stage::open(Cast {
        workers: 2,
        waits: Waits::of(options),
        seed,
        poll_interval_s: 5,
        has_desk: true,
    })
    .await?;
    let mut people = People::open(&stage, if options.quick { 4 } else { 20 }).await?;
    let mut report = blank(jobs, seed);
    if !options.plant {
        let found = outages(&stage, &mut people, jobs).await?;
        judge(&mut report, &found, options.quick);
    }
    if options.plant || options.quick {
        plant(&stage, &mut people, &mut report, options).await?;
    }
    report.figure.secs = began.elapsed().as_secs_f64();
    stage.close(!report.figure.pass && !options.plant).await;
    Ok(report)
}

/// What the two outages left behind.
#[derive(Debug)]
struct Found {
    /// Jobs that are still in a queue.
    left: u64,
    poison: u64,
    buried: u64,
    /// Buried without being poison.
    wronged: u64,
    undone: u64,
    double: u64,
    drained_secs: f64,
    served_secs: f64,
    pushed: u64,
}

async fn outages(stage: &Stage, people: &mut People, jobs: u64) -> Result<Found> {
    stop_workers(stage).await;
    people.act(stage).await?;
    let mut backlog = Backlog::open(stage).await?;
    backlog.pile_up(jobs).await?;
    backlog.kill_processes().await?;
    let began = Instant::now();
    start_workers(stage).await?;
    let (drained, served) = tokio::join!(
        backlog.drain(DRAINED_WITHIN),
        people.wait(stage, DRAINED_WITHIN)
    );
    let (left, drained_secs) = drained?;
    let served_secs = served?.unwrap_or(began.elapsed()).as_secs_f64();
    say(&format!(
        "{left} of {jobs} jobs left after {drained_secs:.1} s, people served after {served_secs:.1} s"
    ));
    let (buried, wronged) = backlog.dead_letters().await?;
    stop_workers(stage).await;
    people.act(stage).await?;
    backlog.lose_everything().await?;
    start_workers(stage).await?;
    people.wait(stage, DRAINED_WITHIN / 8).await?;
    // The queues live on.
    let more = jobs / 20;
    backlog.pile_up(more).await?;
    let (left_again, _) = backlog.drain(DRAINED_WITHIN).await?;
    let (buried_again, wronged_again) = backlog.dead_letters().await?;
    let (undone, double) = people.count(stage).await?;
    say(&format!(
        "after the loss {left_again} of {more} jobs left, {undone} things undone"
    ));
    Ok(Found {
        left: left + left_again,
        poison: backlog.poison(),
        buried: buried + buried_again,
        wronged: wronged + wronged_again,
        undone,
        double,
        drained_secs,
        served_secs,
        pushed: jobs + more,
    })
}

/// Rows of which some do not call for their work: lost hints are lost work then.
const FORGETS: &str = "
    CREATE FUNCTION trust_defect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.id % 3 = 0 THEN NEW.deliver_at := NULL; END IF;
        RETURN NEW; END $$;
    CREATE TRIGGER trust_defect BEFORE INSERT OR UPDATE ON chats
        FOR EACH ROW EXECUTE FUNCTION trust_defect();";

async fn plant(
    stage: &Stage,
    people: &mut People,
    report: &mut Report,
    options: &Options,
) -> Result<()> {
    say("planting rows that do not call for their work");
    stage.truth.run(FORGETS).await?;
    stop_workers(stage).await;
    people.act(stage).await?;
    Backlog::open(stage).await?.lose_everything().await?;
    start_workers(stage).await?;
    people.wait(stage, Duration::from_secs(8)).await?;
    let (undone, _) = people.count(stage).await?;
    if options.plant {
        report.figure.value = undone as f64;
        report.figure.pass = undone == 0;
        say(if undone > 0 {
            "planted defect found"
        } else {
            "planted defect not found"
        });
    } else {
        report.figure.pass &= undone > 0;
    }
    report.add(json!({"plants": {"forgotten": undone > 0}}));
    Ok(())
}

async fn stop_workers(stage: &Stage) {
    for worker in &stage.workers {
        worker.lock().await.stop().await;
    }
}

async fn start_workers(stage: &Stage) -> Result<()> {
    for worker in &stage.workers {
        worker.lock().await.start().await?;
    }
    sleep(Duration::from_millis(100)).await;
    Ok(())
}

fn blank(jobs: u64, seed: u64) -> Report {
    Figure {
        id: "R3",
        value: 0.0,
        goal: "0 jobs left, 0 things undone or done twice, every poison buried and nothing else"
            .to_owned(),
        pass: true,
        n: jobs,
        seed,
        secs: 0.0,
    }
    .into()
}

fn judge(report: &mut Report, found: &Found, is_quick: bool) {
    let unburied = found.poison.abs_diff(found.buried);
    let broken = found.left + unburied + found.wronged + found.undone + found.double;
    // Quick runs fail on counts, never on times.
    let in_time = is_quick || found.served_secs <= LATENCY.as_secs_f64();
    report.figure.value = broken as f64;
    report.figure.n = found.pushed;
    report.figure.pass = broken == 0 && in_time && found.poison > 0;
    report.add(json!({
        "left": found.left, "poison": found.poison, "buried": found.buried, "wronged": found.wronged,
        "undone": found.undone, "double": found.double,
        "drained_secs": found.drained_secs, "served_secs": found.served_secs,
    }));
}
