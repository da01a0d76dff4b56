//! Jobs that pile up in Redis, poison between them, written and counted without the product's code.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::time::sleep;

use crate::clients::cache::{Cache, Reply};
use crate::clients::outside::MARKETPLACES;
use crate::stage::Stage;

const KINDS: [&str; 4] = ["deliver_chat", "sync_seller", "mark_read", "probe_seller"];
const GROUP: &[u8] = b"workers";
const DEAD: &[u8] = b"jobs:dead";
/// Of so many jobs one is poison; the first of each queue is, too.
const ONE_OF: u64 = 100;
/// What poison looks like: not JSON, of no kind, with less or something else in it.
const POISON: [&str; 5] = [
    "{\"tenant\":",
    "",
    "{}",
    "[1, 2, 3]",
    "{\"tenant\":\"nobody\",\"chat\":\"none\",\"seller\":null}",
];
const AT_ONCE: usize = 500;

/// The queues, and what rows jobs may name.
#[derive(Debug)]
pub(super) struct Backlog {
    cache: Cache,
    /// By marketplace: tenant and id of a shop, then of a chat.
    rows: Vec<Rows>,
    poison: u64,
}

/// Rows of one marketplace.
#[derive(Debug)]
struct Rows {
    marketplace: &'static str,
    sellers: Vec<(String, u64)>,
    chats: Vec<(String, u64)>,
}

impl Backlog {
    /// Reads which rows there are.
    pub(super) async fn open(stage: &Stage) -> Result<Self> {
        let mut rows = Vec::new();
        for marketplace in MARKETPLACES {
            let sellers =
                format!("SELECT tenant_id, id FROM sellers WHERE marketplace = '{marketplace}'");
            let chats = format!("SELECT tenant_id, id FROM chats WHERE channel = '{marketplace}'");
            rows.push(Rows {
                marketplace,
                sellers: ids(stage, &sellers).await?,
                chats: ids(stage, &chats).await?,
            });
        }
        Ok(Self {
            cache: Cache::connect(stage.redis_port).await?,
            rows,
            poison: 0,
        })
    }

    /// How much poison was pushed.
    pub(super) fn poison(&self) -> u64 {
        self.poison
    }

    /// Pushes so many jobs, evenly to all queues.
    pub(super) async fn pile_up(&mut self, jobs: u64) -> Result<()> {
        let queues = queues();
        let mut pushes: Vec<(String, String)> = Vec::new();
        for number in 0..jobs {
            let queue = &queues[usize::try_from(number)? % queues.len()];
            let turn = number / queues.len() as u64;
            let payload = if turn.is_multiple_of(ONE_OF) {
                self.poison += 1;
                let which = usize::try_from(turn / ONE_OF)? % POISON.len();
                POISON[which].to_owned()
            } else {
                self.job(queue, usize::try_from(turn)?)?
            };
            pushes.push((queue.key(), payload));
        }
        for part in pushes.chunks(AT_ONCE) {
            let commands: Vec<Vec<&[u8]>> = part
                .iter()
                .map(|(key, payload)| push(key, payload))
                .collect();
            let replies = self.cache.ask_all(&commands).await?;
            let is_taken = replies.iter().all(|reply| reply.bytes().is_some());
            ensure!(is_taken, "Redis does not take jobs");
        }
        Ok(())
    }

    /// In each queue a job that killed its process again and again; only while no worker runs.
    pub(super) async fn kill_processes(&mut self) -> Result<()> {
        for queue in &queues() {
            self.kill_process(queue).await?;
        }
        Ok(())
    }

    async fn kill_process(&mut self, queue: &Queue) -> Result<()> {
        let key = queue.key();
        let key = key.as_bytes();
        // It is there already unless everything was lost.
        let make: Vec<&[u8]> = vec![b"XGROUP", b"CREATE", key, GROUP, b"0", b"MKSTREAM"];
        self.cache.ask_all(&[make]).await?;
        let payload = self.job(queue, 0)?;
        let id = self.cache.ask(&push(&queue.key(), &payload)).await?;
        let id = id.bytes().context("a job without its id")?.to_vec();
        let claim: [&[u8]; 12] = [
            b"XCLAIM",
            key,
            GROUP,
            b"ghost",
            b"0",
            &id,
            b"IDLE",
            b"600000",
            b"RETRYCOUNT",
            b"9",
            b"FORCE",
            b"JUSTID",
        ];
        let claimed = self.cache.ask(&claim).await?;
        ensure!(!claimed.list().is_empty(), "a job could not be taken");
        self.poison += 1;
        Ok(())
    }

    fn job(&self, queue: &Queue, turn: usize) -> Result<String> {
        let rows = self
            .rows
            .iter()
            .find(|rows| rows.marketplace == queue.marketplace)
            .context("a marketplace without rows")?;
        let (name, ids) = match queue.kind {
            "deliver_chat" | "mark_read" => ("chat", &rows.chats),
            _ => ("seller", &rows.sellers),
        };
        ensure!(!ids.is_empty(), "a marketplace without rows");
        let (tenant, id) = &ids[turn % ids.len()];
        Ok(format!("{{\"tenant\":\"{tenant}\",\"{name}\":{id}}}"))
    }

    /// Waits until no job is left; how many are, and after how many seconds.
    pub(super) async fn drain(&mut self, within: Duration) -> Result<(u64, f64)> {
        let began = Instant::now();
        loop {
            let keys: Vec<String> = queues().iter().map(Queue::key).collect();
            let commands: Vec<Vec<&[u8]>> = keys
                .iter()
                .map(|key| vec![b"XLEN" as &[u8], key.as_bytes()])
                .collect();
            let replies = self.cache.ask_all(&commands).await?;
            let left = replies.iter().filter_map(Reply::number).sum();
            let secs = began.elapsed().as_secs_f64();
            if left == 0 || began.elapsed() > within {
                return Ok((left, secs));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// How much was buried with a reason, and how much of it was not poison.
    pub(super) async fn dead_letters(&mut self) -> Result<(u64, u64)> {
        let letters = self.cache.ask(&[b"XRANGE", DEAD, b"-", b"+"]).await?;
        let poison: BTreeSet<&[u8]> = POISON.iter().map(|text| text.as_bytes()).collect();
        let (mut buried, mut wronged) = (0, 0);
        for letter in letters.list() {
            let fields = letter.list().get(1).map(Reply::list).unwrap_or_default();
            let field = |name: &[u8]| {
                let mut pairs = fields.chunks_exact(2);
                pairs.find_map(|pair| (pair[0].bytes() == Some(name)).then(|| pair[1].clone()))
            };
            let payload = field(b"payload").unwrap_or(Reply::Nothing);
            let reason = field(b"reason").unwrap_or(Reply::Nothing);
            let reason = String::from_utf8_lossy(reason.bytes().unwrap_or_default()).into_owned();
            let is_poison = poison.contains(payload.bytes().unwrap_or_default());
            let kills = reason.contains("its process ended");
            if reason.is_empty() || !(is_poison || kills) {
                wronged += 1;
            } else {
                buried += 1;
            }
        }
        Ok((buried, wronged))
    }

    /// Redis forgets everything.
    pub(super) async fn lose_everything(&mut self) -> Result<()> {
        self.cache.ask(&[b"FLUSHALL"]).await.map(drop)
    }
}

/// One queue.
#[derive(Clone, Copy, Debug)]
struct Queue {
    kind: &'static str,
    marketplace: &'static str,
}

impl Queue {
    fn key(&self) -> String {
        format!("jobs:{}:{}", self.kind, self.marketplace)
    }
}

fn queues() -> Vec<Queue> {
    let pairs = KINDS
        .into_iter()
        .flat_map(|kind| MARKETPLACES.map(|marketplace| Queue { kind, marketplace }));
    pairs.collect()
}

fn push<'a>(key: &'a str, payload: &'a str) -> Vec<&'a [u8]> {
    vec![
        b"XADD",
        key.as_bytes(),
        b"*",
        b"payload",
        payload.as_bytes(),
        b"pushed_at",
        b"1700000000000000",
    ]
}

async fn ids(stage: &Stage, sql: &str) -> Result<Vec<(String, u64)>> {
    let rows = stage.truth.rows(sql).await?;
    rows.iter()
        .map(|row| {
            let tenant = row.get(0).context("a row without its tenant")?;
            let id = row.get(1).context("a row without its id")?;
            Ok((tenant.to_owned(), id.parse()?))
        })
        .collect()
}
