//! Planted defects that the oracle must see: a product that sends again at once, forgets, and lies.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use super::oracle::{self, Findings};
use super::posting::Agents;
use crate::clients::outside::MARKETPLACES;
use crate::figure::{Report, say};
use crate::stage::Stage;

/// What may have arrived is sent again without looking; of ten new replies one counts as sent
/// although nobody sends it; of ten chats one is never due.
const DEFECTS: &str = "
    CREATE FUNCTION trust_defect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'UPDATE' AND NEW.state = 'unknown' THEN NEW.state := 'queued'; NEW.settle_at := NULL; END IF;
        IF TG_OP = 'INSERT' AND NEW.state = 'queued' AND NEW.id % 10 = 0 THEN NEW.state := 'sent'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER trust_defect BEFORE INSERT OR UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION trust_defect();
    CREATE FUNCTION trust_forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.id % 10 = 0 THEN NEW.deliver_at := NULL; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER trust_forget BEFORE UPDATE ON chats FOR EACH ROW EXECUTE FUNCTION trust_forget();";

const UNDO: &str = "DROP TRIGGER trust_defect ON messages; DROP TRIGGER trust_forget ON chats;";

/// Posts a while with the defects in force, and compares.
pub(super) async fn run(stage: &Stage, agents: &mut Agents, replies: usize) -> Result<Findings> {
    say("planting defects");
    stage.truth.run(DEFECTS).await?;
    for target in MARKETPLACES {
        let path = if target == "ozon" {
            "send/message"
        } else {
            "/message"
        };
        let fault = json!({"target": format!("{target}:{path}"), "kind": "cut_after_accept", "probability": 0.4});
        stage.outside.fault(&fault).await?;
    }
    let lines = agents.learn(replies, Duration::from_secs(2));
    let posted = tokio::select! {
        posted = agents.post(stage, &lines) => posted?,
        failed = stage.keep_up() => { failed?; Vec::new() }
    };
    let began = Instant::now();
    let mut findings = oracle::compare(stage, &posted).await?;
    // Some more than one send and its repetition take.
    let enough = stage.waits.settle_after + stage.waits.settle_again + Duration::from_secs(15);
    while findings.double.is_empty() && began.elapsed() < enough {
        sleep(Duration::from_millis(500)).await;
        findings = oracle::compare(stage, &posted).await?;
    }
    findings.show();
    stage.outside.clear_faults().await?;
    stage.truth.run(UNDO).await?;
    Ok(findings)
}

/// Adds what was seen: alone it makes the figure red, otherwise it must have been seen.
pub(super) fn judge(report: &mut Report, planted: &Findings, is_alone: bool) {
    let seen = [
        ("lost", !planted.lost.is_empty()),
        ("double", !planted.double.is_empty()),
        ("stuck", !planted.stuck.is_empty()),
    ];
    let all_seen = seen.iter().all(|(_, is_seen)| *is_seen);
    if is_alone {
        report.figure.value = planted.broken() as f64;
        report.figure.n = planted.posted;
        report.figure.pass = !all_seen;
        say(if all_seen {
            "planted defect found"
        } else {
            "planted defect not found"
        });
    } else {
        report.figure.pass &= all_seen;
    }
    report.add(json!({"plants": seen.into_iter().collect::<std::collections::BTreeMap<_, _>>()}));
}
