//! Where figures go: to the terminal and, if asked, to their section of docs/BENCHMARKS.md.

use std::fmt;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::Output;
use crate::sample::FLOOR_MOVES;

const FILE: &str = "docs/BENCHMARKS.md";
const TITLE: &str = "# Benchmarks\n";

/// Whether a goal is reached, for a table.
pub(crate) fn verdict(reached: bool) -> &'static str {
    if reached { "reached" } else { "**missed**" }
}

/// The goals of a row and whether they are reached.
#[derive(Default)]
pub(crate) struct Verdicts(Vec<String>);

impl Verdicts {
    /// Adds a goal with what was measured.
    pub(crate) fn add(&mut self, goal: &str, reached: bool) {
        self.0.push(format!("{goal}, {}", verdict(reached)));
    }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Goals: {}", self.0.join(" · "))
    }
}

/// The averages of processes that ran or wanted to, of the last 1 and 5 minutes.
pub(crate) fn load() -> Result<String> {
    let averages = std::fs::read_to_string("/proc/loadavg")?;
    let averages: Vec<_> = averages.split(' ').take(2).collect();
    Ok(averages.join(" and "))
}

/// How far the floor moved, what follows, and how busy the machine was.
pub(crate) fn floor_note(moved: f64, load: &str) -> String {
    let counts = if moved > FLOOR_MOVES {
        ": **this run does not count**"
    } else {
        ""
    };
    format!(
        "The floor moved {:.0} % between rounds{counts}. Load of the machine in these minutes: {load}.",
        moved * 100.0
    )
}

/// Prints a section; writes it to the file if asked.
pub(crate) fn show(row: &str, title: &str, body: &str, output: Output) -> Result<()> {
    let section = format!("## {title}\n\n{body}");
    let mut out = std::io::stdout().lock();
    writeln!(out, "{section}")?;
    if output.write {
        write(Path::new(FILE), row, &section)?;
        writeln!(out, "written to {FILE}")?;
    }
    Ok(())
}

fn write(file: &Path, row: &str, section: &str) -> Result<()> {
    let before = std::fs::read_to_string(file).unwrap_or_else(|_| TITLE.to_owned());
    std::fs::write(file, replaced(&before, row, section))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// The text with the section between its markers; at the end, if it had none.
fn replaced(text: &str, row: &str, section: &str) -> String {
    let (open, close) = (format!("<!-- {row} -->"), format!("<!-- /{row} -->"));
    let marked = format!("{open}\n{}\n{close}", section.trim_end());
    let place = text.split_once(&open).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&close)?;
        Some((before, after))
    });
    match place {
        Some((before, after)) => format!("{before}{marked}{after}"),
        None => format!("{}\n\n{marked}\n", text.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_added_once_and_then_replaced() {
        let one = replaced(TITLE, "queue", "## A\n");
        assert_eq!(
            one,
            "# Benchmarks\n\n<!-- queue -->\n## A\n<!-- /queue -->\n"
        );
        let both = replaced(&one, "other", "## B\n");
        let again = replaced(&both, "queue", "## C\n");
        assert_eq!(
            again,
            "# Benchmarks\n\n<!-- queue -->\n## C\n<!-- /queue -->\n\n<!-- other -->\n## B\n<!-- /other -->\n"
        );
    }
}
