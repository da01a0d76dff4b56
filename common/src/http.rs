//! How requests leave this process: the one home of `reqwest`.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Client, ClientBuilder, RequestBuilder, Response, Url};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

pub use reqwest::StatusCode;
pub use reqwest::header::{HeaderMap, HeaderValue};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// How long after the release of its last byte a send may wait for the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Servers close idle connections after 60 s or more (nginx: 75 s); ours go first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const ANSWER_LIMIT_BYTES: usize = 16 * 1024 * 1024;
/// How long a file may take to come, from the first byte of the request to its last.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(60);
const PRODUCT: &str = concat!("chat-center/", env!("CARGO_PKG_VERSION"));

/// Chooses the TLS implementation of this process; a second call does nothing.
pub fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none()
        && rustls::crypto::ring::default_provider()
            .install_default()
            .is_err()
    {
        tracing::debug!("another thread chose the TLS implementation first");
    }
}

/// Speaks to exactly one configured origin: no proxy, no redirect, no request sent twice.
#[derive(Clone, Debug)]
pub struct VendorClient {
    base: Url,
    reads: Client,
    /// Without a pool: a send that goes out on a connection which the server has just closed ends
    /// with a reset after its last byte, and nobody knows then whether it was taken. A handshake
    /// for each send is the cheaper part. It also leaves hyper nothing to try again: it repeats
    /// only requests given back unread by a *reused* connection (hyper-util
    /// `client/legacy/client.rs`, `TrySendError::Retryable`).
    sends: Client,
}

/// A request, without its body.
#[derive(Debug, Default)]
pub struct Call<'a> {
    /// Begins with a slash; goes behind the path of the base URL.
    pub path: &'a str,
    pub query: &'a [(&'a str, &'a str)],
    /// The credentials.
    pub headers: HeaderMap,
}

/// A complete answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// How long the server wants to be left alone, if it says so in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get("retry-after")?.to_str().ok()?;
        value.trim().parse().ok().map(Duration::from_secs)
    }
}

/// No complete answer arrived.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct NoAnswer {
    pub reason: String,
}

/// An address that surely is one of the client's origin.
#[derive(Clone, Debug)]
pub struct OwnAddress(Url);

/// What a request for a file was answered with.
pub enum Download {
    /// A 200, whose body is read piece by piece.
    File(DownloadBody),
    /// Any other answer, whole.
    Other(Answer),
}

/// The bytes of a file as they come; an incomplete one ends with an error.
pub struct DownloadBody {
    pub chunks: BoxStream<'static, Result<Bytes, NoAnswer>>,
}

/// How a gated send ended.
#[derive(Clone, Debug)]
pub enum GatedResult {
    /// The request was never complete: no connection, or the gate closed before its last byte.
    NotSent { reason: String },
    /// A complete 2xx; whether it really confirms anything stands in its body.
    Accepted(Answer),
    /// A complete 4xx, except 408.
    Refused(Answer),
    /// Everything else: the other side may or may not have taken it.
    MaybeSent { reason: String },
}

impl VendorClient {
    /// A client for one origin, with an optional path in front of each request's.
    pub fn new(base_url: &str) -> anyhow::Result<Self> {
        Self::with_timeout(base_url, READ_TIMEOUT)
    }

    /// The same for a server that takes its time to answer what it is asked.
    pub fn with_timeout(base_url: &str, timeout: Duration) -> anyhow::Result<Self> {
        install_crypto();
        let base = Url::parse(base_url).context("not a URL")?;
        ensure!(
            matches!(base.scheme(), "http" | "https") && base.has_host(),
            "expected a http or https URL with a host"
        );
        ensure!(
            base.username().is_empty() && base.password().is_none() && base.query().is_none(),
            "expected a URL without credentials and query"
        );
        Ok(Self {
            base,
            reads: vendor_builder()
                .timeout(timeout)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .build()?,
            sends: vendor_builder().pool_max_idle_per_host(0).build()?,
        })
    }

    /// Reads with GET.
    pub async fn get(&self, call: Call<'_>) -> Result<Answer, NoAnswer> {
        exchange(self.reads.get(self.url(&call)).headers(call.headers)).await
    }

    /// Asks with POST and a JSON body.
    pub async fn post_json<B: Serialize + Sync>(
        &self,
        call: Call<'_>,
        body: &B,
    ) -> Result<Answer, NoAnswer> {
        let request = self.reads.post(self.url(&call)).headers(call.headers);
        exchange(request.json(body)).await
    }

    /// The address if it is one of this origin under `path`: nobody else gets the credentials.
    pub fn own_address(&self, address: &str, path: &str) -> Option<OwnAddress> {
        let url = Url::parse(address).ok()?;
        let place = |url: &Url| {
            let host = url.host_str().map(str::to_owned);
            (url.scheme().to_owned(), host, url.port_or_known_default())
        };
        let is_bare = url.username().is_empty() && url.password().is_none();
        let prefix = format!("{}{path}", self.base.path().trim_end_matches('/'));
        let is_own = is_bare && place(&url) == place(&self.base) && url.path().starts_with(&prefix);
        is_own.then_some(OwnAddress(url))
    }

    /// The address of a path of this origin.
    pub fn address_of(&self, path: &str) -> OwnAddress {
        OwnAddress(self.url(&Call {
            path,
            ..Call::default()
        }))
    }

    /// Reads a file with GET, piece by piece.
    pub async fn download(
        &self,
        address: OwnAddress,
        credentials: HeaderMap,
    ) -> Result<Download, NoAnswer> {
        let request = self.reads.get(address.0).headers(credentials);
        let response = request.timeout(DOWNLOAD_TIMEOUT).send().await;
        let response = response.map_err(|error| no_answer(error.without_url()))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status == StatusCode::OK {
            let chunks = response.bytes_stream();
            let chunks = chunks.map(|it| it.map_err(|error| no_answer(error.without_url())));
            return Ok(Download::File(DownloadBody {
                chunks: chunks.boxed(),
            }));
        }
        let body = read_body(response).await?;
        Ok(Download::Other(Answer {
            status,
            headers,
            body,
        }))
    }

    /// Posts a body whose last byte leaves only before `release_before`, so that a process that was
    /// frozen meanwhile cannot complete a stale request. Takes at most 10 s longer than that.
    pub async fn send_gated(
        &self,
        call: Call<'_>,
        content_type: &str,
        body: Bytes,
        release_before: Instant,
    ) -> GatedResult {
        let gate = Arc::new(Gate::default());
        let request = self
            .sends
            .post(self.url(&call))
            .headers(call.headers)
            .header(CONTENT_TYPE, content_type)
            // With its length told the body is not chunked: one byte short, it is incomplete.
            .header(CONTENT_LENGTH, body.len())
            .body(gated_body(body, Arc::clone(&gate), release_before));
        let ended = timeout_at(release_before + ANSWER_TIMEOUT, exchange(request)).await;
        let held_back = gate.shut();
        match ended {
            Ok(answer) => judge(answer, held_back),
            Err(_elapsed) => judge(Err(no_answer("no answer in time")), held_back),
        }
    }

    /// Always of the configured origin: only path and query are set.
    fn url(&self, call: &Call<'_>) -> Url {
        let mut url = self.base.clone();
        let prefix = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{prefix}{}", call.path));
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        url
    }
}

fn vendor_builder() -> ClientBuilder {
    Client::builder()
        .user_agent(PRODUCT)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
}

async fn exchange(request: RequestBuilder) -> Result<Answer, NoAnswer> {
    let response = request
        .send()
        .await
        .map_err(|error| no_answer(error.without_url()))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = read_body(response).await?;
    Ok(Answer {
        status,
        headers,
        body,
    })
}

async fn read_body(mut response: Response) -> Result<Bytes, NoAnswer> {
    let mut body = BytesMut::new();
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| no_answer(error.without_url()))? else {
            return Ok(body.freeze());
        };
        if body.len() + chunk.len() > ANSWER_LIMIT_BYTES {
            return Err(no_answer("the answer is larger than 16 MiB"));
        }
        body.extend_from_slice(&chunk);
    }
}

/// The whole chain: reqwest's own text does not name the cause.
fn no_answer(error: impl Into<Box<dyn Error + Send + Sync>>) -> NoAnswer {
    let error = error.into();
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    NoAnswer { reason }
}

fn judge(answer: Result<Answer, NoAnswer>, held_back: bool) -> GatedResult {
    let reason = match answer {
        Ok(answer) if refuses(answer.status) => return GatedResult::Refused(answer),
        Ok(answer) if answer.status.is_success() && !held_back => {
            return GatedResult::Accepted(answer);
        }
        Ok(answer) if answer.status.is_success() => {
            let reason = "confirmed before the request was complete".to_owned();
            return GatedResult::MaybeSent { reason };
        }
        Ok(answer) => format!("answered with status {}", answer.status.as_u16()),
        Err(no_answer) => no_answer.reason,
    };
    if held_back {
        GatedResult::NotSent { reason }
    } else {
        GatedResult::MaybeSent { reason }
    }
}

/// 408 comes from proxies that gave up waiting, perhaps for the server behind them.
fn refuses(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
}

fn gated_body(body: Bytes, gate: Arc<Gate>, release_before: Instant) -> Body {
    let last = body.len().saturating_sub(1);
    let (most, last) = (body.slice(..last), body.slice(last..));
    let released = async move {
        // One turn of the connection's task flushes what is written so far.
        tokio::task::yield_now().await;
        if Instant::now() < release_before && gate.release() {
            Ok(last)
        } else {
            Err("its last byte was held back: too late")
        }
    };
    Body::wrap_stream(stream::iter([Ok(most)]).chain(stream::once(released)))
}

/// Whether a request's last byte went out: decided once, by whoever comes first.
#[derive(Debug, Default)]
struct Gate(AtomicU8);

impl Gate {
    const HELD: u8 = 0;
    const RELEASED: u8 = 1;
    const SHUT: u8 = 2;

    /// Lets the last byte out; false if the gate is shut for good.
    fn release(&self) -> bool {
        self.turn(Self::RELEASED).is_ok()
    }

    /// Keeps the last byte in for good; false if it is out already.
    fn shut(&self) -> bool {
        self.turn(Self::SHUT).is_ok()
    }

    fn turn(&self, to: u8) -> Result<u8, u8> {
        self.0
            .compare_exchange(Self::HELD, to, Ordering::AcqRel, Ordering::Acquire)
    }
}
