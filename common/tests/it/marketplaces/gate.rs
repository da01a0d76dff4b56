//! A send ends as sent, not sent or maybe sent, and its last byte never leaves too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use common::channel::Marketplace;
use common::http::{Call, GatedResult, VendorClient};
use common::marketplaces::{ListPage, ListScope, Refusal, SendOutcome, VendorError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use wiremock::{MockServer, ResponseTemplate};

use super::{Shop, access, connectors, send};

const BODY: &str = r#"{"chat_id":"1","text":"hello"}"#;
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n\
    {\"result\":\"success\"}";
const TEN_SECONDS: Duration = Duration::from_secs(10);

/// What a raw server saw of one connection.
#[derive(Debug, Default)]
struct Seen {
    bytes: Vec<u8>,
    /// The other side closed or reset the connection.
    ended: bool,
}

impl Seen {
    fn body(&self) -> &[u8] {
        let head = self.bytes.windows(4).position(|end| end == b"\r\n\r\n");
        head.map_or(&[], |at| &self.bytes[at + 4..])
    }

    fn is_complete(&self) -> bool {
        let text = String::from_utf8_lossy(&self.bytes).to_lowercase();
        let length = text.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
        length.is_some_and(|length| self.body().len() >= length)
    }
}

/// Reads until the request is complete or the connection ends.
async fn read_request(stream: &mut TcpStream) -> Seen {
    let mut seen = Seen::default();
    while !seen.is_complete() {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => {
                seen.ended = true;
                break;
            }
            Ok(read) => seen.bytes.extend_from_slice(&chunk[..read]),
        }
    }
    seen
}

/// Answers the first connection's request with raw bytes, then closes.
async fn server(answer: &'static str) -> (String, JoinHandle<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let seen = Handle::current().spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let seen = read_request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.ok();
        seen
    });
    (base, seen)
}

async fn gated(base: &str, budget: Duration) -> GatedResult {
    let client = VendorClient::new(base).unwrap();
    let call = Call {
        path: "/v1/chat/send/message",
        ..Call::default()
    };
    let before = Instant::now() + budget;
    client
        .send_gated(call, "application/json", Bytes::from(BODY), before)
        .await
}

#[tokio::test]
async fn a_confirmed_send_is_whole_and_has_its_length() {
    let (base, seen) = server(OK).await;
    let result = gated(&base, TEN_SECONDS).await;
    assert!(matches!(result, GatedResult::Accepted(_)), "{result:?}");
    let seen = seen.await.unwrap();
    assert_eq!(seen.body(), BODY.as_bytes());
    let head = String::from_utf8_lossy(&seen.bytes).to_lowercase();
    assert!(
        head.contains(&format!("content-length: {}", BODY.len())),
        "{head}"
    );
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn after_the_deadline_the_last_byte_stays_here() {
    let (base, seen) = server(OK).await;
    let result = gated(&base, Duration::ZERO).await;
    assert!(matches!(result, GatedResult::NotSent { .. }), "{result:?}");
    let seen = timeout(TEN_SECONDS, seen).await.unwrap().unwrap();
    assert!(seen.ended && !seen.is_complete());
    assert!(seen.body().len() < BODY.len());
}

#[tokio::test]
async fn a_connection_that_opens_too_late_completes_nothing() {
    // Nobody accepts: the kernel completes the handshake, the connector writes, and then waits.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let sending = Handle::current().spawn(async move { gated(&base, Duration::ZERO).await });
    let result = timeout(TEN_SECONDS, sending).await.unwrap().unwrap();
    assert!(matches!(result, GatedResult::NotSent { .. }), "{result:?}");
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(!read_request(&mut stream).await.is_complete());
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let result = gated(&base, TEN_SECONDS).await;
    assert!(matches!(result, GatedResult::NotSent { .. }), "{result:?}");
}

#[tokio::test]
async fn a_failed_handshake_is_not_sent() {
    let (base, seen) = server("HTTP/1.1 400 No TLS\r\n\r\n").await;
    let base = base.replace("http://", "https://");
    let sending = Handle::current().spawn(async move { gated(&base, TEN_SECONDS).await });
    let result = timeout(TEN_SECONDS * 3, sending).await.unwrap().unwrap();
    assert!(matches!(result, GatedResult::NotSent { .. }), "{result:?}");
    seen.abort();
}

#[tokio::test]
async fn whatever_follows_the_last_byte_without_a_clear_answer_is_maybe_sent() {
    for (name, answer) in [
        ("cut after the request", ""),
        ("cut in the head", "HTTP/1.1 200 OK\r\nconte"),
        ("no HTTP", "hello\r\n\r\n"),
        (
            "truncated body",
            "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"result\":",
        ),
        (
            "truncated refusal",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 90\r\n\r\n{\"code\":3",
        ),
        (
            "server error",
            "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "bad gateway",
            "HTTP/1.1 502 Oops\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "timeout told",
            "HTTP/1.1 408 Late\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "redirect",
            "HTTP/1.1 307 There\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
        ),
    ] {
        let (base, seen) = server(answer).await;
        let result = gated(&base, TEN_SECONDS).await;
        let is_maybe = matches!(result, GatedResult::MaybeSent { .. });
        assert!(is_maybe, "{name}: {result:?}");
        assert!(seen.await.unwrap().is_complete(), "{name}");
    }
}

#[tokio::test]
async fn complete_refusals_are_refusals() {
    for answer in [
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 420 Calm\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (base, _seen) = server(answer).await;
        let result = gated(&base, TEN_SECONDS).await;
        assert!(matches!(result, GatedResult::Refused(_)), "{result:?}");
    }
}

#[tokio::test]
async fn a_silent_server_holds_a_send_for_ten_seconds_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let started = Instant::now();
    let held = Handle::current().spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let seen = read_request(&mut stream).await;
        // Until the other side gives up.
        assert!(!matches!(stream.read(&mut [0; 1]).await, Ok(1..)));
        seen
    });
    let result = gated(&base, Duration::from_millis(500)).await;
    assert!(
        matches!(result, GatedResult::MaybeSent { .. }),
        "{result:?}"
    );
    let took = started.elapsed();
    assert!(took > TEN_SECONDS && took < TEN_SECONDS * 2, "{took:?}");
    assert!(held.await.unwrap().is_complete());
}

#[tokio::test]
async fn no_send_uses_a_connection_again() {
    // A server that keeps alive, then resets whatever comes second on a connection: with a pool
    // the second send would end as maybe sent, or be sent twice.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (requests, counted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (all, connections) = (Arc::clone(&requests), Arc::clone(&counted));
    let server = Handle::current().spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            let all = Arc::clone(&all);
            Handle::current().spawn(async move {
                if read_request(&mut stream).await.is_complete() {
                    all.fetch_add(1, Ordering::SeqCst);
                    stream.write_all(OK.as_bytes()).await.unwrap();
                }
                if read_request(&mut stream).await.is_complete() {
                    all.fetch_add(1, Ordering::SeqCst);
                }
                stream.set_zero_linger().unwrap();
            });
        }
    });
    let client = VendorClient::new(&base).unwrap();
    for _ in 0..5 {
        let call = Call {
            path: "/send",
            ..Call::default()
        };
        let before = Instant::now() + TEN_SECONDS;
        let result = client
            .send_gated(call, "application/json", Bytes::from(BODY), before)
            .await;
        assert!(matches!(result, GatedResult::Accepted(_)), "{result:?}");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 5);
    assert_eq!(counted.load(Ordering::SeqCst), 5);
    server.abort();
}

#[tokio::test]
async fn every_connector_sends_through_the_gate() {
    for marketplace in Marketplace::ALL {
        let (base, seen) = server("").await;
        let connectors = connectors(&base);
        let connector = connectors.get(marketplace);
        let access = access(marketplace);
        let maybe = connector
            .send_text(&access, send("1", "Здравствуйте"))
            .await;
        assert!(
            matches!(maybe, SendOutcome::MaybeSent { .. }),
            "{marketplace}: {maybe:?}"
        );
        assert!(seen.await.unwrap().is_complete());
        // The server took one connection only and is gone.
        let gone = connector
            .send_text(&access, send("1", "Здравствуйте"))
            .await;
        assert!(
            matches!(gone, SendOutcome::NotSent(Refusal::Unreachable { .. })),
            "{marketplace}: {gone:?}"
        );
    }
}

#[tokio::test]
async fn a_held_back_send_of_every_connector_is_unreachable() {
    for marketplace in Marketplace::ALL {
        let (base, seen) = server(OK).await;
        let connectors = connectors(&base);
        let mut late = send("1", "Здравствуйте");
        late.release_before = Instant::now();
        let outcome = connectors
            .get(marketplace)
            .send_text(&access(marketplace), late)
            .await;
        assert!(
            matches!(outcome, SendOutcome::NotSent(Refusal::Unreachable { .. })),
            "{marketplace}: {outcome:?}"
        );
        assert!(!seen.await.unwrap().is_complete());
    }
}

#[tokio::test]
async fn confirmations_that_confirm_nothing_are_maybe_sent() {
    for marketplace in Marketplace::ALL {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ] {
            let (base, _seen) = server(answer).await;
            let outcome = connectors(&base)
                .get(marketplace)
                .send_text(&access(marketplace), send("1", "Здравствуйте"))
                .await;
            assert!(
                matches!(outcome, SendOutcome::MaybeSent { .. }),
                "{marketplace}, {answer}: {outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn reads_follow_no_redirect_and_take_no_endless_answer() {
    let elsewhere = MockServer::start().await;
    let redirect = ResponseTemplate::new(307).insert_header("location", elsewhere.uri());
    let endless = ResponseTemplate::new(200).set_body_bytes(vec![b' '; 17 << 20]);
    let page = ListPage {
        scope: ListScope::All,
        cursor: None,
    };
    for marketplace in Marketplace::ALL {
        let shop = Shop::answering(marketplace, redirect.clone()).await;
        let failed = shop.connector().list_chats(&shop.access, page).await;
        assert!(
            matches!(failed, Err(VendorError::Unexpected { .. })),
            "{failed:?}"
        );
        let shop = Shop::answering(marketplace, endless.clone()).await;
        let failed = shop.connector().list_chats(&shop.access, page).await;
        assert!(
            matches!(failed, Err(VendorError::Unavailable { .. })),
            "{failed:?}"
        );
    }
    let followed = elsewhere.received_requests().await.unwrap();
    assert!(followed.is_empty(), "the key went elsewhere: {followed:?}");
}

#[test]
fn only_plain_origins_are_accepted() {
    for url in [
        "",
        "api-seller.ozon.ru",
        "ftp://a.ru",
        "http://user:key@a.ru",
        "http://a.ru?x=1",
    ] {
        assert!(VendorClient::new(url).is_err(), "{url}");
    }
}
