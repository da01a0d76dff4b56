//! Table `runtime_settings`: what operators change while everything runs.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::schema::runtime_settings;

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = runtime_settings)]
pub struct Setting {
    pub key: String,
    pub value: Value,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
}

/// All settings.
pub async fn all(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Setting>> {
    runtime_settings::table
        .order(runtime_settings::key)
        .select(Setting::as_select())
        .load(conn)
        .await
}

/// Changes a setting; null takes it away. What it is already stays as it is.
pub async fn set(
    conn: &mut AsyncPgConnection,
    key: &str,
    value: &Value,
    by: &str,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    if value.is_null() {
        diesel::delete(runtime_settings::table.find(key))
            .execute(conn)
            .await?;
        return Ok(());
    }
    let row = (
        runtime_settings::value.eq(value),
        runtime_settings::updated_at.eq(now),
        runtime_settings::updated_by.eq(by),
    );
    diesel::insert_into(runtime_settings::table)
        .values((runtime_settings::key.eq(key), row))
        .on_conflict(runtime_settings::key)
        .do_update()
        .set(row)
        .execute(conn)
        .await?;
    Ok(())
}

/// Lets one change of the settings wait for the other, until the transaction ends.
pub async fn lock(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    diesel::sql_query("LOCK TABLE runtime_settings IN SHARE ROW EXCLUSIVE MODE")
        .execute(conn)
        .await?;
    Ok(())
}
