//! Brings the database to the form that this build expects.

use diesel::migration::{MigrationSource, MigrationVersion};
use diesel::pg::Pg;
use diesel::{QueryResult, sql_query};
use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::{ExposeSecret, SecretString};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations");

/// Any number, the same in every process: whoever holds this lock migrates.
const LOCK: i64 = 0x6368_6174_6d69_6772;

/// Runs what has not run yet; processes that start together do it one after the other.
pub async fn migrate(database_url: &SecretString) -> anyhow::Result<Vec<String>> {
    let mut conn = AsyncPgConnection::establish(database_url.expose_secret()).await?;
    sql_query("SELECT pg_advisory_lock($1)")
        .bind::<diesel::sql_types::BigInt, _>(LOCK)
        .execute(&mut conn)
        .await?;
    // The lock is the session's: it ends with this connection, however this function ends.
    tokio::task::spawn_blocking(move || {
        let mut harness = AsyncMigrationHarness::new(conn);
        let applied = harness
            .run_pending_migrations(MIGRATIONS)
            .map_err(|problem| anyhow::anyhow!("a migration failed: {problem}"))?;
        Ok(applied.iter().map(ToString::to_string).collect())
    })
    .await?
}

/// Whether every migration of this build has run.
pub async fn migrations_are_current(conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    #[derive(diesel::QueryableByName)]
    struct Applied {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    let applied: Vec<Applied> = sql_query("SELECT version FROM __diesel_schema_migrations")
        .load(conn)
        .await?;
    let wanted = MigrationSource::<Pg>::migrations(&MIGRATIONS)
        .map_err(diesel::result::Error::QueryBuilderError)?;
    Ok(wanted.iter().all(|migration| {
        let version = migration.name().version();
        applied
            .iter()
            .any(|row| MigrationVersion::from(row.version.as_str()) == version)
    }))
}
