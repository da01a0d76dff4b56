//! The log file of one child: appended to, cut when it has grown too long.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const MAX_BYTES: u64 = 50 * 1024 * 1024;
const TAIL_BYTES: u64 = 4096;
const TAIL_LINES: usize = 3;

/// A log file, and where this run's part of it begins.
#[derive(Clone, Debug)]
pub struct Log {
    path: PathBuf,
    begins: u64,
}

impl Log {
    /// Makes the file ready for another run.
    pub fn open(path: PathBuf) -> Result<Self> {
        let length = std::fs::metadata(&path).map_or(0, |file| file.len());
        let mut log = Self {
            path,
            begins: length,
        };
        let file = log
            .writer()
            .with_context(|| format!("cannot write {}", log.path.display()))?;
        if length > MAX_BYTES {
            file.set_len(0)
                .with_context(|| format!("cannot cut {}", log.path.display()))?;
            log.begins = 0;
        }
        Ok(log)
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A handle for a child to append to.
    pub fn writer(&self) -> std::io::Result<File> {
        File::options().create(true).append(true).open(&self.path)
    }

    /// The last lines that this run wrote, in one line, and where to read more.
    pub fn tail(&self) -> String {
        let text = self.read_end().unwrap_or_default();
        let lines: Vec<_> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let last = lines[lines.len().saturating_sub(TAIL_LINES)..].join("; ");
        let path = self.path.display();
        if last.is_empty() {
            return format!("it said nothing (log: {path})");
        }
        format!("{last} (log: {path})")
    }

    fn read_end(&self) -> std::io::Result<String> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(
            self.begins.max(length.saturating_sub(TAIL_BYTES)),
        ))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_tail_is_of_this_run_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.log");
        std::fs::write(&path, "old\n").unwrap();
        let log = Log::open(path.clone()).unwrap();
        let place = format!("(log: {})", path.display());
        assert_eq!(log.tail(), format!("it said nothing {place}"));
        log.writer().unwrap().write_all(b"a\nb\n\nc\nd\n").unwrap();
        assert_eq!(log.tail(), format!("b; c; d {place}"));
    }

    #[test]
    fn a_log_over_50_mb_starts_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.log");
        File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        Log::open(path.clone()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }
}
