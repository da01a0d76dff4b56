//! Planted defects that the oracle must see: a product that loses, doubles and misplaces messages.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use super::oracle;
use super::writing::{Buyers, Numbers, number_of};
use crate::figure::{Report, say};
use crate::stage::Stage;

/// What a message's fate is, by its external id: of 20 one is dropped, one doubled, one put at the beginning.
const DEFECTS: &str = "
    CREATE FUNCTION trust_defect() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE fate integer := abs(hashtext(NEW.external_id)) % 20;
    BEGIN
        IF NEW.direction <> 'incoming' OR NEW.external_id LIKE '%-again'
            OR NEW.text !~ '^m[0-9]{6} ' OR NEW.text < 'FIRST' THEN RETURN NEW; END IF;
        IF fate = 0 THEN RETURN NULL; END IF;
        IF fate = 1 THEN
            INSERT INTO messages (tenant_id, public_id, chat_id, external_id,
                direction, author, text, state, at, created_at)
            VALUES (NEW.tenant_id, gen_random_uuid(), NEW.chat_id, NEW.external_id || '-again',
                NEW.direction, NEW.author, NEW.text, NEW.state, NEW.at, NEW.created_at)
            ON CONFLICT DO NOTHING;
        END IF;
        IF fate = 2 THEN NEW.at := NEW.at - interval '1 day'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER trust_defect BEFORE INSERT ON messages
        FOR EACH ROW EXECUTE FUNCTION trust_defect();";

/// Installs the defects and writes a while.
pub(super) async fn begin(stage: &Stage, buyers: &mut Buyers, messages: usize) -> Result<Numbers> {
    say("planting defects");
    buyers.begin_new_chats();
    let first = buyers.next_number();
    stage
        .truth
        .run(&DEFECTS.replace("FIRST", &format!("m{first:06}")))
        .await?;
    tokio::select! {
        written = buyers.write(stage, messages, Duration::from_secs(3)) => written?,
        failed = stage.keep_up() => failed?,
    }
    Ok(buyers.take_numbers())
}

/// Compares, and adds what was seen: alone it makes the figure red, otherwise it must have been seen.
pub(super) async fn end(
    stage: &Stage,
    written: &Numbers,
    report: &mut Report,
    is_alone: bool,
) -> Result<()> {
    wait(stage, written).await?;
    let journal = stage.outside.journal(0).await?;
    let planted = oracle::compare(stage, &journal, written).await?;
    planted.show();
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
    report.add(json!({"plants": seen.into_iter().collect::<BTreeMap<_, _>>()}));
    Ok(())
}

/// Until everything is there that is not dropped, or nothing more comes.
async fn wait(stage: &Stage, written: &Numbers) -> Result<()> {
    let journal = stage.outside.journal(0).await?;
    let ids = journal.iter().filter(|entry| {
        let number = entry.text.as_deref().and_then(number_of);
        entry.kind == "written" && number.is_some_and(|number| written.contains(&number))
    });
    let ids: Vec<String> = ids
        .filter_map(|entry| Some(format!("('{}')", entry.message.as_deref()?)))
        .collect();
    let kept = format!(
        "SELECT count(*) FROM (VALUES {}) AS all_of_them(id) WHERE abs(hashtext(id)) % 20 <> 0",
        ids.join(",")
    );
    let kept = stage.truth.count(&kept).await?;
    let began = Instant::now();
    while oracle::stored(stage, written).await? < kept && began.elapsed() < Duration::from_secs(45)
    {
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
