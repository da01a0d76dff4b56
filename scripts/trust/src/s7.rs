//! S7: sealed keys open nowhere but in their own place, and a new encryption key stops no poll.
//!
//! Shops of two tenants are polled; then their sealed keys are moved to other rows, tenants and columns.
//! Each such shop must say that its key cannot be opened, and the sandbox must not be asked once. Then the
//! encryption key rotates while the shops are polled and a worker is killed in the middle: no poll may
//! fail, and at the end every key must open with the new encryption key alone.

mod moves;
mod rotation;
mod shops;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use common::secrets::Keyring;
use serde_json::json;
use tokio::time::sleep;

use self::shops::Rows;
use crate::figure::{Figure, Options, Report, say};
use crate::settings::Waits;
use crate::stage::{Cast, Stage};

/// All shops are to have been polled within this.
const POLLED_WITHIN: Duration = Duration::from_secs(240);
const NOT_OPENED: &str = "sync_error LIKE 'The stored key cannot be opened%'";

/// Runs the figure.
pub async fn run(options: &Options) -> Result<Report> {
    let (began, seed) = (Instant::now(), options.seed_or_new());
    let shops = if options.quick { 204 } else { 10_002 };
    let stage = Stage::open(Cast {
        workers: 2,
        waits: Waits::of(options),
        seed,
        poll_interval_s: if options.quick { 5 } else { 30 },
        has_desk: false,
    })
    .await?;
    let ring = ring(&stage.encryption_key, &[])?;
    let rows = Rows::open(&stage, &ring, shops).await?;
    ensure!(
        wait(&stage, &all_polled(rows.len())).await?,
        "not all shops could be polled before anything was moved"
    );
    say("all shops were polled");
    let mut report = blank(shops as u64, seed);
    if !options.plant {
        healthy(&stage, &rows, &ring, options, &mut report).await?;
    }
    if options.plant || options.quick {
        planted(&stage, &rows, &ring, options, &mut report).await?;
    }
    report.figure.secs = began.elapsed().as_secs_f64();
    stage.close(!report.figure.pass && !options.plant).await;
    Ok(report)
}

async fn healthy(
    stage: &Stage,
    rows: &Rows,
    ring: &Keyring,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let moved = moved(stage, rows, &moves::all(rows, ring, report.figure.seed)).await?;
    let in_mass = moves::mass(ring, if options.quick { 1_000 } else { 10_000 })?;
    let seen = rotation::rotate(stage, rows, ring).await?;
    let broken = moved.broken() + in_mass + seen.broken();
    report.figure.value = broken as f64;
    report.figure.pass = broken == 0 && seen.counts();
    report.add(json!({
        "opened": moved.not_refused, "requests": moved.requests, "opened_in_mass": in_mass,
        "polls": seen.polls, "failed_polls": seen.failed_polls, "not_polled": seen.not_polled,
        "not_opened": seen.not_opened, "kills": seen.kills, "counts": seen.counts(),
    }));
    Ok(())
}

async fn planted(
    stage: &Stage,
    rows: &Rows,
    ring: &Keyring,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let planted = moved(stage, rows, &moves::planted(rows, ring)?).await?;
    let failed = rotation::too_early(stage, rows, ring).await?;
    say(&format!("{failed} polls failed without the old key"));
    let is_opened = planted.requests > 0 && planted.not_refused > 0;
    let is_seen = is_opened && failed > 0;
    if options.plant {
        report.figure.value = (planted.broken() + failed) as f64;
        report.figure.pass = !is_seen;
        say(if is_seen {
            "planted defect found"
        } else {
            "planted defect not found"
        });
    } else {
        report.figure.pass &= is_seen;
    }
    report.add(json!({"plants": {
        "opened_elsewhere": is_opened, "old_key_removed_too_early": failed > 0,
    }}));
    Ok(())
}

fn blank(shops: u64, seed: u64) -> Report {
    Figure {
        id: "S7",
        value: 0.0,
        goal: "0 keys opened outside their place, 0 requests with a foreign key, 0 failed polls"
            .to_owned(),
        pass: true,
        n: shops,
        seed,
        secs: 0.0,
    }
    .into()
}

fn ring(current: &str, old: &[String]) -> Result<Keyring> {
    Keyring::new(current, old).map_err(|_| anyhow::anyhow!("the encryption key is none"))
}

/// What was seen of moved keys.
#[derive(Debug)]
struct Opened {
    /// Shops that did not say that their key cannot be opened.
    not_refused: u64,
    /// What the sandbox was asked meanwhile.
    requests: u64,
}

impl Opened {
    fn broken(&self) -> u64 {
        self.not_refused + self.requests
    }
}

/// Puts other ciphertexts into the rows while nobody polls, and looks what the worker makes of them.
async fn moved(stage: &Stage, rows: &Rows, ciphertexts: &[String]) -> Result<Opened> {
    stop_workers(stage).await;
    rows.put(stage, ciphertexts).await?;
    let before = stage
        .outside
        .journal(0)
        .await?
        .last()
        .map_or(0, |entry| entry.seq);
    stage.workers[0].lock().await.start().await?;
    let polled = format!(
        "SELECT count(*) = {} FROM sellers \
             WHERE last_sync_at > 'epoch' OR sync_error IS NOT NULL",
        rows.len()
    );
    wait(stage, &polled).await?;
    // Probes open keys, too.
    sleep(Duration::from_secs(2)).await;
    stop_workers(stage).await;
    let refused = stage
        .truth
        .count(&format!("SELECT count(*) FROM sellers WHERE {NOT_OPENED}"))
        .await?;
    let opened = Opened {
        not_refused: rows.len() - refused,
        requests: stage.outside.journal(before).await?.len() as u64,
    };
    say(&format!("{opened:?}"));
    Ok(opened)
}

async fn stop_workers(stage: &Stage) {
    for worker in &stage.workers {
        worker.lock().await.stop().await;
    }
}

/// Whether the polls of so many shops went well.
fn all_polled(shops: u64) -> String {
    format!(
        "SELECT count(*) = {shops} FROM sellers WHERE last_sync_at IS NOT NULL AND sync_error IS NULL"
    )
}

/// Waits until a question is answered with yes.
async fn wait(stage: &Stage, question: &str) -> Result<bool> {
    let began = Instant::now();
    loop {
        let rows = stage.truth.rows(question).await?;
        if rows.first().and_then(|row| row.get(0)) == Some("t") {
            return Ok(true);
        }
        if began.elapsed() > POLLED_WITHIN {
            return Ok(false);
        }
        sleep(Duration::from_millis(200)).await;
    }
}
