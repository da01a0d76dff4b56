//! S6: secrets come out nowhere.
//!
//! Canaries stand where secrets stand: keys of shops right and wrong, passwords, tokens, the keys of the
//! product itself and of the language model; and texts and addresses of people, which no log may hold. They
//! go through every door. Then logs, metrics, all of Redis, every row of PostgreSQL and all answers of the
//! api are searched for them as they are, in base64, in hexadecimal and as in an address.

mod canaries;
mod doors;
mod places;

use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use self::canaries::Canaries;
use self::doors::Visitor;
use self::places::Place;
use crate::figure::{Figure, Options, Report, say};
use crate::settings::Waits;
use crate::stage::{Cast, Stage};

/// Runs the figure.
pub async fn run(options: &Options) -> Result<Report> {
    let (began, seed) = (Instant::now(), options.seed_or_new());
    let stage = Stage::open(Cast {
        workers: 1,
        waits: Waits::of(options),
        seed,
        poll_interval_s: 5,
        has_desk: true,
    })
    .await?;
    let mut canaries = Canaries::new(seed, &stage.encryption_key);
    canaries.put_into(&stage).await?;
    let mut visitor = Visitor::new(&stage);
    visitor.go_through(&mut canaries).await?;
    let mut report = blank(seed);
    let places = places::all(&stage, &visitor).await?;
    let found = search(&canaries, &places);
    if !options.plant {
        let bytes: usize = places.iter().map(|place| place.bytes.len()).sum();
        // A door that nobody got through, or an empty place, shows nothing.
        let counts = visitor.missed.is_empty() && places::are_filled(&places, &canaries);
        if !counts {
            say(&format!("this run does not count: {:?}", visitor.missed));
        }
        report.figure.value = found.len() as f64;
        report.figure.n = canaries.len() as u64;
        report.figure.pass = found.is_empty() && counts;
        for line in found.iter().take(20) {
            say(line);
        }
        report.add(json!({
            "places": places.len(), "searched_bytes": bytes, "answers": visitor.answers(),
            "missed": visitor.missed, "counts": counts,
        }));
    }
    if options.plant || options.quick {
        plant(&stage, &mut visitor, &canaries, &mut report, options).await?;
    }
    report.figure.secs = began.elapsed().as_secs_f64();
    stage.close(!report.figure.pass && !options.plant).await;
    Ok(report)
}

/// What was found where it must not be.
fn search(canaries: &Canaries, places: &[Place]) -> Vec<String> {
    let mut found = Vec::new();
    for place in places {
        for (name, form) in canaries.found_in(place) {
            found.push(format!("{name} stands {form} in {}", place.name));
        }
    }
    found
}

/// A shop is called like its key, and a log and the metrics get lines that they must not have.
async fn plant(
    stage: &Stage,
    visitor: &mut Visitor<'_>,
    canaries: &Canaries,
    report: &mut Report,
    options: &Options,
) -> Result<()> {
    visitor.call_a_shop_like_its_key(canaries).await?;
    let mut places = places::all(stage, visitor).await?;
    for place in &mut places {
        if matches!(place.name.as_str(), "log api.log" | "metrics") {
            place.bytes.extend(canaries.careless_line());
        }
    }
    let found = search(canaries, &places);
    let is_seen = |what: &str| {
        found
            .iter()
            .any(|line| line.contains(&format!(" in {what}")))
    };
    let seen = [
        ("answers", is_seen("answer")),
        ("redis", is_seen("redis")),
        ("rows", is_seen("table")),
        ("logs", is_seen("log")),
        ("metrics", is_seen("metrics")),
    ];
    let all_seen = seen.iter().all(|(_, is_seen)| *is_seen);
    if options.plant {
        report.figure.value = found.len() as f64;
        report.figure.n = canaries.len() as u64;
        report.figure.pass = !all_seen;
        say(if all_seen {
            "planted defect found"
        } else {
            "planted defect not found"
        });
    } else {
        report.figure.pass &= all_seen;
    }
    let seen: std::collections::BTreeMap<_, _> = seen.into_iter().collect();
    report.add(json!({"plants": seen}));
    Ok(())
}

fn blank(seed: u64) -> Report {
    Figure {
        id: "S6",
        value: 0.0,
        goal: "0 secrets in logs, metrics, Redis, rows and answers".to_owned(),
        pass: true,
        n: 0,
        seed,
        secs: 0.0,
    }
    .into()
}
