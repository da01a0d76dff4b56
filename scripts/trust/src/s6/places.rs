//! Where secrets could come out: logs, metrics, all of Redis, every row, every answer.

use anyhow::{Context, Result};

use super::canaries::Canaries;
use super::doors::Visitor;
use crate::clients::cache::Cache;
use crate::stage::Stage;

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Log,
    Metrics,
    Redis,
    Table,
    /// An answer of the api.
    Answer,
    /// An answer of the api that signs somebody in.
    SignIn,
}

/// A place and all its bytes.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

/// All places as they are now.
pub(super) async fn all(stage: &Stage, visitor: &Visitor<'_>) -> Result<Vec<Place>> {
    let mut places = logs(stage)?;
    let metrics = visitor.look("/metrics").await?;
    places.push(Place {
        name: "metrics".to_owned(),
        kind: Kind::Metrics,
        bytes: metrics,
    });
    places.extend(redis(stage).await?);
    places.extend(tables(stage).await?);
    for (path, kind, bytes) in visitor.heard() {
        let sort = if kind == Kind::SignIn {
            "sign-in"
        } else {
            "answer"
        };
        places.push(Place {
            name: format!("{sort} {path}"),
            kind,
            bytes,
        });
    }
    Ok(places)
}

/// Whether what must be full is: what people wrote went through Redis, rows and answers.
pub(super) fn are_filled(places: &[Place], canaries: &Canaries) -> bool {
    let is_in = |kind| {
        let mut of_kind = places.iter().filter(|place| place.kind == kind);
        of_kind.any(|place| canaries.has_text(place))
    };
    let are_logged = |kind| {
        let of_kind = places.iter().filter(|place| place.kind == kind);
        of_kind.map(|place| place.bytes.len()).sum::<usize>() > 1_000
    };
    is_in(Kind::Redis)
        && is_in(Kind::Table)
        && is_in(Kind::Answer)
        && are_logged(Kind::Log)
        && are_logged(Kind::Metrics)
}

/// All logs but the sandbox's: it stands for the world outside.
fn logs(stage: &Stage) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for file in std::fs::read_dir(stage.folder())? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".log") && name != "sandbox.log" {
            places.push(Place {
                name: format!("log {name}"),
                kind: Kind::Log,
                bytes: std::fs::read(&path)?,
            });
        }
    }
    Ok(places)
}

/// Every key with its whole content, not compressed.
async fn redis(stage: &Stage) -> Result<Vec<Place>> {
    let mut cache = Cache::connect(stage.redis_port).await?;
    cache
        .ask(&[b"CONFIG", b"SET", b"rdbcompression", b"no"])
        .await?;
    let keys = cache.ask(&[b"KEYS", b"*"]).await?;
    let mut places = Vec::new();
    for key in keys.list() {
        let key = key.bytes().context("a key without a name")?;
        let dump = cache.ask(&[b"DUMP", key]).await?;
        let mut bytes = key.to_vec();
        bytes.extend_from_slice(dump.bytes().unwrap_or_default());
        places.push(Place {
            name: format!("redis {}", String::from_utf8_lossy(key)),
            kind: Kind::Redis,
            bytes,
        });
    }
    Ok(places)
}

/// Every row of every table, as PostgreSQL writes it.
async fn tables(stage: &Stage) -> Result<Vec<Place>> {
    let tables = "SELECT table_name FROM information_schema.tables \
                  WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    let mut places = Vec::new();
    for table in stage.truth.rows(tables).await? {
        let table = table.get(0).context("a table without a name")?;
        let rows = format!("SELECT of_table::text FROM \"{table}\" of_table");
        let mut bytes = Vec::new();
        for row in stage.truth.rows(&rows).await? {
            bytes.extend_from_slice(row.get(0).unwrap_or_default().as_bytes());
            bytes.push(b'\n');
        }
        places.push(Place {
            name: format!("table {table}"),
            kind: Kind::Table,
            bytes,
        });
    }
    Ok(places)
}
