//! Every variable that the product reads stands in `.env.example`, which names no other, and in `docker-compose.yml`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Read by `scripts/run`, the sandbox and `docker-compose.yml`, not by `common::config`.
const READ_BY_SCRIPTS: &[&str] = &[
    "POSTGRES_DB",
    "POSTGRES_PASSWORD",
    "POSTGRES_USER",
    "SANDBOX_PORT",
    "STATE_DIR",
];

/// Not handed to containers: what the image settles, and older or longer forms of what is handed over.
const NOT_FOR_CONTAINERS: &[&str] = &[
    "APP_HOST",
    "APP_PORT",
    "DATABASE_URL",
    "LOG_DIR",
    "REDOC_FILE",
    "SERVER_HOST",
    "SERVER_PORT",
];

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

/// A file, seen from the root of the tree.
fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap()
}

fn read_by_the_product() -> BTreeSet<String> {
    let source = read("common/src/config.rs");
    asked(source.split("#[cfg(test)]").next().unwrap())
}

#[test]
fn env_example_is_complete() {
    let mut wanted = read_by_the_product();
    wanted.extend(READ_BY_SCRIPTS.iter().map(|name| (*name).to_owned()));
    let example = read(".env.example");
    let named: BTreeSet<String> = example
        .lines()
        .map(|line| line.trim_start_matches(['#', ' ']))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| !name.contains(' '))
        .collect();
    assert_eq!(named, wanted);
}

#[test]
fn containers_are_told_all_that_the_product_reads() {
    let compose = read("docker-compose.yml");
    let told: BTreeSet<&str> = compose
        .split("\nx-environment:")
        .nth(1)
        .unwrap()
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.trim().split_once(": "))
        .map(|(name, _)| name)
        .collect();
    let product = read_by_the_product();
    let wanted = product
        .iter()
        .filter(|name| !NOT_FOR_CONTAINERS.contains(&name.as_str()));
    let missing: Vec<_> = wanted
        .filter(|name| !told.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "x-environment lacks {missing:?}");
}

/// `scripts/run` and the containers point the same variables at the same places of the sandbox.
#[test]
fn the_demo_in_containers_is_that_of_scripts_run() {
    let supervisor = read("scripts/stack/src/product.rs");
    let container = read("scripts/container/container-start");
    let mut told = 0;
    for call in supervisor.split("environment.set(\"").skip(1) {
        let (name, rest) = call.split_once('"').unwrap();
        let Some(rest) = rest.strip_prefix(", format!(\"{sandbox}") else {
            continue;
        };
        let (path, _) = rest.split_once('"').unwrap();
        let line = format!("export {name}=\"$DEMO_SANDBOX{path}\"");
        assert!(container.contains(&line), "container-start lacks: {line}");
        told += 1;
    }
    assert!(told >= 3, "{told}");
}
