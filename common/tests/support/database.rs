//! A database per test, copied from one that was migrated once.

use common::db;
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use secrecy::SecretString;

/// The address of a new, migrated, empty database on the server that `DATABASE_URL` names.
pub(crate) async fn fresh_database() -> SecretString {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by scripts/test where the server is"
    )]
    let server = std::env::var("DATABASE_URL")
        .expect("DATABASE_URL names a PostgreSQL server: run the tests by scripts/test");
    let mut admin = AsyncPgConnection::establish(&server)
        .await
        .expect("the PostgreSQL of DATABASE_URL answers");
    let template = template(&server, &mut admin).await;
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    admin
        .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
        .await
        .expect("the user of DATABASE_URL may create databases");
    on_server(&server, &name).into()
}

/// Tests of one build share a template: its name follows from the migrations.
async fn template(server: &str, admin: &mut AsyncPgConnection) -> String {
    let name = format!("template_{:016x}", fingerprint());
    admin
        .batch_execute("SELECT pg_advisory_lock(7311)")
        .await
        .expect("a lock");
    let created = admin
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await;
    if created.is_ok() {
        db::migrate(&on_server(server, &name).into())
            .await
            .expect("the migrations run");
    }
    admin
        .batch_execute("SELECT pg_advisory_unlock(7311)")
        .await
        .expect("the lock is ours");
    name
}

fn fingerprint() -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
    let mut hasher = DefaultHasher::new();
    let mut folders: Vec<_> = std::fs::read_dir(root)
        .expect("migrations")
        .map(|entry| entry.expect("a folder").path())
        .collect();
    folders.sort();
    for folder in folders {
        if let Ok(text) = std::fs::read_to_string(folder.join("up.sql")) {
            text.hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// The same server's other database.
fn on_server(server: &str, database: &str) -> String {
    let (base, query) = server.split_once('?').unwrap_or((server, ""));
    let (authority, _) = base.rsplit_once('/').unwrap_or((base, ""));
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    format!("{authority}/{database}{query}")
}
