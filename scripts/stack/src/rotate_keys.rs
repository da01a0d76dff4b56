//! Gives the shops' keys of a running world a new encryption key, without a poll that fails.
//!
//! The file of keys says how far it is, so it may be ended at any line and begun again.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::environment::Environment;
use crate::options::RotateOptions;
use crate::product::Product;
use crate::program::pid;
use crate::run_file::World;
use crate::secrets::{self, KEY, NEXT, OLD};
use crate::settings;
use crate::terminal::say;

const POLL: Duration = Duration::from_millis(200);
/// A restart takes as long as api and worker need to end what they do.
const RESTARTED_WITHIN: Duration = Duration::from_secs(120);
/// The worker looks for work every few seconds: without any progress for so long, something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shows which keys are in use, or rotates them.
pub async fn rotate_keys(options: RotateOptions) -> Result<()> {
    let environment = Environment::of_process_and_file()?;
    let state = settings::state_dir(&environment);
    let running = Running {
        file: state.join("env"),
        run_file: state.join("run.json"),
        lock: state.join("lock"),
        environment,
        programs: options.programs,
    };
    if options.status {
        say(running.keys().await?.trim_end());
        return Ok(());
    }
    running.check()?;
    running.rotate().await
}

/// The world whose keys are rotated.
struct Running {
    /// Where its keys are kept.
    file: PathBuf,
    run_file: PathBuf,
    lock: PathBuf,
    /// What this process and `.env` say.
    environment: Environment,
    programs: Option<PathBuf>,
}

impl Running {
    /// Refuses what this cannot do.
    fn check(&self) -> Result<()> {
        if let Some(name) = [KEY, OLD, NEXT]
            .into_iter()
            .find(|name| self.environment.get(name).is_some())
        {
            bail!(
                "{name} is set in the environment or in .env: change it there (--steps says how)"
            );
        }
        if self.world()?.is_none() {
            bail!(
                "nothing runs with STATE_DIR {}: start scripts/run first",
                self.place()
            );
        }
        Ok(())
    }

    async fn rotate(&self) -> Result<()> {
        say(self.keys().await?.trim_end());
        let mut is_begun = false;
        loop {
            let kept = self.kept()?;
            let current = kept.get(KEY).context("there is no key to rotate")?;
            if kept.get(OLD).is_some() {
                self.restart("seals with the new key, opens with both")
                    .await?;
                self.wait_until_unused().await?;
                secrets::change(&self.file, &[(OLD, None)])?;
                self.restart("knows only the new key").await?;
            } else if let Some(next) = kept.get(NEXT) {
                self.restart("opens with the new key, too").await?;
                let changes = [(KEY, Some(next)), (OLD, Some(current)), (NEXT, None)];
                secrets::change(&self.file, &changes)?;
            } else if is_begun {
                break;
            } else {
                secrets::change(&self.file, &[(NEXT, Some(&secrets::random()?))])?;
            }
            is_begun = true;
        }
        say(self.keys().await?.trim_end());
        say("done: the old key opens nothing any more, except in backups");
        Ok(())
    }

    /// Has api and worker started again with the keys of the file.
    async fn restart(&self, from_now_on: &str) -> Result<()> {
        let world = self.world()?.context("scripts/run has ended meanwhile")?;
        let supervisor = pid(world.supervisor).context("run.json names no process")?;
        kill_process(supervisor, Signal::USR1)?;
        let until = Instant::now() + RESTARTED_WITHIN;
        loop {
            sleep(POLL).await;
            let now = self.world()?.context("scripts/run has ended meanwhile")?;
            if now.restarts > world.restarts {
                break;
            }
            if Instant::now() > until {
                bail!("api and worker were not started again: see what scripts/run says");
            }
        }
        say(&format!("restarted: the product {from_now_on}"));
        Ok(())
    }

    /// Waits until no shop needs an old key; one that does keeps it here.
    async fn wait_until_unused(&self) -> Result<()> {
        let (mut least, mut since) = (u64::MAX, Instant::now());
        loop {
            let left = shops_of("old", &self.keys().await?)?;
            if left == 0 {
                return Ok(());
            }
            if left < least {
                (least, since) = (left, Instant::now());
                say(&format!("shops still to be sealed anew: {left}"));
            }
            if since.elapsed() > PATIENCE {
                bail!(
                    "{left} shops still need the old key, so it stays in {}: see logs/worker.log, \
                     then run this again",
                    self.file.display()
                );
            }
            sleep(POLL).await;
        }
    }

    /// What the api says of the keys in use; without a running world, with our own variables.
    async fn keys(&self) -> Result<String> {
        let mut environment = self.environment.clone();
        let world = self.world()?;
        if world.is_some() {
            secrets::complete(&mut environment, &self.file)?;
        }
        let mut product = Product::find(self.programs.as_deref(), environment)?;
        if let Some(world) = world {
            product = product.at(&world.database_url, &world.redis_url);
        }
        product.ask(&["keys"]).await
    }

    fn kept(&self) -> Result<Environment> {
        let mut kept = Environment::default();
        kept.add_file(&self.file)?;
        Ok(kept)
    }

    /// The world that runs here, if one does: its folder is locked, and its file is written when it is ready.
    fn world(&self) -> Result<Option<World>> {
        let Ok(lock) = File::open(&self.lock) else {
            return Ok(None);
        };
        if !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            return Ok(None);
        }
        let text = std::fs::read(&self.run_file)
            .with_context(|| format!("scripts/run is not ready: {}", self.run_file.display()))?;
        Ok(Some(serde_json::from_slice(&text)?))
    }

    fn place(&self) -> String {
        let folder = self.file.parent().unwrap_or(&self.file);
        folder.display().to_string()
    }
}

/// How many shops the keys of one use have sealed, by the table that the api prints.
fn shops_of(used_as: &str, table: &str) -> Result<u64> {
    let mut shops = 0;
    for line in table.lines().skip(1) {
        let [_, role, count] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            bail!("unexpected answer of the api: {line}");
        };
        if role == used_as {
            shops += count.parse::<u64>()?;
        }
    }
    Ok(shops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shops_are_counted_by_the_use_of_their_key() {
        let table = "key       used as  shops\naaaaaaaa  current  7\nbbbbbbbb  old      2\n\
                     cccccccc  old      3\ndddddddd  missing  1\n";
        assert_eq!(shops_of("old", table).unwrap(), 5);
        assert_eq!(shops_of("next", table).unwrap(), 0);
        assert!(shops_of("old", "key\nsomething else happened here").is_err());
    }
}
