//! What every handler works with.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use common::config::Config;
use common::db::Connection;
use common::feed::{FeedHub, Presence};
use common::flows::Context;
use common::limits::RateLimiter;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{AccessCache, Passwords, Tokens, follow_changes};
use crate::http::{ApiResult, is_connection_lost};
use crate::routes::desk::live::presence::sweep;

/// The state of the process; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The parts of the state.
pub struct Shared {
    pub config: Config,
    /// Storage and the outside world.
    pub ctx: Context,
    pub hub: FeedHub,
    pub presence: Presence,
    pub access: AccessCache,
    pub tokens: Tokens,
    pub passwords: Passwords,
    pub sign_in_limits: RateLimiter,
    /// Cancelled when the process stops.
    pub stop: CancellationToken,
    /// What runs beside the requests.
    pub tasks: TaskTracker,
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl AppState {
    /// Puts the state together and starts what runs beside the requests.
    pub fn start(config: Config, ctx: Context) -> Self {
        let state = Self(Arc::new(Shared {
            hub: FeedHub::start(&ctx.redis),
            presence: Presence::new(&ctx.redis),
            access: AccessCache::default(),
            tokens: Tokens::new(&config.access),
            passwords: Passwords::default(),
            sign_in_limits: RateLimiter::new(&ctx.redis),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            config,
            ctx,
        }));
        state.tasks.spawn(follow_changes(state.clone()));
        state.tasks.spawn(sweep(state.clone()));
        state
    }

    /// A connection to the database.
    pub async fn conn(&self) -> ApiResult<Connection> {
        Ok(self.ctx.pool.get().await?)
    }

    /// Reads from the database; a connection that turns out to be dead is replaced once.
    pub async fn read<T, F>(&self, query: F) -> ApiResult<T>
    where
        for<'c> F: DbQuery<&'c mut AsyncPgConnection, QueryResult<T>, Fut: Send>,
        F: Clone + Send,
        T: Send,
    {
        let mut conn = self.conn().await?;
        match query.clone()(&mut conn).await {
            Err(error) if is_connection_lost(&error) => {}
            result => return Ok(result?),
        }
        // Given back, it is found to be closed and thrown away.
        drop(conn);
        let mut conn = self.conn().await?;
        Ok(query(&mut conn).await?)
    }

    /// Does what comes after a commit without keeping the client waiting: tells, pushes, hurries.
    pub fn after_commit<F>(&self, work: impl FnOnce(Context) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(work(self.ctx.clone()));
    }

    /// Ends what runs beside the requests.
    pub fn shut_down(&self) {
        self.stop.cancel();
        self.hub.close();
        self.tasks.close();
    }
}

/// A closure `async |conn| …` whose future is known to be `Send`: what the compiler cannot say yet
/// about `AsyncFn`.
pub trait DbQuery<A, R>: AsyncFnOnce(A) -> R + FnOnce(A) -> <Self as DbQuery<A, R>>::Fut {
    /// What the closure returns.
    type Fut: Future<Output = R>;
}

impl<F, A, Fut, R> DbQuery<A, R> for F
where
    F: AsyncFnOnce(A) -> R + FnOnce(A) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}
