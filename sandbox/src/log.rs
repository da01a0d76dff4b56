//! How does the world outlive a kill: an append-only file, written before each answer.

use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::world::Change;

/// The open file, or nothing for a world in memory.
#[derive(Debug, Default)]
pub(crate) struct Log {
    file: Option<File>,
    lines: Vec<u8>,
    is_broken: bool,
}

impl Log {
    /// Opens the file under `folder` and returns the transactions it holds; cuts off a torn last line.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Vec<Vec<Change>>)> {
        create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let path = folder.join("world.jsonl");
        let mut options = OpenOptions::new();
        let opened = options.read(true).append(true).create(true).open(&path);
        let mut file = opened.with_context(|| format!("open {}", path.display()))?;
        if file.try_lock().is_err() {
            bail!("{} is in use by another sandbox", path.display());
        }
        let (changes, length) = read(&mut file)?;
        file.set_len(length)?;
        let log = Self {
            file: Some(file),
            ..Self::default()
        };
        Ok((log, changes))
    }

    /// Lets go of the file; every later write fails.
    pub(crate) fn close(&mut self) {
        self.file = None;
        self.is_broken = true;
    }

    /// Adds a change to the current transaction.
    pub(crate) fn push(&mut self, change: &Change) -> Result<()> {
        if self.file.is_none() {
            return Ok(());
        }
        self.lines
            .push(if self.lines.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut self.lines, change)?;
        Ok(())
    }

    /// Writes the current transaction; after a failure every later write fails too.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.is_broken {
            bail!("the world's file is closed, or an earlier write to it failed");
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if self.lines.is_empty() {
            return Ok(());
        }
        self.lines.extend_from_slice(b"]\n");
        let written = file.write_all(&self.lines);
        self.lines.clear();
        self.is_broken = written.is_err();
        written.context("write the world's file")
    }
}

fn read(file: &mut File) -> Result<(Vec<Vec<Change>>, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    let mut changes = Vec::new();
    let mut length = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            break;
        }
        let Ok(transaction) = serde_json::from_slice(&line) else {
            let is_last = reader.fill_buf()?.is_empty();
            if is_last {
                break;
            }
            bail!("the world's file is damaged at byte {length}");
        };
        changes.push(transaction);
        length += u64::try_from(read)?;
    }
    Ok((changes, length))
}
