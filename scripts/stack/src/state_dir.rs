//! The folder of one world: locked while it runs, and the only place where it forgets anything.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::log::Log;

/// What a world keeps in its folder; `--fresh` removes these and nothing else.
const CONTENTS: [&str; 6] = ["env", "files", "logs", "postgres", "run.json", "sandbox"];

/// The folder, ours as long as this value lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// It was one before: there may be something to forget.
    known: bool,
    _lock: File,
}

impl StateDir {
    /// Creates the folder if need be and takes it for this process.
    pub fn take(path: &Path) -> Result<Self> {
        let must = |error: std::io::Error| {
            format!(
                "STATE_DIR must be a folder to write to: {}: {error}",
                path.display()
            )
        };
        let made = std::fs::create_dir_all(path).and_then(|()| path.canonicalize());
        let path = made.map_err(|error| anyhow::anyhow!(must(error)))?;
        if std::env::current_dir()?.starts_with(&path) {
            bail!("STATE_DIR must be a folder of its own, not one with sources in it");
        }
        let known = path.join("lock").exists();
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(|error| anyhow::anyhow!(must(error)))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path,
                known,
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => bail!(
                "another one runs with this STATE_DIR already: {}",
                path.display()
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// The absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder of this world.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens the log of a child.
    pub fn log(&self, name: &str) -> Result<Log> {
        let folder = self.join("logs");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Log::open(folder.join(format!("{name}.log")))
    }

    /// Removes what a world keeps here. A link goes, what it points to stays.
    pub fn forget(&self) -> Result<()> {
        for name in CONTENTS.iter().filter(|_| self.known) {
            let path = self.join(name);
            remove(&path).with_context(|| format!("cannot forget {}", path.display()))?;
        }
        Ok(())
    }
}

/// Removes a file, a link or a folder, if there is one.
pub fn remove(path: &Path) -> std::io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_to_take_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateDir::take(folder.path()).unwrap();
        let problem = StateDir::take(folder.path()).unwrap_err().to_string();
        assert!(
            problem.starts_with("another one runs with this STATE_DIR"),
            "{problem}"
        );
        drop(first);
        StateDir::take(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_a_wrong_variable() {
        let problem = StateDir::take(Path::new("/dev/null/world"))
            .unwrap_err()
            .to_string();
        assert!(
            problem.starts_with("STATE_DIR must be a folder to write to"),
            "{problem}"
        );
    }

    #[test]
    fn a_folder_that_was_somebody_elses_is_not_emptied() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("files")).unwrap();
        StateDir::take(folder.path()).unwrap().forget().unwrap();
        assert!(folder.path().join("files").exists());
        for around in [".", "..", "/"] {
            let problem = StateDir::take(Path::new(around)).unwrap_err().to_string();
            assert!(
                problem.starts_with("STATE_DIR must be a folder of its own"),
                "{problem}"
            );
        }
    }

    #[test]
    fn forgetting_stays_inside() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("precious"), "").unwrap();
        let folder = tempfile::tempdir().unwrap();
        drop(StateDir::take(folder.path()).unwrap());
        let world = StateDir::take(folder.path()).unwrap();
        std::os::unix::fs::symlink(outside.path(), world.join("sandbox")).unwrap();
        std::fs::create_dir_all(world.join("postgres/data")).unwrap();
        std::os::unix::fs::symlink(outside.path(), world.join("postgres/data/pg_wal")).unwrap();
        std::fs::write(world.join("env"), "").unwrap();
        std::fs::write(world.join("notes.txt"), "mine").unwrap();
        world.forget().unwrap();
        assert!(outside.path().join("precious").exists());
        assert!(world.join("notes.txt").exists());
        for gone in ["sandbox", "postgres", "env"] {
            assert!(
                std::fs::symlink_metadata(world.join(gone)).is_err(),
                "{gone}"
            );
        }
    }
}
