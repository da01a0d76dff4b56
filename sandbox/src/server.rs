//! Who listens, who shares the world, and which path leads where?

mod pass;

pub(crate) use pass::truncated;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::Response;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{Sockets, Wire};
use crate::world::{Marketplace, World};
use crate::{buyers, control, llm, page, pushes};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    world: Mutex<World>,
    /// For outgoing pushes.
    pub client: reqwest::Client,
    /// Everything that runs beside the requests.
    pub tasks: TaskTracker,
    /// The end of all of it.
    pub end: CancellationToken,
}

impl App {
    /// Wraps a world.
    pub(crate) fn new(world: World) -> Result<Self> {
        // another part of the same process may have installed one already
        drop(rustls::crypto::ring::default_provider().install_default());
        Ok(Self {
            world: Mutex::new(world),
            client: reqwest::Client::builder().no_proxy().build()?,
            tasks: TaskTracker::new(),
            end: CancellationToken::new(),
        })
    }

    /// Locks the world.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the world, writes it down, and sends what it notifies of.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut World) -> T) -> Result<T> {
        let mut world = self.lock();
        let outcome = act(&mut world);
        let written = world.flush();
        let pushes = std::mem::take(&mut world.pushes);
        drop(world);
        if let Err(error) = written {
            tracing::error!(%error, "the world could not be written down");
            return Err(error);
        }
        for push in pushes {
            let sending = pushes::deliver(self.client.clone(), push, self.end.clone());
            self.tasks.spawn(sending);
        }
        Ok(outcome)
    }
}

/// Serves the world until its end.
pub(crate) async fn serve(app: Arc<App>, listener: TcpListener) {
    let end = app.end.clone();
    let router = router(app).into_make_service_with_connect_info::<Wire>();
    let server = axum::serve(Sockets(listener), router);
    let served = server
        .with_graceful_shutdown(async move { end.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "server ended");
    }
}

/// The address a listener is bound to.
pub(crate) async fn bind(host: &str, port: u16) -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((host, port)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/ozon/{*path}", any(ozon_request))
        .route("/wildberries/{*path}", any(wildberries_request))
        .route("/yandex/{*path}", any(yandex_request))
        .route("/llm/{*path}", any(llm_request))
        .nest("/control", control::router())
        .merge(page::router())
        .with_state(app)
}

async fn ozon_request(
    State(app): State<Arc<App>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
) -> Response<Body> {
    pass::pass(app, wire, Marketplace::Ozon, request).await
}

async fn wildberries_request(
    State(app): State<Arc<App>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
) -> Response<Body> {
    pass::pass(app, wire, Marketplace::Wildberries, request).await
}

async fn yandex_request(
    State(app): State<Arc<App>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
) -> Response<Body> {
    pass::pass(app, wire, Marketplace::YandexMarket, request).await
}

async fn llm_request(
    State(app): State<Arc<App>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
) -> Response<Body> {
    llm::pass(app, wire, request).await
}

/// Starts what runs beside the requests.
pub(crate) fn start_buyers(app: &Arc<App>) {
    app.tasks.spawn(buyers::run(Arc::clone(app)));
}
