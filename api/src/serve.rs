//! Runs the server until it is told to stop.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use common::config::Config;
use common::flows::Context;
use common::flows::report_keys::complain_of_missing_keys;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::idempotency::purge_now_and_then;
use crate::routes::{record, router, tidy};
use crate::state::AppState;

/// Connections to the database that one process holds at most.
const POOL_SIZE: usize = 8;
/// Requests that are under way may take this long to end.
const DRAINED_WITHIN: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or Ctrl-C; starts also while PostgreSQL and Redis are away.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    record();
    let listen = config.listen;
    let ctx = Context::new(&config, POOL_SIZE)?;
    let state = AppState::start(config, ctx);
    state.tasks.spawn(tidy_now_and_then(state.clone()));
    state.tasks.spawn(look_at_keys(state.clone()));
    state.tasks.spawn(purge_now_and_then(state.clone()));
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    tracing::info!(%listen, "listening");
    let service = router(state.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let stop = state.stop.clone();
    let server = axum::serve(listener, service)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .into_future();
    let mut server = std::pin::pin!(server);
    tokio::select! {
        ended = &mut server => return Ok(ended?),
        () = asked_to_stop() => {}
    }
    tracing::info!("stopping");
    state.shut_down();
    let drained = timeout(DRAINED_WITHIN, async {
        server.await?;
        state.tasks.wait().await;
        anyhow::Ok(())
    });
    match drained.await {
        Ok(ended) => ended?,
        Err(_elapsed) => tracing::warn!("some requests did not end in time"),
    }
    tracing::info!("stopped");
    Ok(())
}

async fn asked_to_stop() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = terminate => {}
        () = interrupt => {}
    }
}

async fn tidy_now_and_then(state: AppState) {
    let mut ticks = interval(Duration::from_secs(5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => tidy(),
            () = state.stop.cancelled() => return,
        }
    }
}

async fn look_at_keys(state: AppState) {
    let looked = complain_of_missing_keys(&state.ctx);
    state.stop.run_until_cancelled(looked).await;
}
