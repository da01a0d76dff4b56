//! Planted defects that the oracle must see: a product that forgets what it noted, and one that notes and
//! does not tell.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use serde_json::json;
use tokio::time::sleep;

use super::clock::WallClock;
use super::feed::Feed;
use super::writing::Buyers;
use super::{ECHOES, LONG_AFTER, oracle, settle};
use crate::figure::{Options, Report, say};
use crate::stage::Stage;

/// Of three obligations one is noted as breached at once, so that nobody is told of it.
const FORGETS_TO_TELL: &str = "
    CREATE FUNCTION trust_defect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.id % 3 = 0 THEN NEW.breached_at := NEW.due_at; END IF;
        RETURN NEW; END $$;
    CREATE TRIGGER trust_defect BEFORE INSERT ON obligations
        FOR EACH ROW EXECUTE FUNCTION trust_defect();";

/// Chats whose breach was told are looked at again as if it had not been noted; then the note is back.
const TELLS_AGAIN: &str = "
    CREATE TABLE trust_noted AS SELECT tenant_id, id, breached_at FROM obligations
        WHERE ended_at IS NULL AND id % 3 = 1 AND breached_at IS NOT NULL;
    UPDATE obligations SET breached_at = NULL FROM trust_noted noted
        WHERE noted.tenant_id = obligations.tenant_id AND noted.id = obligations.id;
    UPDATE chats SET alarm_at = created_at FROM obligations JOIN trust_noted USING (tenant_id, id)
        WHERE chats.tenant_id = obligations.tenant_id AND chats.id = obligations.chat_id;";

/// Plants the defects and lives through one jump; alone it makes the figure red, otherwise it must be seen.
pub(super) async fn run(
    stage: &Stage,
    clock: &mut WallClock<'_>,
    buyers: &mut Buyers,
    feed: &Feed<'_>,
    report: &mut Report,
    options: &Options,
) -> Result<()> {
    say("planting defects");
    buyers.forget();
    stage.truth.run(FORGETS_TO_TELL).await?;
    buyers.write(stage, 3).await?;
    settle(stage, clock, buyers, Duration::from_secs(12)).await?;
    clock.jump(LONG_AFTER + TimeDelta::hours(1)).await?;
    settle(stage, clock, buyers, Duration::from_secs(6)).await?;
    stage.truth.run(TELLS_AGAIN).await?;
    sleep(ECHOES * 3).await;
    let planted = oracle::compare(stage, feed, &buyers.chats()).await?;
    planted.show();
    let seen = planted.sees_plants();
    let all_seen = seen.iter().all(|(_, is_seen)| *is_seen);
    if options.plant {
        report.figure.value = planted.broken() as f64;
        report.figure.n = planted.obligations;
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
