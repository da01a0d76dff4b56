//! What is done to the processes of a stage, when, and whether it hit work in flight.

pub mod outside;
pub mod tally;

use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use rustix::process::Signal;
use tokio::sync::Mutex;
use tokio::time::{sleep, sleep_until};

use crate::figure::say;
use crate::process::Process;
use crate::stage::Stage;

/// How long a blow waits for something to hit.
const AIM: Duration = Duration::from_millis(500);
const AIM_OF_FREEZE: Duration = Duration::from_secs(4);

/// When what is done, counted from the beginning.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub window: Duration,
    /// `kill -9` of a worker, one after the other.
    pub worker_every: Duration,
    /// `kill -9` of the api.
    pub api_every: Duration,
    /// `kill -9` of Redis.
    pub redis_at: Vec<Duration>,
    /// `FLUSHALL`.
    pub flush_at: Vec<Duration>,
    /// Immediate stop of PostgreSQL.
    pub postgres_at: Vec<Duration>,
    /// A worker is frozen in the middle of a send.
    pub freeze_at: Vec<Duration>,
    /// And thawed after this.
    pub freeze_for: Duration,
}

impl Plan {
    /// The usual blows, spread over a window.
    pub fn over(window: Duration) -> Self {
        let spread = |times: u32, phase: f64| -> Vec<Duration> {
            let at = |number| (f64::from(number) + phase) / f64::from(times);
            (0..times)
                .map(|number| window.mul_f64(at(number)))
                .collect()
        };
        Self {
            window,
            worker_every: Duration::from_secs(2),
            api_every: Duration::from_secs(5),
            redis_at: spread(5, 0.4),
            flush_at: spread(2, 0.55),
            postgres_at: spread(3, 0.7),
            ..Self::default()
        }
    }
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Blow {
    pub kind: &'static str,
    /// Seconds since 1970.
    pub at: f64,
    /// Whether it met work in flight, as far as known at that moment.
    pub hit: bool,
    /// Whether leases that nobody gave back tell later if it did.
    pub leaves_leases: bool,
}

/// All blows of a run.
#[derive(Debug)]
pub struct Rain<'a> {
    stage: &'a Stage,
    plan: Plan,
    began: Instant,
    blows: RefCell<Vec<Blow>>,
}

impl<'a> Rain<'a> {
    /// Begins now.
    pub fn new(stage: &'a Stage, plan: Plan) -> Self {
        Self {
            stage,
            plan,
            began: Instant::now(),
            blows: RefCell::default(),
        }
    }

    /// Deals all blows of the plan.
    pub async fn fall(&self) -> Result<()> {
        tokio::try_join!(
            self.on_workers(),
            self.on_api(),
            self.on_redis(),
            self.on_redis_data(),
            self.on_postgres(),
            self.freezes(),
        )?;
        Ok(())
    }

    /// The blows dealt.
    pub fn dealt(&self) -> Vec<Blow> {
        self.blows.borrow().clone()
    }

    async fn on_workers(&self) -> Result<()> {
        let workers = &self.stage.workers;
        for number in 1_u32.. {
            let Some(turn) = self.turn(self.plan.worker_every * number).await else {
                return Ok(());
            };
            self.aim(turn).await;
            for place in 0..workers.len() {
                let mut worker = workers[(number as usize + place) % workers.len()]
                    .lock()
                    .await;
                if !worker.is_frozen {
                    self.note("worker", false, true);
                    worker.kill().await?;
                    break;
                }
            }
        }
        Ok(())
    }

    async fn on_api(&self) -> Result<()> {
        for number in 1_u32.. {
            let Some(turn) = self.turn(self.plan.api_every * number).await else {
                return Ok(());
            };
            while self.stage.desk.in_flight() == 0 && turn.elapsed() < AIM {
                sleep(Duration::from_millis(1)).await;
            }
            let mut api = self.stage.api.lock().await;
            self.note("api", self.stage.desk.in_flight() > 0, false);
            api.kill().await?;
        }
        Ok(())
    }

    async fn on_redis(&self) -> Result<()> {
        for at in &self.plan.redis_at {
            let Some(turn) = self.turn(*at).await else {
                return Ok(());
            };
            let hit = self.aim(turn).await;
            self.note("redis", hit, false);
            self.stage.redis.lock().await.kill().await?;
        }
        Ok(())
    }

    async fn on_redis_data(&self) -> Result<()> {
        for at in &self.plan.flush_at {
            let Some(turn) = self.turn(*at).await else {
                return Ok(());
            };
            let hit = self.aim(turn).await;
            let is_done = flush_all(self.stage.redis_port).await;
            self.note("flushall", hit && is_done, false);
        }
        Ok(())
    }

    async fn on_postgres(&self) -> Result<()> {
        for at in &self.plan.postgres_at {
            let Some(turn) = self.turn(*at).await else {
                return Ok(());
            };
            let hit = self.aim(turn).await;
            let mut postgres = self.stage.postgres.lock().await;
            self.note("postgres", hit, true);
            // Immediate: no checkpoint, everybody is thrown out in the middle of a statement.
            postgres.end_by(Signal::QUIT).await?;
        }
        Ok(())
    }

    async fn freezes(&self) -> Result<()> {
        for (number, at) in self.plan.freeze_at.iter().enumerate() {
            let Some(turn) = self.turn(*at).await else {
                return Ok(());
            };
            let worker = &self.stage.workers[number % self.stage.workers.len()];
            self.note("freeze", false, true);
            self.freeze_in_a_send(worker, turn).await?;
            sleep(self.plan.freeze_for).await;
            worker.lock().await.thaw()?;
        }
        Ok(())
    }

    /// Freezes a worker, if possible while a send of its own is under way.
    async fn freeze_in_a_send(&self, worker: &Mutex<Process>, turn: Instant) -> Result<()> {
        loop {
            let sends = "SELECT count(*) FROM messages WHERE state = 'sending'";
            while self.stage.truth.count_once(sends).await.unwrap_or(0) == 0
                && turn.elapsed() < AIM_OF_FREEZE
            {
                sleep(Duration::from_millis(3)).await;
            }
            worker.lock().await.freeze()?;
            let at = now();
            sleep(Duration::from_millis(600)).await;
            // What the other one was sending is over by now.
            let held = format!(
                "SELECT count(*) FROM messages JOIN send_attempts USING (tenant_id) \
                 WHERE message_id = messages.id AND state = 'sending' AND ended_at IS NULL \
                     AND extract(epoch FROM started_at) < {at}"
            );
            let is_held = self.stage.truth.count_once(&held).await.unwrap_or(0) > 0;
            if is_held || turn.elapsed() > AIM_OF_FREEZE {
                return Ok(());
            }
            worker.lock().await.thaw()?;
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits for a time of the plan; none if it is after the end.
    async fn turn(&self, at: Duration) -> Option<Instant> {
        if at.is_zero() || at > self.plan.window {
            return None;
        }
        sleep_until((self.began + at).into()).await;
        Some(Instant::now())
    }

    /// Waits a little until a worker that lives holds something.
    async fn aim(&self, turn: Instant) -> bool {
        let mut age = Duration::MAX;
        for worker in &self.stage.workers {
            age = age.min(worker.lock().await.age());
        }
        let lease = self.stage.waits.lease.as_millis();
        loop {
            let held = format!(
                "lease_until > now() + ({lease} - {}) * interval '1 ms'",
                (age + turn.elapsed()).as_millis()
            );
            let sql = format!(
                "SELECT (SELECT count(*) FROM sellers WHERE {held}) + (SELECT count(*) FROM chats WHERE {held})"
            );
            let is_held = self.stage.truth.count_once(&sql).await.unwrap_or(0) > 0;
            if is_held || turn.elapsed() > AIM {
                return is_held;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn note(&self, kind: &'static str, hit: bool, leaves_leases: bool) {
        let at = now();
        say(&format!(
            "{:6.1} s  {kind}",
            self.began.elapsed().as_secs_f64()
        ));
        let blow = Blow {
            kind,
            at,
            hit,
            leaves_leases,
        };
        self.blows.borrow_mut().push(blow);
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

async fn flush_all(port: u16) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let flush = async {
        let mut redis = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        redis.write_all(b"FLUSHALL\r\n").await?;
        let mut answer = [0; 5];
        redis.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(&answer == b"+OK\r\n")
    };
    flush.await.unwrap_or(false)
}
