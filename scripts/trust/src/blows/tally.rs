//! How many blows hit work in flight: told by leases that their holders could not give back.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Blow;
use crate::stage::Stage;
use crate::truth::Truth;

/// What the blows did.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By kind: dealt, and met work in flight.
    pub by_kind: BTreeMap<&'static str, (u64, u64)>,
}

impl Tally {
    /// Blows that met work in flight.
    pub fn hits(&self) -> u64 {
        self.by_kind.values().map(|(_, hits)| hits).sum()
    }

    /// For the figure's line.
    pub fn to_json(&self) -> Value {
        let by_kind = self.by_kind.iter();
        by_kind
            .map(|(kind, (dealt, hits))| ((*kind).to_owned(), json!({"dealt": dealt, "hit": hits})))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// From now on PostgreSQL notes when a lease is taken over that nobody gave back.
pub async fn watch_leases(stage: &Stage) -> Result<()> {
    let lease = stage.waits.lease.as_millis();
    let mut sql = format!(
        "CREATE TABLE trust_takeovers (renewed_at float8, taken_at float8); \
         CREATE FUNCTION trust_note_takeover() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.lease_token <> OLD.lease_token THEN \
                 INSERT INTO trust_takeovers VALUES ( \
                     extract(epoch FROM OLD.lease_until) - {lease} / 1000.0, \
                     extract(epoch FROM clock_timestamp())); \
             END IF; RETURN NEW; END $$;"
    );
    for table in ["sellers", "chats"] {
        sql.push_str(&format!(
            "CREATE TRIGGER trust_note_takeover BEFORE UPDATE ON {table} \
             FOR EACH ROW EXECUTE FUNCTION trust_note_takeover();"
        ));
    }
    stage.truth.run(&sql).await
}

/// Says which of the blows hit; asked when everything that was broken off has been taken over.
pub async fn tally(truth: &Truth, blows: &[Blow]) -> Result<Tally> {
    let mut blows = blows.to_vec();
    blows.sort_by(|a, b| a.at.total_cmp(&b.at));
    let sql = "SELECT renewed_at, taken_at FROM trust_takeovers";
    for row in truth.rows(sql).await? {
        let time = |column| -> Option<f64> { row.get(column)?.parse().ok() };
        let (renewed, taken) = time(0)
            .zip(time(1))
            .context("a takeover without its times")?;
        // The first blow after the holder's last sign of life was it.
        let blow = blows
            .iter_mut()
            .find(|blow| blow.leaves_leases && (renewed..=taken).contains(&blow.at));
        if let Some(blow) = blow {
            blow.hit = true;
        }
    }
    let mut tally = Tally::default();
    for blow in blows {
        let (dealt, hits) = tally.by_kind.entry(blow.kind).or_default();
        *dealt += 1;
        *hits += u64::from(blow.hit);
    }
    Ok(tally)
}
