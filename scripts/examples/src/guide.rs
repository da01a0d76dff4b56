//! The commands of the guide for integrators, run one after the other as they stand there.

use std::process::Stdio;

use anyhow::{Result, ensure};
use tokio::process::Command;

use crate::demo::Demo;

const GUIDE: &str = include_str!("../../../docs/API.md");
const LAST_LINES: usize = 3;

/// Runs them; fails with what the first that fails said.
pub async fn run(demo: &Demo) -> Result<()> {
    let script = commands(GUIDE);
    ensure!(!script.is_empty(), "docs/API.md has no commands");
    let ended = Command::new("bash")
        .args(["-euxo", "pipefail", "-c", &script])
        .env("API", &demo.world.api)
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&ended.stderr);
    let lines: Vec<_> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("; ");
    ensure!(ended.status.success(), "docs/API.md: {last}");
    Ok(())
}

fn commands(guide: &str) -> String {
    let blocks = guide.split("```sh\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    blocks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_for_the_shell_is_run() {
        let guide = "one\n```sh\na\n```\n```\nb\n```\ntwo\n```sh\nc\n```\n";
        assert_eq!(commands(guide), "a\nc\n");
    }
}
