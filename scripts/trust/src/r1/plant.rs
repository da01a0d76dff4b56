//! Planted defects that the oracle must see: a product that loses, doubles and misplaces messages.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use super::oracle::{self, Findings};
use super::writing::Buyers;
use crate::figure::{Report, say};
use crate::stage::Stage;

/// What a message's fate is, by its external id: of 20 one is dropped, one doubled, one put at the beginning.
const DEFECTS: &str = "
    CREATE FUNCTION trust_defect() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE fate integer := abs(hashtext(NEW.external_id)) % 20;
    BEGIN
        IF NEW.direction <> 'incoming' OR NEW.external_id LIKE '%-again' THEN RETURN NEW; END IF;
        IF fate = 0 THEN RETURN NULL; END IF;
        IF fate = 1 THEN
            INSERT INTO messages (tenant_id, public_id, chat_id, external_id, direction, author, text, state, at, created_at)
            VALUES (NEW.tenant_id, gen_random_uuid(), NEW.chat_id, NEW.external_id || '-again', NEW.direction, NEW.author,
                NEW.text, NEW.state, NEW.at, NEW.created_at)
            ON CONFLICT DO NOTHING;
        END IF;
        IF fate = 2 THEN NEW.at := NEW.at - interval '1 day'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER trust_defect BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION trust_defect();";

/// Writes a while with the defects in force, and compares.
pub(super) async fn run(stage: &Stage, buyers: &mut Buyers, messages: usize) -> Result<Findings> {
    say("planting defects");
    buyers.forget();
    stage.truth.run(DEFECTS).await?;
    tokio::select! {
        written = buyers.write(stage, messages, Duration::from_secs(3)) => written?,
        failed = stage.keep_up() => failed?,
    }
    let (began, mut stored, mut since) = (Instant::now(), 0, Instant::now());
    // Until nothing more comes.
    while since.elapsed() < Duration::from_secs(7) && began.elapsed() < Duration::from_secs(30) {
        let now = oracle::stored(stage).await?;
        if now != stored {
            (stored, since) = (now, Instant::now());
        }
        sleep(Duration::from_millis(200)).await;
    }
    let journal = stage.outside.journal(0).await?;
    let findings = oracle::compare(stage, &journal, &buyers.numbers()).await?;
    findings.show();
    stage
        .truth
        .run("DROP TRIGGER trust_defect ON messages")
        .await?;
    Ok(findings)
}

/// Adds what was seen: alone it makes the figure red, otherwise it must have been seen.
pub(super) fn judge(report: &mut Report, planted: &Findings, is_alone: bool) {
    let seen = [
        ("lost", !planted.lost.is_empty()),
        ("double", !planted.double.is_empty()),
        ("out_of_order", !planted.out_of_order.is_empty()),
    ];
    let all_seen = seen.iter().all(|(_, is_seen)| *is_seen);
    if is_alone {
        report.figure.value = planted.broken() as f64;
        report.figure.n = planted.expected;
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
