//! The product's programs on a stage: where they are and what their environment says.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use stack::log::Log;
use stack::program::{Ending, Program};
use stack::{ports, redis, secrets};

use super::Cast;

/// Where everybody listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) postgres: u16,
    pub(super) redis: u16,
    pub(super) sandbox: u16,
    pub(super) api: u16,
}

impl Ports {
    /// Ports on which nobody listens.
    pub(super) fn free() -> Result<Self> {
        Ok(Self {
            postgres: ports::free()?,
            redis: ports::free()?,
            sandbox: ports::free()?,
            api: ports::free()?,
        })
    }
}

/// The programs and their environment.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) database_url: String,
    pub(super) encryption_key: String,
    bin: PathBuf,
    env: Vec<(String, String)>,
}

impl Product {
    /// The product of a stage.
    pub(super) fn new(
        cast: &Cast,
        ports: &Ports,
        database_url: String,
        folder: &Path,
    ) -> Result<Self> {
        let encryption_key = secrets::random()?;
        let keys = [
            ("DATABASE_URL", database_url.clone()),
            ("ENCRYPTION_KEY", encryption_key.clone()),
            ("JWT_SECRET", secrets::random()?),
            ("AUTH_TOKEN_SECRET", secrets::random()?),
        ];
        let env = keys
            .into_iter()
            .chain(places(ports, folder))
            .chain(ways(cast))
            .chain(cast.waits.variables());
        Ok(Self {
            bin: take_programs(folder)?,
            env: env.map(|(name, value)| (name.to_owned(), value)).collect(),
            database_url,
            encryption_key,
        })
    }

    /// One of the programs.
    pub(super) fn program(&self, name: &'static str, log: Log) -> Program {
        Program {
            name,
            path: self.bin.join(name),
            args: Vec::new(),
            env: self.env.clone(),
            log,
            user: None,
            folder: None,
            ending: Ending::DRAINS,
        }
    }
}

fn places(ports: &Ports, folder: &Path) -> [(&'static str, String); 11] {
    let sandbox = format!("http://127.0.0.1:{}", ports.sandbox);
    [
        ("APP_HOST", "127.0.0.1".to_owned()),
        ("APP_PORT", ports.api.to_string()),
        ("APP_BASE_URL", format!("http://127.0.0.1:{}", ports.api)),
        ("REDIS_URL", redis::url(ports.redis)),
        ("OZON_BASE_URL", format!("{sandbox}/ozon")),
        ("WILDBERRIES_BASE_URL", format!("{sandbox}/wildberries")),
        ("YANDEX_MARKET_BASE_URL", format!("{sandbox}/yandex")),
        ("SANDBOX_PORT", ports.sandbox.to_string()),
        ("STATE_DIR", folder.to_string_lossy().into_owned()),
        (
            "FILES_DIR",
            folder.join("files").to_string_lossy().into_owned(),
        ),
        ("RUST_BACKTRACE", "1".to_owned()),
    ]
}

fn ways(cast: &Cast) -> [(&'static str, String); 6] {
    [
        ("APP_ENV", "dev".to_owned()),
        ("LOG_LEVEL", "info".to_owned()),
        ("JWT_EXPIRE_MINUTES", "600".to_owned()),
        ("POLL_INTERVAL_SECONDS", cast.poll_interval_s.to_string()),
        ("SANDBOX_SEED", cast.seed.to_string()),
        ("SANDBOX_BUYERS_PER_MINUTE", "0".to_owned()),
    ]
}

/// Takes the built programs, which stand beside this one: whoever builds meanwhile does not change the run.
fn take_programs(folder: &Path) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let built = own.parent().context("this program is nowhere")?;
    let bin = folder.join("bin");
    std::fs::create_dir(&bin)?;
    for name in ["api", "worker", "sandbox"] {
        let (from, to) = (built.join(name), bin.join(name));
        if std::fs::hard_link(&from, &to).is_err() {
            std::fs::copy(&from, &to)
                .with_context(|| format!("{} is not built", from.display()))?;
        }
    }
    Ok(bin)
}
