//! The floor of what is read and written: pgbench with the same statements, prepared.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::database::{Database, Statement};
use crate::sample::Sample;

/// Statements as pgbench runs them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    text: String,
    variables: Vec<(String, String)>,
}

/// A value of a statement that pgbench shall draw or make itself, and what it writes instead.
pub(crate) type Instead<'a> = (&'a str, &'a str);

impl Script {
    /// The statements one after the other; `head` draws what `instead` speaks of.
    pub(crate) fn new(
        head: &str,
        statements: &[Statement],
        instead: &[Instead<'_>],
    ) -> Result<Self> {
        let mut script = Self {
            text: head.to_owned(),
            variables: Vec::new(),
        };
        for (number, statement) in statements.iter().enumerate() {
            script.add(number, statement, instead)?;
        }
        Ok(script)
    }

    fn add(&mut self, number: usize, statement: &Statement, instead: &[Instead<'_>]) -> Result<()> {
        let mut sql = statement.sql.clone();
        // From the last one on, so that $1 does not meet $12.
        for (place, value) in statement.parameters.iter().enumerate().rev() {
            let mark = format!("${}", place + 1);
            let known = |value: &String| instead.iter().find(|(known, _)| known == value);
            let written = match value {
                None => "NULL".to_owned(),
                Some(value) => match known(value) {
                    Some((_, expression)) => (*expression).to_owned(),
                    None => {
                        let name = format!("s{number}p{place}");
                        self.variables.push((name.clone(), value.clone()));
                        format!(":{name}")
                    }
                },
            };
            sql = sql.replace(&mark, &written);
        }
        writeln!(self.text, "{sql};").context("no memory")
    }

    /// One round.
    pub(crate) fn run(
        &self,
        database: &Database,
        clients: usize,
        time: Duration,
        folder: &Path,
    ) -> Result<Sample> {
        let (file, logs) = (folder.join("floor.sql"), folder.join("floor-log"));
        std::fs::write(&file, &self.text)?;
        let before = database.cpu()?;
        let output = Command::new("pgbench")
            .args(["--no-vacuum", "--protocol=prepared", "--log"])
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={}", clients.min(2)))
            .arg(format!("--time={}", time.as_secs().max(1)))
            .arg(format!("--log-prefix={}", logs.display()))
            .arg(format!("--file={}", file.display()))
            .args(
                self.variables
                    .iter()
                    .map(|(name, value)| format!("--define={name}={value}")),
            )
            .arg(database.url())
            .output()
            .context("cannot run pgbench")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench failed: {complained}");
        let cpu = database.cpu()?.saturating_sub(before);
        let rate: f64 = said
            .split_once("tps = ")
            .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
            .context("pgbench tells no rate")?;
        let latencies = take_logs(folder)?;
        let time = Duration::from_secs_f64(latencies.len() as f64 / rate);
        Ok(Sample::of(latencies, time, cpu))
    }
}

/// Reads the latencies that the threads wrote down, in milliseconds, and removes them.
fn take_logs(folder: &Path) -> Result<Vec<f64>> {
    let mut latencies = Vec::new();
    for entry in std::fs::read_dir(folder)?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with("floor-log") {
            continue;
        }
        for line in std::fs::read_to_string(entry.path())?.lines() {
            let micros = line.split(' ').nth(2).and_then(|it| it.parse::<f64>().ok());
            latencies.push(micros.context("no latency")? / 1_000.0);
        }
        std::fs::remove_file(entry.path())?;
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_variables_or_what_stands_for_them() {
        let parameters = (1..=11).map(|it| Some(it.to_string()));
        let statement = Statement {
            sql: "SELECT $1, $2, $11, $12".to_owned(),
            parameters: parameters.chain([None]).collect(),
        };
        let script = Script::new("\\set chat 5\n", &[statement], &[("2", ":chat")]).unwrap();
        assert_eq!(
            script.text,
            "\\set chat 5\nSELECT :s0p0, :chat, :s0p10, NULL;\n"
        );
        assert!(script.variables.contains(&("s0p10".into(), "11".into())));
    }
}
