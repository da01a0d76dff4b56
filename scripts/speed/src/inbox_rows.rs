//! Rows 4 and 6: the queue of chats, the messages of one, and an answer, beside pgbench with the same statements.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;

use crate::database::Statement;
use crate::http::request;
use crate::inbox::{Inbox, Place, Round, TALKATIVE};
use crate::pgbench::Script;
use crate::report::{Verdicts, load};
use crate::sample::{FLOOR_MOVES, Pair, Sample};
use crate::{Output, report};

/// The load of rows 4 and 6 where nothing else is said.
pub(crate) const CLIENTS: usize = 16;

/// How much and how long.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Chats of the tenant.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) chats: u32,
    /// Rounds, each of the product and of the floor in turn.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Seconds of a round.
    #[arg(long, default_value_t = 4)]
    pub(crate) seconds: u64,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// The pairs of one workload: many clients, and one.
struct Workload<'a> {
    name: &'a str,
    script: Script,
    make: Box<dyn Fn() -> Vec<u8> + Sync + 'a>,
    many: Pair,
    one: Pair,
}

/// Row 4.
pub(crate) fn list(options: &Options) -> Result<()> {
    let place = Place::of_services()?;
    let inbox = Inbox::open(&place, options.chats)?;
    let path = "/api/chats?limit=50";
    let listed = inbox.get(path)?["chats"].as_array().map_or(0, Vec::len);
    ensure!(listed == 50, "a page of {listed} chats");
    let asked = inbox.request(path);
    let workloads = vec![Workload::new(
        "50 chats",
        inbox.script(path)?,
        Box::new(move || asked.clone()),
    )];
    let workloads = measure(&inbox, options, workloads)?;
    let mut text = introduction(options);
    table(&mut text, &workloads)?;
    let both = &workloads[0];
    let rate = both.many.ratio(|it| it.rate);
    let (ours, floor) = (
        Sample::medians(&both.one.ours),
        Sample::medians(&both.one.floor),
    );
    let added = ours.p50 - floor.p50;
    let mut verdicts = Verdicts::default();
    verdicts.add(
        &format!("c=16 rate ≥ 0.45 of pgbench's: {rate:.2}"),
        rate >= 0.45,
    );
    verdicts.add(
        &format!("c=1 p50 ≤ pgbench's + 0.15 ms: + {added:.3} ms"),
        added <= 0.15,
    );
    finish(&mut text, &verdicts, &workloads)?;
    report(
        options,
        "list",
        "Row 4: the queue, 50 of many chats by deadline",
        &text,
        &workloads,
    )
}

/// Row 6.
pub(crate) fn messages(options: &Options) -> Result<()> {
    let place = Place::of_services()?;
    let inbox = Inbox::open(&place, options.chats)?;
    let chats = TALKATIVE.min(options.chats);
    let draw = format!("\\set chat random(1, {chats})\n");
    let chat = move || rand::random_range(1..=chats);
    let of = |chat: u32| format!("/api/messages/chat/{chat}?limit=50");
    let listed = inbox.get(&of(7))?["messages"]
        .as_array()
        .map_or(0, Vec::len);
    ensure!(listed == 30, "a chat of {listed} messages");
    let sent = inbox.statements(&inbox.request(&of(2)), &inbox.request(&of(7)))?;
    let read = Script::new(&draw, &sent, &[("7", ":chat")])?;
    let post = post(&inbox, &draw)?;
    let workloads = vec![
        Workload::new(
            "read messages",
            read,
            Box::new(|| inbox.request(&of(chat()))),
        ),
        Workload::new("post a message", post, Box::new(|| inbox.post(chat()))),
    ];
    let workloads = measure(&inbox, options, workloads)?;
    let mut text = introduction(options);
    table(&mut text, &workloads)?;
    let mut verdicts = Verdicts::default();
    for (workload, goal) in workloads.iter().zip([0.45, 0.6]) {
        let name = workload.name;
        let (rate, p99) = (
            workload.many.ratio(|it| it.rate),
            workload.many.ratio(|it| it.p99),
        );
        verdicts.add(&format!("{name}: rate ≥ {goal}: {rate:.2}"), rate >= goal);
        verdicts.add(&format!("{name}: p99 ≤ 3×: {p99:.1}×"), p99 <= 3.0);
    }
    finish(&mut text, &verdicts, &workloads)?;
    report(
        options,
        "messages",
        "Row 6: messages of a chat, and an answer",
        &text,
        &workloads,
    )
}

/// The statements of an answer, as pgbench stores one in a chat that it draws.
fn post(inbox: &Inbox, draw: &str) -> Result<Script> {
    let (first, second) = (inbox.post(2), inbox.post(7));
    let mut sent = inbox.statements(&first, &second)?;
    let stored = |it: &Statement| it.sql.starts_with("INSERT INTO \"messages\"");
    let place = sent
        .iter()
        .position(stored)
        .context("no message is stored")?;
    let values = sent[place].parameters.iter().flatten();
    let is_id = |value: &&String| value.len() == 36 && value.matches('-').count() == 4;
    let public_id = values
        .clone()
        .filter(is_id)
        .nth(1)
        .context("no public id")?
        .clone();
    let client = values.clone().find(|it| it.starts_with("speed-"));
    let client = client.context("no client's id")?.clone();
    // What is done after the commit belongs to no request.
    if let Some(end) = sent.iter().position(|it| it.sql == "COMMIT") {
        sent.truncate(end + 1);
    }
    let head = format!("{draw}\\set client random(1, 9000000000000000)\n");
    let instead = [
        ("7", ":chat"),
        (&*public_id, "gen_random_uuid()"),
        (&*client, ":client"),
    ];
    Script::new(&head, &sent, &instead)
}

impl Inbox {
    fn script(&self, path: &str) -> Result<Script> {
        let asked = self.request(path);
        Script::new("", &self.statements(&asked, &asked)?, &[])
    }

    /// An answer in a chat.
    fn post(&self, chat: u32) -> Vec<u8> {
        let body = json!({
            "chat_id": chat,
            "text": "Здравствуйте! Заказ уже в пути и приедет завтра до обеда.",
            "client_message_id": format!("speed-{:x}", rand::random::<u64>()),
        });
        request("/api/messages", Some(self.token()), Some(&body))
    }
}

impl<'a> Workload<'a> {
    fn new(name: &'a str, script: Script, make: Box<dyn Fn() -> Vec<u8> + Sync + 'a>) -> Self {
        Self {
            name,
            script,
            make,
            many: Pair::default(),
            one: Pair::default(),
        }
    }

    fn round(&mut self, inbox: &Inbox, number: usize, time: Duration) -> Result<()> {
        for (clients, pair) in [(CLIENTS, &mut self.many), (1, &mut self.one)] {
            let round = Round {
                number,
                clients,
                time,
                script: &self.script,
            };
            inbox.compare(&round, pair, &*self.make)?;
        }
        Ok(())
    }
}

fn measure<'a>(
    inbox: &Inbox,
    options: &Options,
    mut workloads: Vec<Workload<'a>>,
) -> Result<Vec<Workload<'a>>> {
    // The first requests find cold caches.
    for workload in &mut workloads {
        workload.round(inbox, 0, Duration::from_secs(1))?;
        (workload.many, workload.one) = Default::default();
    }
    for number in 0..options.rounds {
        for workload in &mut workloads {
            workload.round(inbox, number, Duration::from_secs(options.seconds))?;
        }
    }
    Ok(workloads)
}

fn introduction(options: &Options) -> String {
    format!(
        "{} chats of one tenant; {} rounds of {} s each in turn, medians of the rounds and of their ratios. Ours is the \
         release build of the api over HTTP with a session; the floor is `pgbench -M prepared` with the statements that \
         the api was seen to send. Clients, server and PostgreSQL (fsync off) share the two cores. Times in ms; \
         CPU-seconds per 1,000 operations are those of api and PostgreSQL, without the clients.\n\n",
        options.chats, options.rounds, options.seconds
    )
}

fn table(text: &mut String, workloads: &[Workload<'_>]) -> Result<()> {
    writeln!(
        text,
        "| | a second | p50 | p99 | CPU-s / 1,000 |\n|---|---|---|---|---|"
    )?;
    for workload in workloads {
        for (clients, pair) in [(CLIENTS, &workload.many), (1, &workload.one)] {
            let name = format!("{}, c={clients}", workload.name);
            lines(text, &name, pair)?;
        }
    }
    Ok(())
}

/// Ours, the floor, and the ratio.
pub(crate) fn lines(text: &mut String, name: &str, pair: &Pair) -> Result<()> {
    for (who, rounds) in [("ours", &pair.ours), ("pgbench", &pair.floor)] {
        let it = Sample::medians(rounds);
        let (rate, cpu) = (it.rate, it.cpu_per_thousand);
        writeln!(
            text,
            "| {name}: {who} | {rate:.0} | {:.2} | {:.2} | {cpu:.2} |",
            it.p50, it.p99
        )?;
    }
    let of = |figure: fn(&Sample) -> f64| pair.ratio(figure);
    writeln!(
        text,
        "| {name}: ratio | {:.2} | {:.2}× | {:.2}× | {:.2}× |",
        of(|it| it.rate),
        of(|it| it.p50),
        of(|it| it.p99),
        of(|it| it.cpu_per_thousand)
    )?;
    Ok(())
}

fn finish(text: &mut String, verdicts: &Verdicts, workloads: &[Workload<'_>]) -> Result<()> {
    writeln!(text, "\n{verdicts}\n")?;
    writeln!(text, "{}", report::floor_note(moved(workloads), &load()?))?;
    Ok(())
}

/// How far the floor of the workloads with many clients moved at most.
fn moved(workloads: &[Workload<'_>]) -> f64 {
    workloads
        .iter()
        .map(|it| it.many.floor_moved())
        .fold(0.0, f64::max)
}

fn report(
    options: &Options,
    row: &str,
    title: &str,
    text: &str,
    workloads: &[Workload<'_>],
) -> Result<()> {
    let output = options.output.if_counts(moved(workloads) <= FLOOR_MOVES);
    report::show(row, title, text, output)
}
