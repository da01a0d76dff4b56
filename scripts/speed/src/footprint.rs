//! Part of row 13: how much memory the idle processes of a running world take.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::{Output, report};

/// The most that api and worker may take, in MB.
const GOAL_MB: f64 = 25.0;

/// Resident memory of a process in MB.
pub(crate) fn resident_mb(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("no process {pid}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kb.context("no VmRSS")? / 1_024.0)
}

/// Measures what `run.json` names.
pub(crate) fn run(run_json: &Path, output: Output) -> Result<()> {
    let text = std::fs::read_to_string(run_json)
        .with_context(|| format!("cannot read {}", run_json.display()))?;
    let world: serde_json::Value = serde_json::from_str(&text)?;
    let mut table = String::from("| process | RSS idle, MB | goal | |\n|---|---|---|---|\n");
    let mut measured = 0;
    for name in ["api", "worker"] {
        let Some(pid) = world["pids"][name].as_u64() else {
            continue;
        };
        let mb = resident_mb(u32::try_from(pid)?)?;
        let verdict = report::verdict(mb <= GOAL_MB);
        writeln!(table, "| {name} | {mb:.1} | ≤ {GOAL_MB} | {verdict} |")?;
        measured += 1;
    }
    ensure!(
        measured > 0,
        "{} names no api or worker",
        run_json.display()
    );
    report::show("footprint", "Footprint (row 13, idle)", &table, output)
}
