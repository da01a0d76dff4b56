//! Talks to the person who started us: progress on stdout, problems on stderr, one line each.

use std::io::Write;
use std::process::ExitCode;

/// Prints a line; nobody listening any more is no reason to stop.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).ok();
}

/// Prints a line about what happened beside the matter.
pub fn note(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").ok();
}

/// Prints a problem as one line.
pub fn complain(problem: &str) {
    note(&format!("error: {}", one_line(problem)));
}

/// Answers `--help` and wrong options.
pub fn usage(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    if error.exit_code() == 0 {
        say(text.trim_end());
        return ExitCode::SUCCESS;
    }
    let first = text.lines().next().unwrap_or_default();
    complain(&format!(
        "{} (try --help)",
        first.trim_start_matches("error: ")
    ));
    ExitCode::FAILURE
}

/// Puts the lines of a text into one.
pub fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}
