//! Row 12: from a buyer's message in the sandbox to the event in an agent's socket, told by a push or found by a poll.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{Message, WebSocket, connect};

use crate::database::Database;
use crate::http::{Client, request};
use crate::inbox::Place;
use crate::process::{Environment, Process, free_port};
use crate::report::{Verdicts, load};
use crate::sample::Sample;
use crate::{Output, report};

const GOAL_PUSH_MS: f64 = 300.0;
/// Between two polls while buyers write: 5 s, and a tenth of it.
const INTERVAL_MS: f64 = 5_500.0;
/// The longest pause between two messages of buyers.
const PAUSE_MS: u64 = 200;

/// How many.
#[derive(Args)]
pub(crate) struct Options {
    /// Messages that are told by a push, and as many that are not.
    #[arg(long, default_value_t = 500)]
    messages: usize,
    #[command(flatten)]
    output: Output,
}

/// The demo: sandbox, api, worker, and an agent who listens.
struct Demo {
    sandbox: u16,
    heard: Receiver<(String, Instant)>,
    shops: Vec<Shop>,
    _processes: [Process; 3],
}

#[derive(Clone)]
struct Shop {
    marketplace: String,
    seller: String,
    pushes: bool,
    /// The chat in which its buyer goes on.
    chat: Option<String>,
}

/// Measures and prints the row.
pub(crate) fn run(options: &Options) -> Result<()> {
    let place = Place::of_services()?;
    let mut demo = Demo::start(&place)?;
    let pushed = demo.write(options.messages, |shop| shop.pushes)?;
    demo.stop_pushes()?;
    let polled = demo.write(options.messages, |_| true)?;
    let text = table(options, &pushed, &polled)?;
    report::show(
        "live",
        "Row 12: from the buyer to the agent's socket",
        &text,
        options.output,
    )
}

impl Demo {
    fn start(place: &Place) -> Result<Self> {
        let database = Database::create(&place.database_url, "speed_live")?;
        let (sandbox, port) = (free_port()?, free_port()?);
        let base = |name: &str| format!("http://127.0.0.1:{sandbox}/{name}");
        let environment = Environment::new(database.url(), &place.redis_url)
            .with("OZON_BASE_URL", base("ozon"))
            .with("WILDBERRIES_BASE_URL", base("wildberries"))
            .with("YANDEX_MARKET_BASE_URL", base("yandex"))
            .with("SANDBOX_PORT", sandbox)
            .with("SANDBOX_BUYERS_PER_MINUTE", 0)
            .with("STATE_DIR", place.folder.display())
            .with("APP_PORT", port)
            .with("APP_BASE_URL", format!("http://127.0.0.1:{port}"));
        let start = |name, args: &[&str]| Process::start(name, args, &environment, &place.folder);
        let mut outside = start("sandbox", &[])?;
        outside.answers(sandbox, "/control/state")?;
        let of_sandbox = format!("http://127.0.0.1:{sandbox}");
        start("api", &["seed-demo", "--sandbox", &of_sandbox])?.finish()?;
        let mut api = start("api", &[])?;
        api.answers(port, "/ready")?;
        let worker = start("worker", &[])?;
        let demo = Self {
            heard: listen(port)?,
            shops: shops(sandbox)?,
            sandbox,
            _processes: [outside, api, worker],
        };
        // The first polls bring what was there before.
        sleep(Duration::from_secs(8));
        Ok(demo)
    }

    /// Has buyers write to these shops at random moments; how long each message took, in milliseconds.
    fn write(&mut self, messages: usize, at: impl Fn(&Shop) -> bool) -> Result<Sample> {
        let places: Vec<usize> = (0..self.shops.len())
            .filter(|it| at(&self.shops[*it]))
            .collect();
        ensure!(!places.is_empty(), "no shop of the demo is like that");
        let (mut written, began) = (HashMap::new(), Instant::now());
        let mut client = Client::connect(self.sandbox)?;
        for number in 0..messages {
            sleep(Duration::from_millis(rand::random_range(0..PAUSE_MS)));
            let shop = &mut self.shops[places[number % places.len()]];
            let text = format!("Где заказ {:x}?", rand::random::<u64>());
            let body = json!({
                "marketplace": shop.marketplace, "seller": shop.seller, "chat": shop.chat, "text": text,
            });
            let asked = request("/control/buyers/write", None, Some(&body));
            written.insert(text, Instant::now());
            let answer = client.send(&asked)?.json()?;
            shop.chat = answer["chat"].as_str().map(str::to_owned);
        }
        let mut latencies = Vec::new();
        while latencies.len() < messages {
            let heard = self.heard.recv_timeout(Duration::from_secs(30));
            let (text, at) =
                heard.with_context(|| format!("only {} of {messages} came", latencies.len()))?;
            if let Some(written) = written.remove(&text) {
                latencies.push((at - written).as_secs_f64() * 1_000.0);
            }
        }
        Ok(Sample::of(latencies, began.elapsed(), Duration::ZERO))
    }

    fn stop_pushes(&self) -> Result<()> {
        let mut client = Client::connect(self.sandbox)?;
        for shop in &self.shops {
            let body = json!({
                "marketplace": shop.marketplace, "seller": shop.seller, "push_url": null,
            });
            let asked = request("/control/shops", None, Some(&body));
            client.send(&asked)?.expect_success()?;
        }
        Ok(())
    }
}

/// The demo's shops at the sandbox.
fn shops(sandbox: u16) -> Result<Vec<Shop>> {
    let state = Client::connect(sandbox)?.send(&request("/control/state", None, None))?;
    let state = state.json()?;
    let listed = state["shops"].as_array().context("no shops")?;
    let of_demo = listed.iter().filter(|it| it["connected_to"] == "demo");
    let shop = |it: &Value| {
        Some(Shop {
            marketplace: it["marketplace"].as_str()?.to_owned(),
            seller: it["seller"].as_str()?.to_owned(),
            pushes: it["push_url"].is_string(),
            chat: None,
        })
    };
    of_demo
        .map(|it| shop(it).context("a shop without id"))
        .collect()
}

/// Signs an agent in and hears each new message: its text and when it came.
fn listen(port: u16) -> Result<Receiver<(String, Instant)>> {
    let body =
        json!({ "email": "anna@demo.test", "password": "demo-password-1", "tenant": "demo" });
    let answer = Client::connect(port)?.send(&request("/api/v1/auth/login", None, Some(&body)))?;
    let token = answer.json()?["access_token"].clone();
    let (mut socket, _) = connect(format!("ws://127.0.0.1:{port}/api/ws"))?;
    let hello = json!({ "type": "hello", "token": token });
    socket.send(Message::text(hello.to_string()))?;
    let ready = frame(&mut socket)?;
    ensure!(ready["type"] == "ready", "the socket is not ready: {ready}");
    let (tell, heard) = channel();
    spawn(move || {
        while let Ok(frame) = frame(&mut socket) {
            let at = Instant::now();
            if frame["type"] == "message.created"
                && let Some(text) = frame["data"]["text"].as_str()
                && tell.send((text.to_owned(), at)).is_err()
            {
                return;
            }
        }
    });
    Ok(heard)
}

fn frame(socket: &mut WebSocket<MaybeTlsStream<TcpStream>>) -> Result<Value> {
    loop {
        match socket.read()? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Ping(_) => socket.flush()?,
            Message::Close(_) => bail!("the socket was closed"),
            _ => {}
        }
    }
}

fn table(options: &Options, pushed: &Sample, polled: &Sample) -> Result<String> {
    let mut text = format!(
        "The demo's six shops on release builds; {} messages of buyers, 0–{PAUSE_MS} ms apart, to shops that get pushes, \
         then {} to all shops without any push. From the buyer's request at the sandbox to the frame in the agent's \
         socket, ms. While buyers write a shop is polled every 5 s ± 10 %. No floor but one poll and one commit.\n\n",
        options.messages, options.messages
    );
    writeln!(text, "| | p50 | p99 |\n|---|---|---|")?;
    writeln!(text, "| by push | {:.0} | {:.0} |", pushed.p50, pushed.p99)?;
    writeln!(text, "| by poll | {:.0} | {:.0} |", polled.p50, polled.p99)?;
    let mut verdicts = Verdicts::default();
    verdicts.add("push p99 ≤ 300 ms", pushed.p99 <= GOAL_PUSH_MS);
    verdicts.add(
        "poll p99 ≤ the interval + 300 ms",
        polled.p99 <= INTERVAL_MS + GOAL_PUSH_MS,
    );
    writeln!(
        text,
        "\n{verdicts}\n\nLoad of the machine in these minutes: {}.",
        load()?
    )?;
    Ok(text)
}
