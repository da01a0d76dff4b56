//! `run.json`: where everything of a running world is, for scripts and tests.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::product::{API, SANDBOX, WORKER};
use crate::supervisor::Lives;
use crate::{postgres, redis, secrets, state_dir};

const PROGRAMS: [&str; 5] = [API, WORKER, SANDBOX, postgres::NAME, redis::NAME];

/// A running world, but for its processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct World {
    /// The process that keeps the others running.
    pub supervisor: u32,
    /// How often api and worker were started again because somebody asked for it.
    pub restarts: u32,
    pub api: String,
    /// None where the outside world is real.
    pub sandbox: Option<String>,
    pub database_url: String,
    pub redis_url: String,
    /// The model that the demo asks; none where the outside world is real.
    pub deepseek_api_url: Option<String>,
    pub deepseek_api_key: Option<String>,
    #[serde(skip_deserializing)]
    pub logins: Vec<Login>,
}

/// Somebody who may sign in to the demo.
#[derive(Clone, Debug, Serialize)]
pub struct Login {
    pub tenant: &'static str,
    pub email: &'static str,
    pub password: &'static str,
    pub role: &'static str,
}

/// The file, removed when the world ends.
#[derive(Debug)]
pub struct RunFile(PathBuf);

impl RunFile {
    /// Takes the place of the file and removes what an earlier run left there.
    pub fn take(path: PathBuf) -> Result<Self> {
        let file = Self(path);
        state_dir::remove(&file.0)
            .with_context(|| format!("cannot remove {}", file.0.display()))?;
        Ok(file)
    }

    /// Replaces the file by rename: a reader sees the old or the new one, never half of it.
    pub fn write(&self, world: &World, lives: &Lives) -> Result<()> {
        let mut content = serde_json::to_value(world)?;
        content["pids"] = pids(lives);
        let text = format!("{content:#}\n");
        replace(&self.0, &text).with_context(|| format!("cannot write {}", self.0.display()))
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // A file that cannot be removed says what is no longer true; there is nobody left to tell.
        state_dir::remove(&self.0).ok();
    }
}

/// The process of each program; null for what is not ours.
pub fn pids(lives: &Lives) -> serde_json::Value {
    let pid = |name| lives.get(name).and_then(|life| life.pid);
    PROGRAMS.iter().map(|name| (*name, pid(name))).collect()
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("json.new");
    // It holds the password of the database.
    secrets::private(File::options().write(true).truncate(true), &new)?
        .write_all(text.as_bytes())?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::supervisor::Life;

    #[test]
    fn the_file_is_replaced_by_rename_and_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        std::fs::write(&path, "stale").unwrap();
        let file = RunFile::take(path.clone()).unwrap();
        assert!(!path.exists());
        let world = World {
            supervisor: 1,
            restarts: 0,
            api: "http://127.0.0.1:8000".to_owned(),
            sandbox: None,
            database_url: String::new(),
            redis_url: String::new(),
            deepseek_api_url: None,
            deepseek_api_key: None,
            logins: Vec::new(),
        };
        let mut lives = Lives::new();
        lives.insert(
            API,
            Life {
                pid: Some(7),
                ..Life::default()
            },
        );
        file.write(&world, &lives).unwrap();
        let opened = File::open(&path).unwrap();
        lives.entry(API).or_default().pid = Some(8);
        file.write(&world, &lives).unwrap();
        let old: serde_json::Value = serde_json::from_reader(&opened).unwrap();
        let new: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            (&old["pids"]["api"], &new["pids"]["api"]),
            (&7.into(), &8.into())
        );
        assert_eq!(new["pids"]["postgres"], serde_json::Value::Null);
        assert_ne!(
            opened.metadata().unwrap().ino(),
            path.metadata().unwrap().ino()
        );
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        drop(file);
        assert!(!path.exists());
    }
}
