//! Every query on a tenant's table is about one tenant, or says in its name that it is not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Files of `db` without queries on a tenant's table: `tenants` is about tenants themselves.
const EXEMPT: &[&str] = &[
    "columns.rs",
    "migrations.rs",
    "pool.rs",
    "runtime_settings.rs",
    "schema.rs",
    "tenants.rs",
];

/// What names the tenant in a signature: its id, or a row of the tenant.
const NAMES_TENANT: &[&str] = &[
    "tenant: TenantId",
    ": &Chat",
    ": &File",
    ": &DoneRequest",
    ": &Message",
    ": &NewApiToken",
    ": &NewAttempt",
    ": &ChatStart",
    ": &NewCannedReply",
    ": &NewChatStart",
    ": &NewEntry",
    ": &NewFile",
    ": &[NewFile]",
    ": &NewInvite",
    ": &NewMessage",
    ": &NewNote",
    ": &NewSavedView",
    ": &NewSeller",
    ": &NewSession",
    ": &NewSuggestion",
    ": &NewUser",
    ": &ReadReceipt",
    ": &Seller",
    ": &Session",
    ": &User",
];

/// The name and the whole signature of every public query.
fn queries(source: &str) -> Vec<(String, String)> {
    source
        .split("\npub async fn ")
        .skip(1)
        .map(|rest| {
            let name: String = rest
                .chars()
                .take_while(|it| it.is_alphanumeric() || *it == '_')
                .collect();
            let signature = rest.split('{').next().unwrap_or_default().to_owned();
            (name, signature)
        })
        .collect()
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn every_query_names_its_tenant() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/db");
    let mut nameless = Vec::new();
    let mut seen = 0;
    let mut found = Vec::new();
    files(&root, &mut found);
    for path in found {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if EXEMPT.contains(&file.as_str()) {
            continue;
        }
        for (name, signature) in queries(&fs::read_to_string(&path).unwrap()) {
            seen += 1;
            let is_named = NAMES_TENANT.iter().any(|it| signature.contains(it));
            if !is_named && !name.ends_with("_across_tenants") {
                nameless.push(format!("{file}: {name}"));
            }
        }
    }
    assert!(seen > 60, "only {seen} queries were found");
    assert!(
        nameless.is_empty(),
        "no tenant in:\n{}",
        nameless.join("\n")
    );
}
