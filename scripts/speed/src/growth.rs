//! Row 5: what becomes of the queue when the tenant grows, and on its later pages.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::inbox::{Inbox, Place, Round};
use crate::inbox_rows::{CLIENTS, lines};
use crate::pgbench::Script;
use crate::report::{Verdicts, load};
use crate::sample::{FLOOR_MOVES, Pair};
use crate::{Output, report};

const DEEP_PAGE: u32 = 200;

/// How much and how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Chats of the two tenants that are compared.
    #[arg(long, num_args = 2, default_values_t = [10_000, 1_000_000])]
    chats: Vec<u32>,
    /// Rounds, each of the product and of the floor in turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of a round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    #[command(flatten)]
    output: Output,
}

/// A tenant and what is asked of it.
struct Tenant {
    inbox: Inbox,
    /// The first page, a deep one, the counts.
    questions: [Question; 3],
}

struct Question {
    name: String,
    asked: Vec<u8>,
    script: Script,
    pair: Pair,
}

/// Measures and prints the row.
pub(crate) fn run(options: &Options) -> Result<()> {
    let place = Place::of_services()?;
    let mut tenants = Vec::new();
    for chats in &options.chats {
        tenants.push(Tenant::open(&place, *chats)?);
    }
    for number in 0..options.rounds {
        for tenant in &mut tenants {
            tenant.round(number, Duration::from_secs(options.seconds))?;
        }
    }
    let moved = tenants.iter().flat_map(|it| &it.questions);
    let moved = moved.map(|it| it.pair.floor_moved()).fold(0.0, f64::max);
    let text = table(options, &tenants, moved)?;
    let output = options.output.if_counts(moved <= FLOOR_MOVES);
    report::show("growth", "Row 5: growth of the queue", &text, output)
}

impl Tenant {
    fn open(place: &Place, chats: u32) -> Result<Self> {
        let inbox = Inbox::open(place, chats)?;
        let deep = format!("/api/chats?limit=50{}", inbox.cursor(DEEP_PAGE)?);
        let question = |name: &str, path: &str| {
            let asked = inbox.request(path);
            Ok::<_, anyhow::Error>(Question {
                name: format!("{name}, {chats} chats"),
                script: Script::new("", &inbox.statements(&asked, &asked)?, &[])?,
                asked,
                pair: Pair::default(),
            })
        };
        let questions = [
            question("page 1", "/api/chats?limit=50")?,
            question(&format!("page {DEEP_PAGE}"), &deep)?,
            question("counts", "/api/chats/counts")?,
        ];
        let mut tenant = Self { inbox, questions };
        // The first requests find cold caches.
        tenant.round(0, Duration::from_secs(1))?;
        for question in &mut tenant.questions {
            question.pair = Pair::default();
        }
        Ok(tenant)
    }

    fn round(&mut self, number: usize, time: Duration) -> Result<()> {
        for question in &mut self.questions {
            let round = Round {
                number,
                clients: CLIENTS,
                time,
                script: &question.script,
            };
            let asked = &question.asked;
            self.inbox
                .compare(&round, &mut question.pair, || asked.clone())?;
        }
        Ok(())
    }
}

fn table(options: &Options, tenants: &[Tenant], moved: f64) -> Result<String> {
    let mut text = format!(
        "Tenants of {} and {} chats; c={CLIENTS}, {} rounds of {} s each in turn; otherwise as in row 4.\n\n",
        options.chats[0], options.chats[1], options.rounds, options.seconds
    );
    writeln!(
        text,
        "| | a second | p50 | p99 | CPU-s / 1,000 |\n|---|---|---|---|---|"
    )?;
    for question in tenants.iter().flat_map(|it| &it.questions) {
        lines(&mut text, &question.name, &question.pair)?;
    }
    let (small, large) = (&tenants[0].questions, &tenants[1].questions);
    // How ours stands to the floor there over how it stands here: the floor's own growth cancels out.
    let grown = |at: usize| large[at].pair.ratio(|it| it.rate) / small[at].pair.ratio(|it| it.rate);
    let ours = |of: &Question| crate::sample::Sample::medians(&of.pair.ours);
    let deep = ours(&large[1]).rate / ours(&large[0]).rate;
    let counts = ours(&large[2]).p50 / ours(&small[2]).p50;
    let mut verdicts = Verdicts::default();
    verdicts.add(
        &format!(
            "page 1 grows as pgbench's does, within 5 %: {:+.0} %",
            (grown(0) - 1.0) * 100.0
        ),
        grown(0) >= 0.95,
    );
    verdicts.add(
        &format!("page {DEEP_PAGE} over page 1 ≥ 0.8: {deep:.2}"),
        deep >= 0.8,
    );
    verdicts.add(&format!("counts' p50 ≤ 1.3×: {counts:.2}×"), counts <= 1.3);
    writeln!(
        text,
        "\n{verdicts}\n\n{}",
        report::floor_note(moved, &load()?)
    )?;
    Ok(text)
}
