//! Connections to PostgreSQL.

use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::pooled_connection::deadpool::{self, Object};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

/// A pool of connections.
pub type Pool = deadpool::Pool<AsyncPgConnection>;

/// A connection taken from the pool.
pub type Connection = Object<AsyncPgConnection>;

/// Why the pool has no connection to give.
pub type PoolError = deadpool::PoolError;

/// A pool of at most `size` connections; it connects when first used.
pub fn connect(database_url: &SecretString, size: usize) -> anyhow::Result<Pool> {
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(establish);
    // Verifying a connection costs a round trip at each checkout; a dead one shows by its error.
    config.recycling_method = RecyclingMethod::Fast;
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new_with_config(
        database_url.expose_secret(),
        config,
    );
    Ok(Pool::builder(manager)
        .max_size(size)
        .runtime(::deadpool::Runtime::Tokio1)
        .wait_timeout(Some(Duration::from_secs(5)))
        .create_timeout(Some(Duration::from_secs(5)))
        .build()?)
}

fn establish(url: &str) -> BoxFuture<'_, ConnectionResult<AsyncPgConnection>> {
    async move {
        let mut conn = AsyncPgConnection::establish(url).await?;
        // A request that was given up leaves its query running: this ends it.
        conn.batch_execute(
            "SET statement_timeout = '8s'; SET idle_in_transaction_session_timeout = '20s'",
        )
        .await
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    }
    .boxed()
}
