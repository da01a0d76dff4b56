//! A whole product of our own: PostgreSQL, Redis, sandbox, api and workers as real processes.

mod product;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use stack::log::Log;
use stack::postgres::Cluster;
use stack::program::Program;
use stack::{database, redis};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::sleep;

use self::product::{Ports, Product};
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
        let (stage, product) = Self::build(&cast).await?;
        stage.start_servers(&product.database_url).await?;
        stage.start_product(&cast, &product).await?;
        say(&format!(
            "stage is up after {:.1} s in {}",
            began.elapsed().as_secs_f64(),
            stage.folder.path().display()
        ));
        Ok(stage)
    }

    async fn build(cast: &Cast) -> Result<(Self, Product)> {
        let folder = tempfile::Builder::new()
            .prefix("trust-")
            .disable_cleanup(true)
            .tempdir()?;
        let log = |name: &str| Log::open(folder.path().join(format!("{name}.log")));
        let cluster = Cluster::open(&folder.path().join("postgres"), log("initdb")?).await?;
        let ports = Ports::free()?;
        let url = cluster.url(ports.postgres, DATABASE);
        let product = Product::new(cast, &ports, url, folder.path())?;
        let process = |program: Program| Mutex::new(Process::new(program));
        let workers = (1..=cast.workers).map(|number| {
            Ok(process(
                product.program("worker", log(&format!("worker-{number}"))?),
            ))
        });
        let stage = Self {
            postgres: process(cluster.server(ports.postgres, &[], log("postgres")?)),
            redis: process(redis::server(ports.redis, log("redis")?)?),
            redis_port: ports.redis,
            sandbox: process(product.program("sandbox", log("sandbox")?)),
            api: process(product.program("api", log("api")?)),
            workers: workers.collect::<Result<_>>()?,
            truth: Truth::new(&product.database_url)?,
            outside: Outside::new(ports.sandbox)?,
            desk: Desk::new(ports.api)?,
            waits: cast.waits,
            encryption_key: product.encryption_key.clone(),
            folder,
        };
        Ok((stage, product))
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

    async fn start_product(&self, cast: &Cast, product: &Product) -> Result<()> {
        common::db::migrate(&product.database_url.clone().into()).await?;
        if cast.has_desk {
            let log = Log::open(self.folder.path().join("seed-demo.log"))?;
            let mut seed = product.program("api", log);
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

    /// Where the logs are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
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
                self.folder.path().display()
            ));
        } else if let Err(error) = std::fs::remove_dir_all(self.folder.path()) {
            say(&format!("{} stays: {error}", self.folder.path().display()));
        }
    }
}
