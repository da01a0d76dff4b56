//! A whole product of our own: PostgreSQL, Redis, sandbox, api and workers as real processes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use stack::log::Log;
use stack::postgres::Cluster;
use stack::program::{Ending, Program};
use stack::{database, ports, redis, secrets};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::clients::desk::Desk;
use crate::clients::outside::Outside;
use crate::figure::say;
use crate::process::Process;
use crate::settings::Waits;
use crate::truth::Truth;

const DATABASE: &str = "chat_center";
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// The processes and those who talk to them.
#[derive(Debug)]
pub struct Stage {
    folder: TempDir,
    pub postgres: Mutex<Process>,
    pub redis: Mutex<Process>,
    pub redis_port: u16,
    pub sandbox: Mutex<Process>,
    pub api: Mutex<Process>,
    pub workers: Vec<Mutex<Process>>,
    pub truth: Truth,
    pub outside: Outside,
    pub desk: Desk,
    pub waits: Waits,
    pub encryption_key: String,
}

/// What differs from stage to stage.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    pub workers: usize,
    pub waits: Waits,
    pub seed: u64,
    /// The longest pause between two polls of a quiet shop, in seconds.
    pub poll_interval_s: u64,
    /// Whether somebody signs in to the api.
    pub has_desk: bool,
}

impl Stage {
    /// Starts everything and signs in.
    pub async fn open(cast: Cast) -> Result<Self> {
        let began = Instant::now();
        let folder = tempfile::Builder::new().prefix("trust-").tempdir()?;
        let log = |name: &str| Log::open(folder.path().join(format!("{name}.log")));
        let cluster = Cluster::open(&folder.path().join("postgres"), log("initdb")?).await?;
        let (postgres_port, redis_port) = (ports::free()?, ports::free()?);
        let (sandbox_port, api_port) = (ports::free()?, ports::free()?);
        let url = cluster.url(postgres_port, DATABASE);
        let encryption_key = secrets::random()?;
        let env = environment(
            &cast,
            &url,
            [redis_port, sandbox_port, api_port],
            &encryption_key,
            folder.path(),
        )?;
        let product = |name: &'static str, log: Log| program(name, &env, log);
        let workers = (1..=cast.workers).map(|number| {
            let log = log(&format!("worker-{number}"))?;
            Ok(Mutex::new(Process::new(product("worker", log)?)))
        });
        let stage = Self {
            postgres: Mutex::new(Process::new(cluster.server(
                postgres_port,
                &[],
                log("postgres")?,
            ))),
            redis: Mutex::new(Process::new(redis::server(redis_port, log("redis")?)?)),
            redis_port,
            sandbox: Mutex::new(Process::new(product("sandbox", log("sandbox")?)?)),
            api: Mutex::new(Process::new(product("api", log("api")?)?)),
            workers: workers.collect::<Result<_>>()?,
            truth: Truth::new(&url)?,
            outside: Outside::new(sandbox_port)?,
            desk: Desk::new(api_port)?,
            waits: cast.waits,
            encryption_key,
            folder,
        };
        stage.start_servers(&url).await?;
        stage.start_product(&cast, &url, &env).await?;
        say(&format!(
            "stage is up after {:.1} s in {}",
            began.elapsed().as_secs_f64(),
            stage.folder.path().display()
        ));
        Ok(stage)
    }

    async fn start_servers(&self, url: &str) -> Result<()> {
        self.postgres.lock().await.start().await?;
        self.redis.lock().await.start().await?;
        self.sandbox.lock().await.start().await?;
        let began = Instant::now();
        while !database::answers(url).await {
            if began.elapsed() > STARTS_WITHIN {
                bail!("PostgreSQL does not answer");
            }
            sleep(Duration::from_millis(20)).await;
        }
        database::create_if_absent(url).await?;
        self.outside.wait_until_up(STARTS_WITHIN).await
    }

    async fn start_product(&self, cast: &Cast, url: &str, env: &[(String, String)]) -> Result<()> {
        common::db::migrate(&url.to_owned().into()).await?;
        if cast.has_desk {
            let log = Log::open(self.folder.path().join("seed-demo.log"))?;
            let mut seed = program("api", env, log)?;
            seed.args = ["seed-demo", "--sandbox", self.outside.url()]
                .map(Into::into)
                .to_vec();
            seed.finish().await?;
            self.api.lock().await.start().await?;
        }
        for worker in &self.workers {
            worker.lock().await.start().await?;
        }
        if cast.has_desk {
            self.desk.wait_until_up(STARTS_WITHIN).await?;
            self.desk.sign_in().await?;
        }
        Ok(())
    }

    /// Starts again whatever died, for ever.
    pub async fn keep_up(&self) -> Result<()> {
        loop {
            for process in self.all() {
                process.lock().await.keep_up().await?;
            }
            sleep(Duration::from_millis(30)).await;
        }
    }

    /// Everything that is down or frozen is up again, and answers.
    pub async fn restore(&self) -> Result<()> {
        for process in self.all() {
            let mut process = process.lock().await;
            if process.is_frozen {
                process.thaw()?;
            }
            process.start().await?;
        }
        self.truth.count("SELECT 1").await?;
        self.desk.wait_until_up(STARTS_WITHIN).await
    }

    /// Processes that ended without anybody's help.
    pub async fn deaths(&self) -> u32 {
        let mut deaths = 0;
        for process in self.all() {
            deaths += process.lock().await.deaths;
        }
        deaths
    }

    fn all(&self) -> impl Iterator<Item = &Mutex<Process>> {
        [&self.postgres, &self.redis, &self.sandbox, &self.api]
            .into_iter()
            .chain(&self.workers)
    }

    /// Ends everything; the folder stays if it is worth a look.
    pub async fn close(self, keep_folder: bool) {
        for process in
            self.workers
                .iter()
                .chain([&self.api, &self.sandbox, &self.redis, &self.postgres])
        {
            let mut process = process.lock().await;
            process.thaw().ok();
            process.stop().await;
        }
        if keep_folder {
            say(&format!(
                "logs are kept in {}",
                self.folder.keep().display()
            ));
        }
    }
}

fn program(name: &'static str, env: &[(String, String)], log: Log) -> Result<Program> {
    Ok(Program {
        name,
        path: programs()?.join(name),
        args: Vec::new(),
        env: env.to_vec(),
        log,
        user: None,
        folder: None,
        ending: Ending::DRAINS,
    })
}

/// Where the built programs are: beside this one.
fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("this program is nowhere")?.to_owned())
}

fn environment(
    cast: &Cast,
    database_url: &str,
    [redis_port, sandbox_port, api_port]: [u16; 3],
    encryption_key: &str,
    folder: &Path,
) -> Result<Vec<(String, String)>> {
    let sandbox = format!("http://127.0.0.1:{sandbox_port}");
    let mut env = vec![
        ("APP_ENV", "dev".to_owned()),
        ("APP_HOST", "127.0.0.1".to_owned()),
        ("APP_PORT", api_port.to_string()),
        ("APP_BASE_URL", format!("http://127.0.0.1:{api_port}")),
        ("DATABASE_URL", database_url.to_owned()),
        ("REDIS_URL", redis::url(redis_port)),
        ("ENCRYPTION_KEY", encryption_key.to_owned()),
        ("JWT_SECRET", secrets::random()?),
        ("AUTH_TOKEN_SECRET", secrets::random()?),
        ("JWT_EXPIRE_MINUTES", "600".to_owned()),
        ("POLL_INTERVAL_SECONDS", cast.poll_interval_s.to_string()),
        ("OZON_BASE_URL", format!("{sandbox}/ozon")),
        ("WILDBERRIES_BASE_URL", format!("{sandbox}/wildberries")),
        ("YANDEX_MARKET_BASE_URL", format!("{sandbox}/yandex")),
        ("SANDBOX_PORT", sandbox_port.to_string()),
        ("SANDBOX_SEED", cast.seed.to_string()),
        ("SANDBOX_BUYERS_PER_MINUTE", "0".to_owned()),
        ("STATE_DIR", folder.to_string_lossy().into_owned()),
        (
            "FILES_DIR",
            folder.join("files").to_string_lossy().into_owned(),
        ),
        ("LOG_LEVEL", "info".to_owned()),
        ("RUST_BACKTRACE", "1".to_owned()),
    ];
    env.extend(cast.waits.variables());
    Ok(env
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}
