//! How this process reaches Redis: one shared connection that replaces itself, and own ones for what blocks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError,
    ScriptInvocation,
};
use tokio::time::{Instant, timeout};

/// The longest that anything but a blocking read waits for Redis.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// After a failure nobody tries for this long, so that an outage costs callers no waiting.
const REST: Duration = Duration::from_millis(300);

/// Redis as this process sees it: cheap to clone, made without a connection, healing by itself.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    prefix: String,
    shared: Mutex<Shared>,
    connecting: tokio::sync::Mutex<()>,
    away: AtomicBool,
}

#[derive(Default)]
struct Shared {
    connection: Option<MultiplexedConnection>,
    generation: u64,
    rest_until: Option<Instant>,
}

/// Redis did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    #[error("redis is away: {reason}")]
    Away { reason: String },
    #[error("redis refuses: {0}")]
    Refused(#[source] RedisError),
}

impl ConnectionError {
    /// Whether Redis answered with this error code.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        matches!(self, Self::Refused(error) if error.code() == Some(code))
    }

    fn away(reason: impl ToString) -> Self {
        Self::Away {
            reason: reason.to_string(),
        }
    }
}

/// What can be asked of Redis.
#[derive(Clone, Copy)]
enum Ask<'a> {
    Command(&'a Cmd),
    Pipeline(&'a Pipeline),
    Script(&'a ScriptInvocation<'a>),
}

impl Redis {
    /// Redis at `url`; every key and channel gets `prefix` (empty in production, random in tests).
    pub fn new(url: &str, prefix: &str) -> Result<Self, ConnectionError> {
        // Without TCP_NODELAY a command may wait 40 ms for the acknowledgement of the one before.
        let info = url
            .into_connection_info()
            .map(|info| info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
            .map_err(ConnectionError::Refused)?;
        Ok(Self {
            inner: Arc::new(Inner {
                client: Client::open(info).map_err(ConnectionError::Refused)?,
                prefix: prefix.to_owned(),
                shared: Mutex::default(),
                connecting: tokio::sync::Mutex::default(),
                away: AtomicBool::new(false),
            }),
        })
    }

    /// Whether Redis answers now; for a readiness probe.
    pub async fn ping(&self) -> Result<(), ConnectionError> {
        self.command(&redis::cmd("PING")).await
    }

    /// The full name of a key or channel.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.inner.prefix)
    }

    pub(crate) async fn command<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, ConnectionError> {
        self.ask(Ask::Command(command)).await
    }

    pub(crate) async fn pipeline<T: FromRedisValue>(
        &self,
        pipeline: &Pipeline,
    ) -> Result<T, ConnectionError> {
        self.ask(Ask::Pipeline(pipeline)).await
    }

    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, ConnectionError> {
        self.ask(Ask::Script(script)).await
    }

    /// A connection of its own, without a response timeout: for reads that block.
    pub(crate) async fn blocking_connection(
        &self,
    ) -> Result<MultiplexedConnection, ConnectionError> {
        self.connect().await.inspect_err(|error| self.failed(error))
    }

    /// A connection of its own for subscriptions.
    pub(crate) async fn subscriber(&self) -> Result<PubSub, ConnectionError> {
        timeout(CONNECT_WITHIN, self.inner.client.get_async_pubsub())
            .await
            .map_err(|_| ConnectionError::away("no connection in time"))
            .and_then(|connected| connected.map_err(sort))
            .inspect_err(|error| self.failed(error))
    }

    /// Notes a failure: the first of an outage is logged.
    pub(crate) fn failed(&self, error: &ConnectionError) {
        if !self.inner.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "redis does not answer: going on without it");
        }
    }

    /// Notes that Redis answered.
    pub(crate) fn answered(&self) {
        if self.inner.away.load(Ordering::Relaxed) && self.inner.away.swap(false, Ordering::Relaxed)
        {
            tracing::info!("redis answers again");
        }
    }

    /// Drops the shared connection: another one was found dead, and this one may be so too.
    pub(crate) fn suspect(&self) {
        self.lock().connection = None;
    }

    async fn ask<T: FromRedisValue>(&self, ask: Ask<'_>) -> Result<T, ConnectionError> {
        let mut used = None;
        let answer = timeout(ANSWER_WITHIN, self.ask_twice(ask, &mut used)).await;
        let answer = answer.unwrap_or_else(|_| {
            // A connection that has taken its place meanwhile is not to blame.
            if used.is_some_and(|generation| self.discard(generation)) {
                self.rest();
            }
            Err(ConnectionError::away("no answer in time"))
        });
        match &answer {
            Ok(_) => self.answered(),
            Err(error @ ConnectionError::Away { .. }) => self.failed(error),
            Err(ConnectionError::Refused(_)) => {}
        }
        answer
    }

    /// A connection that was cut while it was idle shows only at its next use: worth a second try.
    async fn ask_twice<T: FromRedisValue>(
        &self,
        ask: Ask<'_>,
        used: &mut Option<u64>,
    ) -> Result<T, ConnectionError> {
        let mut tried = false;
        loop {
            let (generation, connection) = self.shared_connection().await?;
            *used = Some(generation);
            match ask.of(connection).await {
                Err(error) if error.is_io_error() || error.is_unrecoverable_error() => {
                    self.discard(generation);
                    if tried {
                        return Err(ConnectionError::away(error));
                    }
                    tried = true;
                }
                answer => return answer.map_err(ConnectionError::Refused),
            }
        }
    }

    async fn shared_connection(&self) -> Result<(u64, MultiplexedConnection), ConnectionError> {
        if let Some(found) = self.current()? {
            return Ok(found);
        }
        let _turn = self.inner.connecting.lock().await;
        if let Some(found) = self.current()? {
            return Ok(found);
        }
        match self.connect().await {
            Ok(connection) => {
                let mut shared = self.lock();
                shared.generation += 1;
                shared.connection = Some(connection.clone());
                Ok((shared.generation, connection))
            }
            Err(error) => {
                self.rest();
                Err(error)
            }
        }
    }

    fn current(&self) -> Result<Option<(u64, MultiplexedConnection)>, ConnectionError> {
        let shared = self.lock();
        if shared
            .rest_until
            .is_some_and(|until| Instant::now() < until)
        {
            return Err(ConnectionError::away("it did not answer a moment ago"));
        }
        let generation = shared.generation;
        Ok(shared.connection.clone().map(|it| (generation, it)))
    }

    async fn connect(&self) -> Result<MultiplexedConnection, ConnectionError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(None);
        let client = &self.inner.client;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        timeout(CONNECT_WITHIN, connecting)
            .await
            .map_err(|_| ConnectionError::away("no connection in time"))?
            .map_err(sort)
    }

    /// Drops the shared connection, unless another one has taken the place of this one.
    fn discard(&self, generation: u64) -> bool {
        let mut shared = self.lock();
        let is_this = shared.generation == generation;
        if is_this {
            shared.connection = None;
        }
        is_this
    }

    fn rest(&self) {
        self.lock().rest_until = Some(Instant::now() + REST);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.inner
            .shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ask<'_> {
    async fn of<T: FromRedisValue>(
        self,
        mut connection: MultiplexedConnection,
    ) -> Result<T, RedisError> {
        match self {
            Self::Command(command) => command.query_async(&mut connection).await,
            Self::Pipeline(pipeline) => pipeline.query_async(&mut connection).await,
            Self::Script(script) => script.invoke_async(&mut connection).await,
        }
    }
}

/// Tells an outage from an answer that says no.
pub(crate) fn sort(error: RedisError) -> ConnectionError {
    if error.is_io_error() || error.is_unrecoverable_error() {
        ConnectionError::away(error)
    } else {
        ConnectionError::Refused(error)
    }
}
