//! The world of rows 4 to 6: one tenant with many chats, an api, and nobody else.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::database::{Database, Statement};
use crate::http::{Client, request};
use crate::load::drive;
use crate::pgbench::Script;
use crate::process::{Environment, Process, cpu_of, free_port};
use crate::sample::{Pair, Sample, in_turn};

/// Chats that have a longer history; the others have one message.
pub(crate) const TALKATIVE: u32 = 10_000;
const SELLERS: u32 = 20;
const EMAIL: &str = "owner@speed.test";
const PASSWORD: &str = "speed-password-1";

/// A tenant's api and database.
pub(crate) struct Inbox {
    pub(crate) database: Database,
    token: String,
    port: u16,
    api: Process,
    environment: Environment,
    folder: PathBuf,
}

/// The servers under a bench, and where it may write.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) database_url: String,
    pub(crate) redis_url: String,
    pub(crate) folder: PathBuf,
}

impl Place {
    /// What `stack with-services` tells.
    pub(crate) fn of_services() -> Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "scripts/bench tells where the servers are"
        )]
        let told = |name| {
            std::env::var(name).with_context(|| format!("{name} is unset: use scripts/bench"))
        };
        let folder = std::env::temp_dir().join(format!("speed-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            database_url: told("DATABASE_URL")?,
            redis_url: told("REDIS_URL")?,
            folder,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A folder of logs that stays is no harm.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

impl Inbox {
    /// A tenant with so many chats, in a copy of a database that is filled once.
    pub(crate) fn open(place: &Place, chats: u32) -> Result<Self> {
        let database = Database::copy(&filled(place, chats)?, &format!("speed_{chats}"))?;
        let port = free_port()?;
        let environment = Environment::new(database.url(), &place.redis_url).with("APP_PORT", port);
        let folder = place.folder.join(chats.to_string());
        std::fs::create_dir_all(&folder)?;
        let mut api = Process::start("api", &[], &environment, &folder)?;
        api.answers(port, "/ready")?;
        let owner = json!({ "email": EMAIL, "password": PASSWORD });
        let asked = request("/api/v1/auth/login", None, Some(&owner));
        let answer = Client::connect(port)?.send(&asked)?.json()?;
        let token = answer["access_token"].as_str().map(str::to_owned);
        Ok(Self {
            database,
            token: token.context("no token")?,
            port,
            api,
            environment,
            folder,
        })
    }

    /// Asks once.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let asked = request(path, Some(&self.token), None);
        Client::connect(self.port)?.send(&asked)?.json()
    }

    /// The statements that a request of the second time sends, when everything is prepared and known.
    pub(crate) fn statements(&self, first: &[u8], second: &[u8]) -> Result<Vec<Statement>> {
        let port = free_port()?;
        let environment = self.environment.clone().with("APP_PORT", port);
        let mut spied = None;
        let mark = format!("SELECT {}", rand::random::<u32>());
        let mut sent = self.database.statements(|| {
            let mut api = Process::start("api", &[], &environment, &self.folder)?;
            api.answers(port, "/ready")?;
            let mut client = Client::connect(port)?;
            client.send(first)?.json()?;
            self.database.run(&mark)?;
            client.send(second)?.json()?;
            spied = Some(api);
            Ok(())
        })?;
        drop(spied);
        let place = sent.iter().position(|it| it.sql.starts_with(&mark));
        let mut sent = sent.split_off(place.context("the log lacks a statement")? + 1);
        // Beside the requests each process looks for changes of access.
        sent.retain(|it| {
            !it.sql.contains("access_changes") && !it.sql.starts_with("ALTER DATABASE")
        });
        ensure!(!sent.is_empty(), "the request sends no statement");
        Ok(sent)
    }

    /// One round of requests; `make` makes the next one.
    pub(crate) fn load<F>(&self, clients: usize, time: Duration, make: F) -> Result<Sample>
    where
        F: Fn() -> Vec<u8> + Sync,
    {
        let cpu = || Ok::<_, anyhow::Error>(cpu_of(self.api.id())? + self.database.cpu()?);
        let before = cpu()?;
        let make = &make;
        let load = drive(clients, time, |_| {
            let mut client = Client::connect(self.port)?;
            Ok(Box::new(move || client.send(&make())?.expect_success()))
        })?;
        let cpu = cpu()?.saturating_sub(before);
        Ok(Sample::of(load.latencies, load.time, cpu))
    }

    /// Rounds of the same requests and of the floor, in turn.
    pub(crate) fn compare<F>(&self, round: &Round<'_>, pair: &mut Pair, make: F) -> Result<()>
    where
        F: Fn() -> Vec<u8> + Sync,
    {
        in_turn(
            round.number,
            pair,
            || self.load(round.clients, round.time, &make),
            || {
                let script = round.script;
                script.run(&self.database, round.clients, round.time, &self.folder)
            },
        )
    }

    /// The process of the api.
    pub(crate) fn process(&self) -> u32 {
        self.api.id()
    }

    /// The owner's access token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The bytes of a request of the owner.
    pub(crate) fn request(&self, path: &str) -> Vec<u8> {
        request(path, Some(&self.token), None)
    }

    /// The cursor of a page of the queue, counted from one.
    pub(crate) fn cursor(&self, page: u32) -> Result<String> {
        let mut cursor = String::new();
        for _ in 1..page {
            let answer = self.get(&format!("/api/chats?limit=50{cursor}"))?;
            let next = answer["next_cursor"].as_str().context("the queue ended")?;
            cursor = format!("&cursor={next}");
        }
        Ok(cursor)
    }
}

/// One round of one load.
pub(crate) struct Round<'a> {
    pub(crate) number: usize,
    pub(crate) clients: usize,
    pub(crate) time: Duration,
    pub(crate) script: &'a Script,
}

/// A database that nobody uses, with its tenant and chats; the rows of one run share it.
fn filled(place: &Place, chats: u32) -> Result<Database> {
    let name = format!("speed_filled_{chats}");
    if let Some(filled) = Database::find(&place.database_url, &name)? {
        return Ok(filled);
    }
    let database = Database::create(&place.database_url, &name)?;
    let port = free_port()?;
    let environment = Environment::new(database.url(), &place.redis_url).with("APP_PORT", port);
    let mut api = Process::start("api", &[], &environment, &place.folder)?;
    api.answers(port, "/ready")?;
    let owner = json!({ "email": EMAIL, "username": "owner", "password": PASSWORD });
    let asked = request("/api/v1/auth/register", None, Some(&owner));
    Client::connect(port)?.send(&asked)?.expect_success()?;
    drop(api);
    seed(&database, chats)?;
    Ok(database)
}

/// Fills the database: chats at random places of the disk, a third of them open, due within days.
fn seed(database: &Database, chats: u32) -> Result<()> {
    let fill = format!(
        "SET session_replication_role = replica; SET synchronous_commit = off;
        CREATE TEMP TABLE owner AS SELECT tenant_id, id FROM users WHERE username = 'owner';
        INSERT INTO sellers (tenant_id, public_id, name, marketplace, account_id, sealed_key,
            key_fingerprint, capabilities, next_sync_at, probe_at, created_at, updated_at)
        SELECT tenant_id, gen_random_uuid(), 'Shop ' || n,
            (ARRAY['ozon', 'wildberries', 'yandex_market'])[1 + n % 3], n, 'none', '00000000',
            'null', now(), now(), now(), now() FROM owner, generate_series(1, {SELLERS}) n;
        WITH shop AS (SELECT *, row_number() OVER (ORDER BY id) AS no FROM sellers), drawn AS MATERIALIZED (
            SELECT n, random() < 0.3 AS is_open, random() < 0.3 AS is_mine,
                now() + (random() - 0.1) * interval '5 days' AS due FROM generate_series(1, {chats}) n)
        INSERT INTO chats (tenant_id, public_id, channel, seller_id, external_id, assigned_to, status,
            unread_count, last_message_preview, last_message_at, last_message_direction, queue_at, owed_since,
            last_buyer_at, context, created_at, updated_at, obligation, at_risk_at)
        SELECT shop.tenant_id, gen_random_uuid(), marketplace, shop.id, 'chat-' || n,
            CASE WHEN is_mine THEN owner.id END, CASE WHEN is_open THEN 'open' ELSE 'waiting' END,
            is_open::int, 'Здравствуйте! Когда приедет заказ ' || n || '? Обещали ещё вчера вечером.',
            due - interval '1 day', CASE WHEN is_open THEN 'incoming' ELSE 'outgoing' END,
            CASE WHEN is_open THEN due ELSE '9999-12-31T00:00:00Z' END,
            CASE WHEN is_open THEN due - interval '1 day' END, due - interval '1 day',
            jsonb_build_object('buyer_name', 'Покупатель ' || n, 'order_id', '0137-' || n,
                'product_name', 'Чайник электрический 1,7 л'), due - interval '2 days', due - interval '1 day',
            CASE WHEN is_open THEN jsonb_build_object('started_at', due - interval '1 day', 'due_at', due) END,
            CASE WHEN is_open THEN due - interval '6 hours' END
        FROM drawn JOIN shop ON shop.no = 1 + n % {SELLERS}, owner;
        INSERT INTO messages (tenant_id, public_id, chat_id, external_id, direction, author, user_id, text, state,
            at, created_at)
        SELECT chat.tenant_id, gen_random_uuid(), chat.id, 'm-' || n,
            CASE WHEN n % 3 = 2 THEN 'outgoing' ELSE 'incoming' END, CASE WHEN n % 3 = 2 THEN 'agent' ELSE 'buyer' END,
            CASE WHEN n % 3 = 2 THEN owner.id END, chat.last_message_preview,
            CASE WHEN n % 3 = 2 THEN 'sent' ELSE 'received' END,
            last_message_at - (30 - n) * interval '10 minutes', last_message_at
        FROM owner, chats chat, generate_series(1, CASE WHEN chat.id <= {TALKATIVE} THEN 30 ELSE 1 END) n;
        "
    );
    database.run(&fill)?;
    database.run("VACUUM ANALYZE; CHECKPOINT").map(drop)
}
