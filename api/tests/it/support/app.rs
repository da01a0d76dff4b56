//! The API, served on a port of its own, with a database of its own.

use std::net::SocketAddr;
use std::time::Duration;

use api::AppState;
use chrono::TimeDelta;
use common::clock::Clock;
use common::config::{Config, Env};
use common::db::chats::{self, Chat};
use common::db::tenants::{self, NewTenant, Tenant};
use common::db::users::{self, NewUser, Role};
use common::db::{self, Connection};
use common::feed::Feed;
use common::files::FileStore;
use common::flows::{Context, SyncRules};
use common::ids::{ChatId, TenantId, new_public_id};
use common::jobs::{JobQueue, Redis};
use common::limits::Limits;
use common::llm::Providers;
use common::marketplaces::Marketplaces;
use diesel_async::RunQueryDsl;
use sandbox::{Options, Sandbox};
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::database::fresh_database;
use super::person::Person;
use super::{Answer, guard};

/// The API and what it needs; gone when dropped.
pub(crate) struct TestApp {
    pub(crate) state: AppState,
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
    /// Where files lie.
    pub(crate) folder: TempDir,
    address: SocketAddr,
    /// How many tasks run beside the requests as long as the process does.
    lasting_tasks: usize,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.state.shut_down();
        if !std::thread::panicking() {
            guard::check();
        }
    }
}

impl TestApp {
    /// With the usual configuration.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With some variables set otherwise.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let database = fresh_database().await;
        let mut all = vec![("DATABASE_URL", database.expose_secret())];
        all.extend_from_slice(variables);
        Self::start_bare(&all).await
    }

    /// Without a database of its own.
    pub(crate) async fn start_bare(variables: &[(&str, &str)]) -> Self {
        guard::watch();
        let world = Options {
            has_chats: false,
            ..Options::default()
        };
        let sandbox = Sandbox::start(world).await.expect("a sandbox");
        let folder = tempfile::tempdir().expect("a folder");
        let files = folder.path().to_str().expect("a plain path");
        let mut all = vec![("FILES_DIR", files)];
        all.extend_from_slice(variables);
        let config = config(&sandbox, &all);
        let ctx = context(&config);
        let state = AppState::start(config, ctx);
        let lasting_tasks = state.tasks.len();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = api::router(state.clone());
        let service = service.into_make_service_with_connect_info::<SocketAddr>();
        let stop = state.stop.clone();
        TaskTracker::new().spawn(async move {
            let stopped = async move { stop.cancelled().await };
            let server = axum::serve(listener, service);
            server.with_graceful_shutdown(stopped).await.ok();
        });
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self {
            state,
            sandbox,
            http,
            folder,
            address,
            lasting_tasks,
        }
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same for WebSockets.
    pub(crate) fn socket_url(&self) -> String {
        format!("ws://{}/api/ws", self.address)
    }

    /// The business's clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.state.ctx.clock
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.clock().advance(by);
    }

    pub(crate) async fn conn(&self) -> Connection {
        self.state.ctx.pool.get().await.expect("a connection")
    }

    /// Somebody who is not signed in asks.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(self.url(path))).await
    }

    /// Somebody who is not signed in sends JSON.
    pub(crate) async fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        Answer::of(self.http.post(self.url(path)).json(body)).await
    }

    /// The tenant with this slug, made if it is not there.
    pub(crate) async fn tenant(&self, slug: &str) -> Tenant {
        let mut conn = self.conn().await;
        let tenant = NewTenant {
            id: TenantId(new_public_id()),
            slug,
            name: slug,
            created_at: self.clock().now(),
        };
        tenants::insert_new(&mut conn, &tenant).await.unwrap();
        let found = tenants::find_by_slug(&mut conn, slug).await.unwrap();
        found.expect("the tenant was made")
    }

    /// An agent of the tenant `demo`, signed in.
    pub(crate) async fn agent(&self, name: &str) -> Person<'_> {
        self.person("demo", name, Role::Agent).await
    }

    /// An admin of the tenant `demo`, signed in.
    pub(crate) async fn admin(&self, name: &str) -> Person<'_> {
        self.person("demo", name, Role::Admin).await
    }

    /// Somebody of a tenant, signed in.
    pub(crate) async fn person(&self, slug: &str, name: &str, role: Role) -> Person<'_> {
        let tenant = self.tenant(slug).await;
        let mut conn = self.conn().await;
        let email = format!("{name}@{slug}.test");
        let now = self.clock().now();
        let user = NewUser {
            tenant_id: tenant.id,
            public_id: new_public_id(),
            email: Some(&email),
            username: name,
            // Nobody signs in with a password that is not hashed.
            password_hash: "none",
            role,
            confirmed_at: Some(now),
            created_at: now,
        };
        let user = users::insert(&mut conn, &user).await.unwrap();
        Person::sign_in(self, user).await
    }

    /// All rows of a table, as text.
    pub(crate) async fn dump(&self, table: &str) -> String {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            row: String,
        }
        let mut conn = self.conn().await;
        let query = format!("SELECT dumped::text AS row FROM {table} dumped");
        let rows: Vec<Row> = diesel::sql_query(query).load(&mut conn).await.unwrap();
        rows.into_iter().map(|row| row.row + "\n").collect()
    }

    /// Waits until nothing runs beside the requests but what always does.
    pub(crate) async fn is_idle(&self) {
        for _ in 0..500 {
            if self.state.tasks.len() <= self.lasting_tasks {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("something runs and does not end");
    }

    /// The chat as it is stored.
    pub(crate) async fn chat(&self, tenant: TenantId, id: ChatId) -> Chat {
        let mut conn = self.conn().await;
        let found = chats::find(&mut conn, tenant, id).await.unwrap();
        found.expect("the chat is there")
    }
}

fn config(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Config {
    let redis = Env::of_process().get("REDIS_URL").map(str::to_owned);
    let redis = redis.expect("REDIS_URL names a Redis: run the tests by scripts/test");
    let url = |marketplace| sandbox.base_url(marketplace);
    let (ozon, wildberries, yandex_market) = (
        url(sandbox::Marketplace::Ozon),
        url(sandbox::Marketplace::Wildberries),
        url(sandbox::Marketplace::YandexMarket),
    );
    let mut pairs = vec![
        ("REDIS_URL", redis.as_str()),
        (
            "ENCRYPTION_KEY",
            "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        ),
        ("JWT_SECRET", "a-jwt-secret-of-the-tests-0123456789"),
        (
            "AUTH_TOKEN_SECRET",
            "an-auth-secret-of-the-tests-0123456789",
        ),
        ("APP_BASE_URL", "https://chat.example"),
        ("OZON_BASE_URL", &ozon),
        ("WILDBERRIES_BASE_URL", &wildberries),
        ("YANDEX_MARKET_BASE_URL", &yandex_market),
    ];
    pairs.extend_from_slice(variables);
    Config::read(&Env::of(pairs)).expect("a configuration")
}

/// Like the product's, but with a prefix of its own in Redis.
fn context(config: &Config) -> Context {
    let prefix = format!("test:{}:", Uuid::new_v4().simple());
    let redis = Redis::new(config.redis_url.expose_secret(), &prefix).expect("a Redis address");
    Context {
        pool: db::connect(&config.database_url, 4).expect("a pool"),
        marketplaces: Marketplaces::new(&config.vendors).expect("connectors"),
        providers: Providers::new(&config.llm).expect("providers"),
        limits: Limits::new(&redis),
        feed: Feed::new(&redis),
        files: FileStore::new(&config.files),
        jobs: JobQueue::new(&redis),
        redis,
        clock: Clock::default(),
        keyring: config.keyring.clone(),
        delivery: config.delivery,
        sync: SyncRules {
            slowest: config.poll_interval,
        },
        base_url: config.base_url.clone(),
        push_secret: config.access.auth_token_secret.clone(),
    }
}
