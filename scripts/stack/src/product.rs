//! The programs of the product and what each is told by its environment.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::environment::Environment;
use crate::log::Log;
use crate::program::{Ending, Program, is_program};
use crate::services::Services;
use crate::settings::Settings;
use crate::state_dir::StateDir;

pub const API: &str = "api";
pub const WORKER: &str = "worker";
pub const SANDBOX: &str = "sandbox";
/// What the sandbox's model takes as its key.
const SANDBOX_LLM_KEY: &str = "sk-sandbox-5f1d0c7e94b84a26";

/// The built programs and their environment.
#[derive(Clone, Debug)]
pub struct Product {
    folder: PathBuf,
    environment: Environment,
}

impl Product {
    /// Takes the programs of a folder, or those beside this one.
    pub fn find(folder: Option<&Path>, environment: Environment) -> Result<Self> {
        let folder = match folder {
            Some(folder) => folder.canonicalize().unwrap_or(folder.to_owned()),
            None => std::env::current_exe()?
                .parent()
                .context("this program is nowhere")?
                .to_owned(),
        };
        for name in [API, WORKER, SANDBOX] {
            if !is_program(&folder.join(name)) {
                bail!("{} is not built", folder.join(name).display());
            }
        }
        Ok(Self {
            folder,
            environment,
        })
    }

    /// Tells the programs where they are and where they listen.
    pub fn tell(&mut self, settings: &Settings, state: &StateDir) {
        let environment = &mut self.environment;
        environment.set("STATE_DIR", state.path().to_string_lossy());
        let files = state.path().join("files");
        environment.add("FILES_DIR", files.to_string_lossy().into_owned());
        environment.set("APP_HOST", settings.listen.ip().to_string());
        environment.set("APP_PORT", settings.listen.port().to_string());
        if environment.get("APP_BASE_URL").is_none() {
            environment.set("APP_BASE_URL", settings.api_url());
        }
        let Some(sandbox) = settings.sandbox_url() else {
            return;
        };
        environment.set("SANDBOX_PORT", settings.sandbox.port().to_string());
        // Also where others are given: a demo never talks to a real marketplace.
        environment.set("OZON_BASE_URL", format!("{sandbox}/ozon"));
        environment.set("WILDBERRIES_BASE_URL", format!("{sandbox}/wildberries"));
        environment.set("YANDEX_MARKET_BASE_URL", format!("{sandbox}/yandex"));
        // A key of one's own asks the real model; the sandbox's is no secret.
        if environment.get("DEEPSEEK_API_KEY").is_none() {
            environment.set("DEEPSEEK_API_URL", format!("{sandbox}/llm/v1"));
            environment.set("DEEPSEEK_API_KEY", SANDBOX_LLM_KEY);
        }
    }

    /// The same programs, told where their servers are.
    pub fn with(&self, services: &Services) -> Self {
        self.at(&services.database_url, &services.redis_url)
    }

    /// The same programs, told of these servers.
    pub fn at(&self, database_url: &str, redis_url: &str) -> Self {
        let mut product = self.clone();
        let environment = &mut product.environment;
        environment.set("DATABASE_URL", database_url);
        environment.set("REDIS_URL", redis_url);
        product
    }

    /// What a step of the api says on its standard output.
    pub async fn ask(&self, args: &[&str]) -> Result<String> {
        let asked = Command::new(self.folder.join(API))
            .args(args)
            .env_clear()
            .envs(self.pairs())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        if !asked.status.success() {
            let problem = String::from_utf8_lossy(&asked.stderr);
            bail!("{}", problem.trim().trim_start_matches("Error: "));
        }
        Ok(String::from_utf8(asked.stdout)?)
    }

    /// A program that serves until it is told to stop.
    pub fn server(&self, name: &'static str, log: Log) -> Program {
        Program {
            name,
            path: self.folder.join(name),
            args: Vec::new(),
            env: self.pairs(),
            log,
            user: None,
            folder: None,
            ending: Ending::DRAINS,
        }
    }

    /// A step of the api that ends by itself.
    pub fn step(&self, name: &'static str, args: &[&str], log: Log) -> Program {
        Program {
            name,
            path: self.folder.join(API),
            args: args.iter().map(Into::into).collect(),
            ..self.server(API, log)
        }
    }

    /// What the programs are told under this name.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name)
    }

    fn pairs(&self) -> Vec<(String, String)> {
        let pairs = self.environment.all();
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}
