//! Row 7: ten thousand shops a minute, of which one marketplace's fall silent for a while.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use common::db::sellers::key_place;
use common::ids::TenantId;
use common::secrets::Keyring;
use uuid::Uuid;

use crate::database::Database;
use crate::inbox::Place;
use crate::process::{ENCRYPTION_KEY, Environment, Process, cpu_of};
use crate::report::{Verdicts, load};
use crate::stub::Stub;
use crate::{Output, report};

/// The demo's tenant, which every migrated database has.
const TENANT: Uuid = Uuid::from_u128(0x0198_a000_0000_7000_8000_0000_0000_0001);
const GOAL_SLIP_MS: f64 = 1_000.0;
const GOAL_CPU: f64 = 0.15;
const GOAL_HEALTHY: f64 = 1.1;
/// Seconds before anything is measured.
const SETTLES: u64 = 10;

/// How many and how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Shops, each polled once a minute; four tenths Ozon's, three each of the others.
    #[arg(long, default_value_t = 10_000)]
    shops: u32,
    /// Seconds in which all marketplaces answer.
    #[arg(long, default_value_t = 60)]
    healthy_seconds: u64,
    /// Seconds in which Wildberries does not.
    #[arg(long, default_value_t = 30)]
    silent_seconds: u64,
    /// `WORKER_CONCURRENCY`.
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    #[command(flatten)]
    output: Output,
}

/// What was measured in one stretch of time.
struct Stretch {
    name: &'static str,
    polls: f64,
    seconds: f64,
    p50: f64,
    p99: f64,
    max: f64,
    /// The part of a core that the worker took, and PostgreSQL.
    cpu: f64,
    database_cpu: f64,
}

/// The servers and the worker.
struct Bench {
    database: Database,
    stub: Stub,
    worker: Process,
}

/// Measures and prints the row.
pub(crate) fn run(options: &Options) -> Result<()> {
    let place = Place::of_services()?;
    let database = Database::create(&place.database_url, "speed_polling")?;
    seed(&database, options.shops)?;
    let stub = Stub::start()?;
    let base = |name: &str| format!("http://127.0.0.1:{}/{name}", stub.port);
    let environment = Environment::new(database.url(), &place.redis_url)
        .with("OZON_BASE_URL", base("ozon"))
        .with("WILDBERRIES_BASE_URL", base("wildberries"))
        .with("YANDEX_MARKET_BASE_URL", base("yandex"))
        .with("WORKER_CONCURRENCY", options.concurrency);
    let bench = Bench {
        worker: Process::start("worker", &[], &environment, &place.folder)?,
        database,
        stub,
    };
    sleep(Duration::from_secs(SETTLES));
    let chats = bench.chats_written()?;
    let healthy = bench.stretch("all answer", options.healthy_seconds)?;
    bench.stub.silence(true);
    let silent = bench.stretch("Wildberries is silent", options.silent_seconds)?;
    bench.stub.silence(false);
    let written = bench.chats_written()? - chats;
    let text = table(options, &bench, &[healthy, silent], written)?;
    report::show("polling", "Row 7: polling", &text, options.output)
}

/// Shops that are due within the next minute, and a trigger that notes when each was due and when it began.
fn seed(database: &Database, shops: u32) -> Result<()> {
    let keyring = Keyring::new(ENCRYPTION_KEY, &[]).ok().context("no key")?;
    let mut rows = String::new();
    for number in 0..shops {
        let marketplace = match number % 10 {
            0..4 => "ozon",
            4..7 => "wildberries",
            _ => "yandex_market",
        };
        let public_id = Uuid::from_u128(rand::random());
        let sealed = keyring.seal(
            key_place(TenantId(TENANT), public_id),
            &"key-of-a-shop".into(),
        );
        let comma = if number == 0 { "" } else { "," };
        write!(
            rows,
            "{comma}('{public_id}', '{marketplace}', '{}', '{sealed}')",
            100_000 + number
        )?;
    }
    database.run(&format!(
        "INSERT INTO sellers (tenant_id, public_id, name, marketplace, account_id, client_id, sealed_key,
            key_fingerprint, capabilities, next_sync_at, poll_interval_s, vendor_cursor, probe_at, created_at,
            updated_at)
        SELECT '{TENANT}', id::uuid, 'Shop', marketplace, account, account, sealed, '00000000', 'null',
            now() + random() * interval '60 s', 60,
            jsonb_build_object('stream', '7', 'swept_at', now(), 'imported_at', now()), now() + interval '1 day',
            now(), now() FROM (VALUES {rows}) shop (id, marketplace, account, sealed);
        INSERT INTO chats (tenant_id, public_id, channel, seller_id, external_id, vendor_state, created_at, updated_at)
        SELECT tenant_id, gen_random_uuid(), marketplace, id, 'chat-' || account_id, '{{\"newest\": \"7\"}}',
            now(), now() FROM sellers WHERE marketplace = 'ozon';
        CREATE UNLOGGED TABLE polls (marketplace text, slip interval, began timestamptz);
        CREATE FUNCTION note_poll() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO polls VALUES (NEW.marketplace,
                clock_timestamp() - greatest(OLD.next_sync_at, OLD.blocked_until), clock_timestamp());
            RETURN NULL; END $$;
        CREATE TRIGGER note_poll AFTER UPDATE ON sellers FOR EACH ROW
            WHEN (NEW.sync_started_at IS DISTINCT FROM OLD.sync_started_at) EXECUTE FUNCTION note_poll();
        ANALYZE"
    ))?;
    Ok(())
}

impl Bench {
    fn stretch(&self, name: &'static str, seconds: u64) -> Result<Stretch> {
        let cpu = || Ok::<_, anyhow::Error>([cpu_of(self.worker.id())?, self.database.cpu()?]);
        let (before, began) = (cpu()?, Instant::now());
        let from = self.database.run("SELECT clock_timestamp()")?;
        sleep(Duration::from_secs(seconds));
        let (after, seconds) = (cpu()?, began.elapsed().as_secs_f64());
        let part = |of: usize| after[of].saturating_sub(before[of]).as_secs_f64() / seconds;
        let quantile = |part: &str| {
            format!(
                "percentile_cont({part}) WITHIN GROUP (ORDER BY extract(epoch FROM slip) * 1000)"
            )
        };
        let found = self.database.run(&format!(
            "SELECT count(*), {}, {}, {} FROM polls
             WHERE marketplace <> 'wildberries' AND began >= '{from}'",
            quantile("0.5"),
            quantile("0.99"),
            quantile("1.0")
        ))?;
        let figures: Vec<f64> = found.split('|').filter_map(|it| it.parse().ok()).collect();
        let [polls, p50, p99, max] = figures[..] else {
            anyhow::bail!("nothing was polled: {found}");
        };
        Ok(Stretch {
            name,
            polls,
            seconds,
            p50,
            p99,
            max,
            cpu: part(0),
            database_cpu: part(1),
        })
    }

    /// Changes of rows of chats and messages so far.
    fn chats_written(&self) -> Result<i64> {
        // What backends did is told a moment later.
        sleep(Duration::from_millis(1_500));
        let found = self.database.run(
            "SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables WHERE relname IN ('chats', 'messages')",
        )?;
        Ok(found.parse()?)
    }
}

fn table(
    options: &Options,
    bench: &Bench,
    stretches: &[Stretch; 2],
    written: i64,
) -> Result<String> {
    let (calls, refused) = bench.stub.calls();
    let mut text = format!(
        "{} shops (four tenths Ozon's, three tenths each of the others), interval 60 s ± 10 %, stubs that answer after \
         50–300 ms and refuse 1 % with `429` ({refused} of {calls}), `WORKER_CONCURRENCY={}`; then Wildberries says \
         nothing for {} s. Slip is the time from when a shop of Ozon or Yandex Market was due to the claim of its poll, \
         noted by a trigger in the database. No floor: a poll waits for its marketplace.\n\n",
        options.shops, options.concurrency, options.silent_seconds
    );
    writeln!(
        text,
        "| | polls a second, Wildberries' left out | slip p50, ms | p99 | max | worker, part of a core | PostgreSQL |\n|---|---|---|---|---|---|---|"
    )?;
    for it in stretches {
        writeln!(
            text,
            "| {} | {:.1} | {:.0} | {:.0} | {:.0} | {:.1} % | {:.1} % |",
            it.name,
            it.polls / it.seconds,
            it.p50,
            it.p99,
            it.max,
            it.cpu * 100.0,
            it.database_cpu * 100.0
        )?;
    }
    let [healthy, silent] = stretches;
    let mut verdicts = Verdicts::default();
    let slip = healthy.p99.max(silent.p99);
    verdicts.add("slip p99 ≤ 1 s", slip <= GOAL_SLIP_MS);
    let cpu = healthy.cpu.max(silent.cpu);
    verdicts.add("worker ≤ 15 % of a core", cpu <= GOAL_CPU);
    let over = silent.p99 / healthy.p99;
    verdicts.add(
        &format!("healthy shops' p99 ≤ 1.1×: {over:.2}×"),
        over <= GOAL_HEALTHY,
    );
    let wrote =
        format!("chats that did not change write nothing: {written} rows of chats and messages");
    verdicts.add(&wrote, written == 0);
    writeln!(
        text,
        "\n{verdicts}\n\nLoad of the machine in these minutes: {}.",
        load()?
    )?;
    Ok(text)
}
