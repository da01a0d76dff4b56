//! Asks PostgreSQL whether it is there, and creates the product's database where it is not.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

/// The longest wait for a server that does not answer at all.
const CONNECT: Duration = Duration::from_secs(5);

/// Whether the server takes connections, even if it does not have this database.
pub async fn answers(url: &str) -> bool {
    match with_client(&config(url), "SELECT 1").await {
        Ok(()) => true,
        Err(error) => error.code() == Some(&SqlState::INVALID_CATALOG_NAME),
    }
}

/// Creates the database of this address if its server does not have it.
pub async fn create_if_absent(url: &str) -> Result<()> {
    let config = config(url);
    match with_client(&config, "SELECT 1").await {
        Err(error) if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) => {}
        tried => return tried.map_err(reason),
    }
    let name = config.get_dbname().unwrap_or_default().replace('"', "\"\"");
    let mut server = config.clone();
    server.dbname("postgres");
    let created = with_client(&server, &format!("CREATE DATABASE \"{name}\"")).await;
    created
        .map_err(reason)
        .with_context(|| format!("cannot create the database {name}"))
}

fn config(url: &str) -> Config {
    // The address was checked when it was read; an empty one fails to connect and says so.
    let mut config = Config::from_str(url).unwrap_or_default();
    config.connect_timeout(CONNECT);
    config
}

async fn with_client(config: &Config, statement: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    let work = async move {
        let client: Client = client;
        client.batch_execute(statement).await
    };
    // The connection ends when the client, dropped by its work, hangs up.
    let (done, _) = tokio::join!(work, connection);
    done
}

/// The innermost cause, which says what happened in a few words.
fn reason(error: tokio_postgres::Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(refusal) => anyhow!("{}", refusal.message().to_owned()),
        None => {
            let error = anyhow::Error::new(error);
            anyhow!("{}", error.root_cause())
        }
    }
}
