//! The servers under the product: started by us unless the addresses of others are given.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{sleep, timeout};

use crate::log::Log;
use crate::postgres::Cluster;
use crate::state_dir::StateDir;
use crate::supervisor::Supervisor;
use crate::{database, ports, postgres, redis};

const POLL: Duration = Duration::from_millis(20);
/// Recovery after a crash takes its time.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// A server whose predecessor is not quite gone dies a few times (200 ms apart) before it finds its place free.
const DEATHS: u32 = 25;

/// Which servers are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// A PostgreSQL of others.
    pub database_url: Option<&'a str>,
    /// A Redis of others.
    pub redis_url: Option<&'a str>,
    /// The database in a PostgreSQL of our own.
    pub database: &'a str,
    /// Settings for a PostgreSQL of our own.
    pub settings: &'a [&'a str],
}

/// The addresses of servers that answer.
#[derive(Clone, Debug)]
pub struct Services {
    pub database_url: String,
    pub redis_url: String,
}

impl Services {
    /// Starts what is not given and waits until both answer and the database exists.
    pub async fn start(
        supervisor: &mut Supervisor,
        state: &StateDir,
        wanted: Wanted<'_>,
    ) -> Result<Self> {
        let redis = match wanted.redis_url {
            Some(url) => Server::of_others(url),
            None => Server::redis(supervisor, state)?,
        };
        let postgres = match wanted.database_url {
            Some(url) => Server::of_others(url),
            None => Server::postgres(supervisor, state, wanted).await?,
        };
        tokio::try_join!(
            redis_ready(&redis, supervisor),
            postgres_ready(&postgres, supervisor)
        )?;
        Ok(Self {
            database_url: postgres.url,
            redis_url: redis.url,
        })
    }
}

struct Server {
    url: String,
    /// Its name and log, if it is ours.
    ours: Option<(&'static str, Log)>,
}

impl Server {
    fn of_others(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ours: None,
        }
    }

    fn redis(supervisor: &mut Supervisor, state: &StateDir) -> Result<Self> {
        let (port, log) = (ports::free()?, state.log(redis::NAME)?);
        supervisor.start(redis::server(port, log.clone())?);
        Ok(Self {
            url: redis::url(port),
            ours: Some((redis::NAME, log)),
        })
    }

    async fn postgres(
        supervisor: &mut Supervisor,
        state: &StateDir,
        wanted: Wanted<'_>,
    ) -> Result<Self> {
        let cluster = Cluster::open(&state.join("postgres"), state.log("initdb")?).await?;
        let (port, log) = (ports::free()?, state.log(postgres::NAME)?);
        supervisor.start(cluster.server(port, wanted.settings, log.clone()));
        Ok(Self {
            url: cluster.url(port, wanted.database),
            ours: Some((postgres::NAME, log)),
        })
    }

    /// Waits until this server, if it is ours, answers.
    async fn started(
        &self,
        supervisor: &Supervisor,
        answers: impl AsyncFn(&str) -> bool,
    ) -> Result<()> {
        let Some((name, log)) = &self.ours else {
            return Ok(());
        };
        let answered = async {
            while !answers(&self.url).await {
                sleep(POLL).await;
            }
        };
        tokio::select! {
            in_time = timeout(STARTS_WITHIN, answered) => {
                in_time.with_context(|| format!("{name} does not answer: {}", log.tail()))
            }
            () = supervisor.died(name, DEATHS) => bail!("{name} did not start: {}", log.tail()),
        }
    }
}

async fn redis_ready(server: &Server, supervisor: &Supervisor) -> Result<()> {
    server.started(supervisor, redis::answers).await?;
    match timeout(ANSWERS_WITHIN, redis::answers(&server.url)).await {
        Ok(true) => Ok(()),
        _ => bail!("REDIS_URL: no server answers there"),
    }
}

async fn postgres_ready(server: &Server, supervisor: &Supervisor) -> Result<()> {
    server.started(supervisor, database::answers).await?;
    database::create_if_absent(&server.url)
        .await
        .context("DATABASE_URL")
}
