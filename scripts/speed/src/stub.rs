//! Three marketplaces in which nothing happens: each answers a list after a while, some with 429, one not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use rand::random_range;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

/// How long an answer takes, in milliseconds.
const TAKES_MS: std::ops::RangeInclusive<u64> = 50..=300;
/// Of a hundred requests so many are refused.
const REFUSED: u32 = 1;
/// Seconds for which whoever is refused shall stay away.
const STAY_AWAY: u32 = 60;
/// A silent marketplace is asked again this often whether it is still silent.
const SILENCE: Duration = Duration::from_millis(100);

/// The marketplaces, on a port of their own.
pub(crate) struct Stub {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Shared {
    /// Wildberries says nothing.
    is_silent: AtomicBool,
    calls: AtomicU64,
    refused: AtomicU64,
}

impl Stub {
    pub(crate) fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let (port, shared) = (listener.local_addr()?.port(), Arc::<Shared>::default());
        runtime.spawn(listen(listener, Arc::clone(&shared)));
        Ok(Self {
            port,
            shared,
            _runtime: runtime,
        })
    }

    /// Whether Wildberries answers from now on.
    pub(crate) fn silence(&self, is_silent: bool) {
        self.shared.is_silent.store(is_silent, Ordering::Relaxed);
    }

    /// Requests so far, and those of them that were refused.
    pub(crate) fn calls(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.shared.calls), of(&self.shared.refused))
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let connections = TaskTracker::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // Whoever hangs up has its reasons.
            serve(stream, &shared).await.ok();
        });
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    loop {
        let Some((length, answer)) = asked(&received) else {
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
            continue;
        };
        received.drain(..length);
        shared.calls.fetch_add(1, Ordering::Relaxed);
        let is_wildberries = matches!(answer, Asked::Wildberries);
        while is_wildberries && shared.is_silent.load(Ordering::Relaxed) {
            sleep(SILENCE).await;
        }
        sleep(Duration::from_millis(random_range(TAKES_MS))).await;
        let answer = if random_range(0..100) < REFUSED {
            shared.refused.fetch_add(1, Ordering::Relaxed);
            refusal()
        } else {
            answer.body()
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// What is asked for.
enum Asked {
    Ozon { account: String },
    Wildberries,
    YandexMarket,
}

impl Asked {
    fn body(&self) -> String {
        match self {
            // A chat whose newest message is stored already.
            Self::Ozon { account } => ok(&format!(
                r#"{{"chats":[{{"chat":{{"chat_id":"chat-{account}","chat_type":"Buyer_Seller","chat_status":"Opened"}},"unread_count":1,"last_message_id":7}}],"has_next":false}}"#
            )),
            Self::Wildberries => {
                ok(r#"{"result":{"next":7,"totalEvents":0,"events":[]},"errors":null}"#)
            }
            Self::YandexMarket => ok(r#"{"status":"OK","result":{"chats":[],"paging":{}}}"#),
        }
    }
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn refusal() -> String {
    format!(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: {STAY_AWAY}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The first complete request: its length and what it asks for.
fn asked(received: &[u8]) -> Option<(usize, Asked)> {
    let end = received.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&received[..end]).unwrap_or_default();
    let value = |name: &str| {
        head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let length = value("content-length").and_then(|it| it.parse().ok());
    let length: usize = end + length.unwrap_or(0);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let asked = if path.starts_with("/ozon") {
        let account = value("client-id").unwrap_or_default();
        Asked::Ozon { account }
    } else if path.starts_with("/wildberries") {
        Asked::Wildberries
    } else {
        Asked::YandexMarket
    };
    (received.len() >= length).then_some((length, asked))
}
