//! A new encryption key while shops are polled: workers are restarted one by one, and killed in the middle.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use common::db::sellers::key_place;
use common::secrets::Keyring;
use secrecy::ExposeSecret;
use stack::secrets::random;
use tokio::time::sleep;
use uuid::Uuid;

use super::shops::Rows;
use super::{ring, wait};
use crate::figure::say;
use crate::stage::Stage;

/// Every so manieth shop is deactivated: nobody polls it, and yet its key rotates.
const DEACTIVATED: usize = 50;
/// So often a worker is killed while it seals keys anew.
const KILLS: u64 = 2;
/// How long the sealing anew of all shops shall take at least, so that a kill finds it under way.
const LASTS: Duration = Duration::from_millis(1_500);

/// What was seen of a rotation.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Polls that went well meanwhile.
    pub(super) polls: u64,
    pub(super) failed_polls: u64,
    /// Shops whose keys do not open with the new key alone, or are others than before.
    pub(super) not_opened: u64,
    /// Shops that were not polled with the new key alone.
    pub(super) not_polled: u64,
    /// Kills that found keys of both kinds.
    pub(super) kills: u64,
}

impl Seen {
    pub(super) fn broken(&self) -> u64 {
        self.failed_polls + self.not_opened + self.not_polled
    }

    /// Whether the sealing anew was really hit.
    pub(super) fn counts(&self) -> bool {
        self.kills > 0 && self.polls > 0
    }
}

/// Rotates the key under live polling.
pub(super) async fn rotate(stage: &Stage, rows: &Rows, before: &Keyring) -> Result<Seen> {
    let (old, new) = (&stage.encryption_key, &random()?);
    rows.put(stage, &rows.own(before)).await?;
    watch(stage, rows.len()).await?;
    stage
        .truth
        .run(&format!(
            "UPDATE sellers SET is_active = false WHERE id % {DEACTIVATED} = 0"
        ))
        .await?;
    for worker in 0..stage.workers.len() {
        restart(stage, worker, [old, "", ""]).await?;
    }
    for worker in 0..stage.workers.len() {
        restart(stage, worker, [old, "", new]).await?;
    }
    say("every worker opens with the new key");
    restart(stage, 0, [new, old, ""]).await?;
    let mut seen = Seen::default();
    // People still enter keys at an api that was not told of the new one yet.
    let entered = enter(stage, rows, before).await?;
    for _ in 0..KILLS {
        seen.kills += u64::from(kill_in_the_middle(stage, before).await?);
    }
    for worker in 1..stage.workers.len() {
        restart(stage, worker, [new, old, ""]).await?;
    }
    if !wait(stage, &none_left(before)).await? {
        bail!("keys were not sealed anew: {}", left(stage, before).await?);
    }
    say("every key is sealed with the new one");
    for worker in 0..stage.workers.len() {
        restart(stage, worker, [new, "", ""]).await?;
    }
    seen.not_polled = not_polled_from_now_on(stage).await?;
    seen.not_opened = not_opened(stage, rows, &entered, &ring(new, &[])?).await?;
    seen.failed_polls = stage
        .truth
        .count("SELECT count(*) FROM failed_polls")
        .await?;
    seen.polls = stage.truth.count("SELECT last_value FROM polls").await?;
    unwatch(stage, old).await?;
    say(&format!("{seen:?}"));
    Ok(seen)
}

/// The defect: the old key goes before any key is sealed anew. Tells how many polls fail.
pub(super) async fn too_early(stage: &Stage, rows: &Rows, before: &Keyring) -> Result<u64> {
    rows.put(stage, &rows.own(before)).await?;
    watch(stage, rows.len()).await?;
    let new = &random()?;
    restart(stage, 0, [new, "", ""]).await?;
    wait(stage, "SELECT count(*) > 10 FROM failed_polls").await?;
    let failed = stage
        .truth
        .count("SELECT count(*) FROM failed_polls")
        .await?;
    unwatch(stage, &stage.encryption_key).await?;
    Ok(failed)
}

/// Starts a worker again with these keys: the current, the old and the next one.
async fn restart(stage: &Stage, worker: usize, keys: [&str; 3]) -> Result<()> {
    stop(stage, worker, keys).await;
    stage.workers[worker].lock().await.start().await
}

async fn stop(stage: &Stage, worker: usize, keys: [&str; 3]) {
    let mut worker = stage.workers[worker].lock().await;
    let names = [
        "ENCRYPTION_KEY",
        "ENCRYPTION_KEYS_OLD",
        "ENCRYPTION_KEY_NEXT",
    ];
    for (name, key) in names.into_iter().zip(keys) {
        worker.tell(name, key);
    }
    worker.stop().await;
}

/// Kills the first worker while some keys are sealed anew and others are not; false if it was too quick.
async fn kill_in_the_middle(stage: &Stage, before: &Keyring) -> Result<bool> {
    let at_first = left(stage, before).await?;
    let began = Instant::now();
    let mut now = at_first;
    while now == at_first && at_first > 0 && began.elapsed() < Duration::from_secs(30) {
        sleep(Duration::from_millis(10)).await;
        now = left(stage, before).await?;
    }
    let mut worker = stage.workers[0].lock().await;
    worker.kill().await?;
    let after = left(stage, before).await?;
    say(&format!("killed with {after} of {at_first} keys left"));
    worker.start().await?;
    Ok(0 < after && after < at_first)
}

/// Gives deactivated shops another key.
async fn enter(stage: &Stage, rows: &Rows, ring: &Keyring) -> Result<HashMap<Uuid, String>> {
    let deactivated = stage
        .truth
        .rows("SELECT public_id FROM sellers WHERE NOT is_active")
        .await?;
    let mut entered = HashMap::new();
    for row in deactivated {
        let id: Uuid = row.get(0).context("a shop without an id")?.parse()?;
        let row = rows.find(id).context("a foreign shop")?;
        let key = format!("entered-{id}");
        let sealed = ring.seal(key_place(row.tenant, id), &key.clone().into());
        let sql = format!("UPDATE sellers SET sealed_key = '{sealed}' WHERE public_id = '{id}'");
        stage.truth.run(&sql).await?;
        entered.insert(id, key);
    }
    Ok(entered)
}

/// Counts polls, and makes the sealing anew slow enough to be hit.
async fn watch(stage: &Stage, shops: u64) -> Result<()> {
    let lanes = 3;
    let pause = LASTS.as_secs_f64() / (shops / lanes) as f64;
    let sql = format!(
        "CREATE TABLE failed_polls (error text); \
         CREATE FUNCTION note_failed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO failed_polls VALUES (NEW.sync_error); RETURN NEW; END $$; \
         CREATE SEQUENCE polls MINVALUE 0; \
         CREATE FUNCTION note_good() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM nextval('polls'); RETURN NEW; END $$; \
         CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM pg_sleep({pause}); RETURN NEW; END $$; \
         CREATE TRIGGER failed AFTER UPDATE ON sellers FOR EACH ROW \
             WHEN (NEW.failures > OLD.failures) EXECUTE FUNCTION note_failed(); \
         CREATE TRIGGER good AFTER UPDATE ON sellers FOR EACH ROW \
             WHEN (NEW.last_sync_at IS DISTINCT FROM OLD.last_sync_at) EXECUTE FUNCTION note_good(); \
         CREATE TRIGGER slow BEFORE UPDATE ON sellers FOR EACH ROW \
             WHEN (NEW.sealed_key <> OLD.sealed_key) EXECUTE FUNCTION be_slow();"
    );
    stage.truth.run(&sql).await
}

/// Leaves the stage as it was: no worker runs, and each will know the first key only.
async fn unwatch(stage: &Stage, key: &str) -> Result<()> {
    for worker in 0..stage.workers.len() {
        stop(stage, worker, [key, "", ""]).await;
    }
    let sql = "DROP TRIGGER failed ON sellers; DROP TRIGGER good ON sellers; \
         DROP TRIGGER slow ON sellers; DROP FUNCTION note_failed, note_good, be_slow; \
         DROP TABLE failed_polls; DROP SEQUENCE polls; UPDATE sellers SET is_active = true";
    stage.truth.run(sql).await
}

fn sealed_with(ring: &Keyring) -> String {
    let id = ring.ids().next().map_or("", |(id, _)| id);
    format!("split_part(sealed_key, '.', 2) = '{id}'")
}

fn none_left(ring: &Keyring) -> String {
    format!(
        "SELECT count(*) = 0 FROM sellers WHERE {}",
        sealed_with(ring)
    )
}

async fn left(stage: &Stage, ring: &Keyring) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM sellers WHERE {}", sealed_with(ring));
    stage.truth.count(&sql).await
}

/// Waits until every active shop has been polled once more; counts those that were not.
async fn not_polled_from_now_on(stage: &Stage) -> Result<u64> {
    let now = stage.truth.rows("SELECT now()").await?;
    let now = now.first().and_then(|row| row.get(0)).context("no time")?;
    let missing = format!(
        "FROM sellers WHERE is_active AND (last_sync_at IS NULL OR last_sync_at < '{now}')"
    );
    wait(stage, &format!("SELECT count(*) = 0 {missing}")).await?;
    stage
        .truth
        .count(&format!("SELECT count(*) {missing}"))
        .await
}

async fn not_opened(
    stage: &Stage,
    rows: &Rows,
    entered: &HashMap<Uuid, String>,
    only_new: &Keyring,
) -> Result<u64> {
    let stored = stage
        .truth
        .rows("SELECT public_id, sealed_key FROM sellers")
        .await?;
    let mut opened = 0;
    for found in stored {
        let id: Uuid = found.get(0).context("a shop without an id")?.parse()?;
        let row = rows.find(id).context("a foreign shop")?;
        let expected = entered.get(&id).unwrap_or(&row.shop.api_key);
        let key = only_new.open(
            key_place(row.tenant, row.public_id),
            found.get(1).unwrap_or_default(),
        );
        opened += u64::from(key.is_ok_and(|key| key.expose_secret() == expected));
    }
    Ok(rows.len() - opened)
}
