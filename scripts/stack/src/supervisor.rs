//! Keeps programs running: what dies starts again at once, until it is told to stop.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::program::Program;
use crate::terminal::note;

/// A life shorter than this is followed by a pause, so that a crash loop does not eat a core.
const SHORT_LIFE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(200);
/// A program that dies often is spoken of this often.
const BETWEEN_NOTICES: Duration = Duration::from_secs(5);

/// What is known of each program by its name.
pub type Lives = BTreeMap<&'static str, Life>;

/// The fate of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// The process that runs, or ran last.
    pub pid: Option<u32>,
    /// How often it ended without being told to.
    pub deaths: u32,
    /// It was told to stop and is gone.
    pub ended: bool,
}

/// The programs of one world.
#[derive(Debug, Default)]
pub struct Supervisor {
    lives: watch::Sender<Lives>,
    stops: watch::Sender<BTreeMap<&'static str, Duration>>,
    keepers: JoinSet<()>,
    speaks: Arc<AtomicBool>,
}

impl Supervisor {
    /// Starts a program and keeps it running; also one that was told to stop before.
    pub fn start(&mut self, program: Program) {
        self.stops.send_modify(|stops| {
            stops.remove(program.name);
        });
        let keeper = Keeper {
            lives: self.lives.clone(),
            stops: self.stops.subscribe(),
            speaks: Arc::clone(&self.speaks),
            program,
        };
        keeper.tell(|life| *life = Life::default());
        self.keepers.spawn(keeper.keep());
    }

    /// From now on says what died; before, whoever started it says so.
    pub fn speak(&self) {
        self.speaks.store(true, Ordering::Relaxed);
    }

    /// What is known of the programs, now and from now on.
    pub fn lives(&self) -> watch::Receiver<Lives> {
        self.lives.subscribe()
    }

    /// Waits until a program has died this often.
    pub async fn died(&self, name: &'static str, times: u32) {
        let mut lives = self.lives();
        let often = |lives: &Lives| lives.get(name).is_some_and(|life| life.deaths >= times);
        if lives.wait_for(often).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Tells programs to stop, kills them after the grace, and waits until they are gone.
    pub async fn stop(&self, names: &[&'static str], grace: Duration) {
        self.stops.send_modify(|stops| {
            stops.extend(names.iter().map(|name| (*name, grace)));
        });
        let gone = |lives: &Lives| {
            names
                .iter()
                .all(|name| lives.get(name).is_none_or(|life| life.ended))
        };
        self.lives().wait_for(gone).await.ok();
    }
}

struct Keeper {
    program: Program,
    lives: watch::Sender<Lives>,
    stops: watch::Receiver<BTreeMap<&'static str, Duration>>,
    speaks: Arc<AtomicBool>,
}

impl Keeper {
    async fn keep(mut self) {
        let mut spoken: Option<Instant> = None;
        loop {
            let born = Instant::now();
            let Some(end) = self.live().await else { break };
            self.tell(|life| life.deaths += 1);
            let silent = spoken.is_some_and(|at| at.elapsed() < BETWEEN_NOTICES);
            if self.speaks.load(Ordering::Relaxed) && !silent {
                note(&format!("{} {end}, starting it again", self.program.name));
                spoken = Some(Instant::now());
            }
            if born.elapsed() < SHORT_LIFE && self.pause().await {
                break;
            }
        }
        self.tell(|life| life.ended = true);
    }

    /// One life of the program: how it ended, or nothing if it was told to.
    async fn live(&mut self) -> Option<String> {
        let mut child = match self.program.spawn().await {
            Ok(child) => child,
            Err(error) => return Some(format!("did not start: {error:#}")),
        };
        let pid = child.id();
        self.tell(|life| life.pid = pid);
        tokio::select! {
            ended = child.wait() => Some(ended.map_or_else(|error| error.to_string(), describe)),
            grace = told_to_stop(&mut self.stops, self.program.name) => {
                self.program.end(child, grace).await;
                None
            }
        }
    }

    /// Waits before the next life; true if there shall be none.
    async fn pause(&mut self) -> bool {
        tokio::select! {
            () = sleep(PAUSE) => false,
            _ = told_to_stop(&mut self.stops, self.program.name) => true,
        }
    }

    fn tell(&self, change: impl FnOnce(&mut Life)) {
        self.lives
            .send_modify(|lives| change(lives.entry(self.program.name).or_default()));
    }
}

async fn told_to_stop(
    stops: &mut watch::Receiver<BTreeMap<&'static str, Duration>>,
    name: &'static str,
) -> Duration {
    let told = stops.wait_for(|stops| stops.contains_key(name)).await;
    // Nobody left to tell us is as good as being told.
    told.ok()
        .and_then(|stops| stops.get(name).copied())
        .unwrap_or_default()
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
