//! What PostgreSQL really holds, asked as its superuser and never through the product.

use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::sleep;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage, SimpleQueryRow};

/// How long a question is asked again while the server is away.
const PATIENCE: Duration = Duration::from_secs(60);

/// The database, across its restarts.
#[derive(Clone, Debug)]
pub struct Truth {
    config: Config,
}

impl Truth {
    /// The database at an address.
    pub fn new(url: &str) -> Result<Self> {
        let mut config = Config::from_str(url)?;
        config.connect_timeout(Duration::from_secs(5));
        Ok(Self { config })
    }

    /// The rows of a question that changes nothing.
    pub async fn rows(&self, sql: &str) -> Result<Vec<SimpleQueryRow>> {
        let began = Instant::now();
        loop {
            match self.once(sql).await {
                Ok(rows) => return Ok(rows),
                Err(error) if error.as_db_error().is_some_and(|it| !is_passing(it)) => {
                    return Err(error).with_context(|| sql.to_owned());
                }
                Err(error) if began.elapsed() > PATIENCE => {
                    return Err(error).context("PostgreSQL stays away");
                }
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// The same, once: fails if the server is away.
    pub async fn once(&self, sql: &str) -> Result<Vec<SimpleQueryRow>, tokio_postgres::Error> {
        let (client, connection) = self.config.connect(NoTls).await?;
        let work = async move {
            let client = client;
            client.simple_query(sql).await
        };
        let (answer, _) = tokio::join!(work, connection);
        let rows = answer?.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// A single number.
    pub async fn count(&self, sql: &str) -> Result<u64> {
        let rows = self.rows(sql).await?;
        number(rows.first()).with_context(|| format!("no number: {sql}"))
    }

    /// The same, if the server is there.
    pub async fn count_once(&self, sql: &str) -> Option<u64> {
        let rows = self.once(sql).await.ok()?;
        number(rows.first())
    }

    /// Carries out statements.
    pub async fn run(&self, sql: &str) -> Result<()> {
        self.rows(sql).await.map(drop)
    }
}

fn number(row: Option<&SimpleQueryRow>) -> Option<u64> {
    row?.get(0)?.parse().ok()
}

/// Starting up, shutting down, or killed in the middle.
fn is_passing(error: &tokio_postgres::error::DbError) -> bool {
    let code = error.code().code();
    code.starts_with("57")
        || code.starts_with("08")
        || code.starts_with("53")
        || code.starts_with("40")
}
