//! `.env.example` names every variable that the product reads, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Read by `scripts/run` and the sandbox, not by `common::config`.
const READ_BY_SCRIPTS: &[&str] = &["SANDBOX_PORT", "STATE_DIR"];

/// The variables that a source file asks for: upper-case words in quotes.
fn asked(source: &str) -> BTreeSet<String> {
    source
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains('_') || *word == "APP_ENV")
        .filter(|word| {
            word.chars()
                .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_')
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn env_example_is_complete() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = fs::read_to_string(root.join("src/config.rs")).unwrap();
    let product = source.split("#[cfg(test)]").next().unwrap();
    let mut wanted = asked(product);
    wanted.extend(READ_BY_SCRIPTS.iter().map(|name| (*name).to_owned()));
    let example = fs::read_to_string(root.join("../.env.example")).unwrap();
    let named: BTreeSet<String> = example
        .lines()
        .map(|line| line.trim_start_matches(['#', ' ']))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| !name.contains(' '))
        .collect();
    assert_eq!(named, wanted);
}
