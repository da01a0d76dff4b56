//! An arrow between the modules of `common` only goes down: reads every `use crate::` line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer's modules, and the layers that they may use besides their own.
const LAYERS: &[(&str, &[&str], &[&str])] = &[
    ("values", &["channel", "clock", "ids", "words"], &[]),
    (
        "tools",
        &[
            "config",
            "http",
            "secrets",
            "signature",
            "telemetry",
            "text",
        ],
        &["values"],
    ),
    ("domain", &["domain"], &["values"]),
    ("storage", &["db"], &["values", "tools", "domain"]),
    (
        "outside",
        &["feed", "files", "jobs", "limits", "llm", "marketplaces"],
        &["values", "tools", "domain"],
    ),
    (
        "flows",
        &["flows", "views"],
        &["values", "tools", "domain", "storage", "outside"],
    ),
];

/// Which files may name a foreign library: it has one home.
const HOMES: &[(&str, &[&str])] = &[
    ("diesel", &["db", "words", "ids", "flows"]),
    ("object_store", &["files"]),
    ("redis", &["jobs", "feed", "limits"]),
    ("apalis_core", &["jobs"]),
    ("reqwest", &["http", "marketplaces"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// The top-level module a file belongs to.
fn module_of(path: &Path, root: &Path) -> String {
    let first = path.strip_prefix(root).unwrap().iter().next().unwrap();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn layer_of(
    module: &str,
) -> &'static (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
) {
    LAYERS
        .iter()
        .find(|(_, modules, _)| modules.contains(&module))
        .unwrap_or_else(|| {
            panic!("module {module} belongs to no layer: name it in tests/layers.rs")
        })
}

fn each_line(mut check: impl FnMut(&str, &str, &Path)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for path in files {
        let module = module_of(&path, &root);
        if module == "lib" {
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines() {
            check(&module, line.trim(), &path);
        }
    }
}

#[test]
fn arrows_only_go_down() {
    let mut upward = Vec::new();
    each_line(|module, line, path| {
        let Some(used) = line.split("crate::").nth(1) else {
            return;
        };
        let used: String = used
            .chars()
            .take_while(|it| it.is_alphanumeric() || *it == '_')
            .collect();
        if used.is_empty() {
            return;
        }
        let (name, modules, below) = layer_of(module);
        let is_down = modules.contains(&used.as_str()) || below.contains(&layer_of(&used).0);
        if !is_down {
            upward.push(format!("{}: {name} uses {used}", path.display()));
        }
    });
    assert!(upward.is_empty(), "upward arrows:\n{}", upward.join("\n"));
}

#[test]
fn foreign_libraries_have_one_home() {
    let mut strangers = Vec::new();
    each_line(|module, line, path| {
        for (library, homes) in HOMES {
            let names_it = line.contains(&format!("{library}::"));
            if names_it && !line.starts_with("//") && !homes.contains(&module) {
                strangers.push(format!("{}: names {library}", path.display()));
            }
        }
    });
    assert!(strangers.is_empty(), "{}", strangers.join("\n"));
}
