//! `schema.rs` says what the migrated database is.

use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use secrecy::ExposeSecret;

use crate::database::fresh_database;

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    line: String,
}

const COLUMNS: &str = "\
    SELECT format('%s.%s %s', table_name, column_name, \
        CASE WHEN is_nullable = 'YES' THEN format('Nullable<%s>', kind) ELSE kind END) AS line \
    FROM (SELECT *, CASE data_type \
            WHEN 'uuid' THEN 'Uuid' WHEN 'text' THEN 'Text' WHEN 'bigint' THEN 'Int8' \
            WHEN 'integer' THEN 'Int4' WHEN 'boolean' THEN 'Bool' WHEN 'jsonb' THEN 'Jsonb' \
            WHEN 'timestamp with time zone' THEN 'Timestamptz' \
            WHEN 'ARRAY' THEN 'Array<Text>' ELSE data_type END AS kind \
        FROM information_schema.columns WHERE table_schema = 'public' \
            AND table_name <> '__diesel_schema_migrations') columns \
    ORDER BY table_name, ordinal_position";

/// The columns that `schema.rs` declares, in its order.
fn declared() -> Vec<String> {
    let mut lines = Vec::new();
    let mut table = "";
    for line in include_str!("../../src/db/schema.rs").lines() {
        let line = line.trim();
        if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with('{')) {
            table = name;
        } else if let Some((column, kind)) = line.split_once(" -> ") {
            lines.push(format!("{table}.{column} {}", kind.trim_end_matches(',')));
        }
    }
    lines
}

#[tokio::test]
async fn it_declares_every_column_of_the_database() {
    let database = fresh_database().await;
    let mut conn = AsyncPgConnection::establish(database.expose_secret())
        .await
        .unwrap();
    let columns: Vec<Column> = diesel::sql_query(COLUMNS).load(&mut conn).await.unwrap();
    let migrated: Vec<String> = columns.into_iter().map(|column| column.line).collect();
    assert_eq!(declared(), migrated);
}

#[tokio::test]
async fn the_database_refuses_a_row_that_points_into_another_tenant() {
    let database = fresh_database().await;
    let mut conn = AsyncPgConnection::establish(database.expose_secret())
        .await
        .unwrap();
    let sql = "\
        WITH shop AS (INSERT INTO sellers (tenant_id, public_id, name, marketplace, account_id, \
            sealed_key, key_fingerprint, next_sync_at, probe_at, created_at, updated_at) \
            SELECT id, gen_random_uuid(), 'Shop', 'ozon', '1', '', '', now(), now(), now(), now() \
            FROM tenants WHERE slug = 'demo' RETURNING id) \
        INSERT INTO chats (tenant_id, public_id, channel, seller_id, external_id, created_at, \
            updated_at) \
        SELECT tenants.id, gen_random_uuid(), 'ozon', shop.id, 'x', now(), now() \
        FROM tenants, shop WHERE slug = 'operators'";
    let refused = diesel::sql_query(sql).execute(&mut conn).await.unwrap_err();
    assert!(refused.to_string().contains("foreign key"), "{refused}");
}

#[tokio::test]
async fn migrations_go_back_and_forth() {
    use diesel_async::SimpleAsyncConnection;
    let database = fresh_database().await;
    let mut conn = AsyncPgConnection::establish(database.expose_secret())
        .await
        .unwrap();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
    let mut folders: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    for folder in folders.iter().rev() {
        let down = std::fs::read_to_string(folder.join("down.sql")).unwrap();
        conn.batch_execute(&down).await.unwrap();
    }
    for folder in &folders {
        let up = std::fs::read_to_string(folder.join("up.sql")).unwrap();
        conn.batch_execute(&up).await.unwrap();
    }
}
