//! A Redis of the test's own: it can be stopped, frozen and emptied without disturbing others.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::jobs::Redis;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

/// A private server, ended when it is dropped.
pub(crate) struct RedisServer {
    port: u16,
    dir: PathBuf,
    process: Option<Child>,
}

impl RedisServer {
    /// A server on a free port.
    pub(crate) async fn start() -> Self {
        let mut server = Self::absent();
        server.come_back().await;
        server
    }

    /// The address of a server that is not there yet.
    pub(crate) fn absent() -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let dir = std::env::temp_dir().join(format!("redis-test-{port}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory for redis");
        Self {
            port,
            dir,
            process: None,
        }
    }

    /// Starts the server again, without its data.
    pub(crate) async fn come_back(&mut self) {
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &self.port.to_string()])
            .arg("--dir")
            .arg(&self.dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.process = Some(process);
        let redis = self.redis("");
        eventually("redis answers", || async { redis.ping().await.is_ok() }).await;
    }

    /// Ends the server without a goodbye.
    pub(crate) fn die(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("redis can be killed");
            process.wait().expect("redis can be waited for");
        }
    }

    /// Stops the server's process: connections stay open and nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen server go on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// A new view of this server.
    pub(crate) fn redis(&self, prefix: &str) -> Redis {
        Redis::new(&self.url(), prefix).expect("a valid address")
    }

    /// The server's address.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A plain connection, to look and to meddle.
    pub(crate) async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("a valid address");
        client
            .get_multiplexed_async_connection()
            .await
            .expect("redis answers")
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().expect("redis runs").id();
        let status = Command::new("kill")
            .args([signal, &id.to_string()])
            .status();
        assert!(status.expect("kill is installed").success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.die();
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

/// A way to a server that can die without anybody being told.
pub(crate) struct Wire {
    port: u16,
    life: watch::Sender<u32>,
}

impl Wire {
    /// A wire to this server.
    pub(crate) async fn to(server: &RedisServer) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let life = watch::Sender::new(0);
        let (lives, server) = (life.subscribe(), server.port);
        TaskTracker::new().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                TaskTracker::new().spawn(carry(client, server, lives.clone()));
            }
        });
        Self { port, life }
    }

    /// Lets the connections of now carry nothing any more, and not end either; new ones work.
    pub(crate) fn go_dead(&self) {
        self.life.send_modify(|life| *life += 1);
    }

    /// A view of the server through this wire.
    pub(crate) fn redis(&self, prefix: &str) -> Redis {
        let url = format!("redis://127.0.0.1:{}", self.port);
        Redis::new(&url, prefix).expect("a valid address")
    }
}

async fn carry(mut client: TcpStream, server: u16, mut life: watch::Receiver<u32>) {
    let server = TcpStream::connect(("127.0.0.1", server)).await;
    let mut server = server.expect("the server takes connections");
    life.mark_unchanged();
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        // Kept open, until the test ends.
        _ = life.changed() => std::future::pending().await,
    }
}

/// Waits, at most 15 s, until something is so.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, is_so: impl FnMut() -> F) {
    within(Duration::from_secs(15), what, is_so).await;
}

/// Waits until something is so, at most for the given time.
pub(crate) async fn within<F: Future<Output = bool>>(
    time: Duration,
    what: &str,
    mut is_so: impl FnMut() -> F,
) {
    let end = Instant::now() + time;
    while !is_so().await {
        assert!(Instant::now() < end, "not in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
