//! What a worker tells Redis about its jobs: that they are being worked on, and how they ended.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::dead_letters::Burial;
use super::stream::{Delivery, Stream};

/// Jobs whose end is told in one go.
const BATCH: usize = 256;
/// Redis did not take the ends: tried again after this long.
const AGAIN: Duration = Duration::from_millis(200);
/// Consumers without jobs are forgotten after this many leases.
const FORGET_LEASES: u32 = 15;
const BEATS_PER_SWEEP: u32 = 9;

/// The jobs this process has taken and not yet acknowledged.
#[derive(Clone)]
pub(super) struct Running {
    ids: Arc<Mutex<HashSet<Arc<str>>>>,
    ended: UnboundedSender<Ended>,
}

/// A job that ended, one way or another.
pub(super) struct Ended {
    delivery: Delivery,
    /// Why it was given up, if it was.
    given_up: Option<String>,
}

/// A job in this process: holds its slot, and its place among the running ones.
pub(super) struct Ticket {
    running: Running,
    held: Mutex<Option<(Delivery, OwnedSemaphorePermit)>>,
}

impl Running {
    pub(super) fn new() -> (Self, UnboundedReceiver<Ended>) {
        let (ended, ends) = mpsc::unbounded_channel();
        let ids = Arc::default();
        (Self { ids, ended }, ends)
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.lock().contains(id)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Registers a job before it is handed on; none if it runs here already.
    pub(super) fn register(
        &self,
        delivery: Delivery,
        slot: OwnedSemaphorePermit,
    ) -> Option<Arc<Ticket>> {
        self.lock()
            .insert(Arc::clone(&delivery.id))
            .then(|| Ticket {
                running: self.clone(),
                held: Mutex::new(Some((delivery, slot))),
            })
            .map(Arc::new)
    }

    /// Puts a job to the dead letters without running it.
    pub(super) fn give_up(&self, delivery: Delivery, reason: String) {
        if self.lock().insert(Arc::clone(&delivery.id)) {
            self.end(delivery, Some(reason));
        }
    }

    fn end(&self, delivery: Delivery, given_up: Option<String>) {
        // Nobody listens only when the worker is gone: then another process takes the job over.
        let ended = Ended { delivery, given_up };
        if let Err(unheard) = self.ended.send(ended) {
            self.forget(&unheard.0.delivery.id);
        }
    }

    fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// When the job was queued, in microseconds since 1970.
    pub(super) fn pushed_at(&self) -> Option<u64> {
        self.lock().as_ref()?.0.pushed_at
    }

    /// Ends the job for good and frees its slot.
    pub(super) fn done(&self) {
        if let Some((delivery, _slot)) = self.lock().take() {
            self.running.end(delivery, None);
        }
    }

    /// Puts the job to the dead letters and frees its slot.
    pub(super) fn give_up(&self, reason: String) {
        if let Some((delivery, _slot)) = self.lock().take() {
            self.running.end(delivery, Some(reason));
        }
    }

    /// Frees the slot; the job is taken up again when its lease has run out.
    pub(super) fn leave(&self) -> Option<Delivery> {
        let (delivery, _slot) = self.lock().take()?;
        self.running.forget(&delivery.id);
        Some(delivery)
    }

    pub(super) fn attempts(&self) -> u32 {
        self.lock().as_ref().map_or(0, |(job, _)| job.attempts)
    }

    pub(super) fn id(&self) -> String {
        let held = self.lock();
        held.as_ref()
            .map_or_else(String::new, |(job, _)| job.id.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Delivery, OwnedSemaphorePermit)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Tells Redis which jobs run and which ended.
pub(super) struct Keeper {
    pub(super) stream: Stream,
    pub(super) running: Running,
    pub(super) ends: UnboundedReceiver<Ended>,
    pub(super) lease: Duration,
    pub(super) stop: CancellationToken,
}

impl Keeper {
    /// Works until it is stopped, then tells the last ends.
    pub(super) async fn run(mut self) {
        let mut ended = Vec::new();
        while !self.stop.is_cancelled() {
            let work = AssertUnwindSafe(self.work(&mut ended)).catch_unwind();
            if work.await.is_err() {
                tracing::error!(queue = &*self.stream.queue, "the keeper of jobs panicked");
                sleep(AGAIN).await;
            }
        }
        while let Ok(end) = self.ends.try_recv() {
            ended.push(end);
        }
        self.tell(&mut ended).await;
    }

    async fn work(&mut self, ended: &mut Vec<Ended>) {
        let mut beat = interval(self.lease / 3);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beats = 0_u32;
        loop {
            tokio::select! {
                _ = self.ends.recv_many(ended, BATCH), if ended.is_empty() => {}
                () = sleep(AGAIN), if !ended.is_empty() => {}
                _ = beat.tick() => {
                    self.beat(beats.is_multiple_of(BEATS_PER_SWEEP)).await;
                    beats = beats.wrapping_add(1);
                }
                () = self.stop.cancelled() => return,
            }
            self.tell(ended).await;
        }
    }

    async fn beat(&self, sweep: bool) {
        let ids: Vec<_> = self.running.lock().iter().cloned().collect();
        for ids in ids.chunks(BATCH) {
            // Without Redis or without the group there is nothing to keep.
            self.stream.keep(ids).await.ok();
        }
        if sweep {
            let idle = self.lease * FORGET_LEASES;
            self.stream.forget_idle(idle).await.ok();
        }
    }

    /// Acknowledges what ended; what Redis does not take stays for the next time.
    async fn tell(&self, ended: &mut Vec<Ended>) {
        if ended.is_empty() {
            return;
        }
        let ids: Vec<_> = ended
            .iter()
            .map(|end| Arc::clone(&end.delivery.id))
            .collect();
        let burials: Vec<_> = ended.iter().filter_map(|end| self.burial(end)).collect();
        match self.stream.remove(&ids, &burials).await {
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(%error, "ended jobs not acknowledged");
                return;
            }
        }
        for burial in &burials {
            metrics::counter!("jobs_dead_total", "queue" => burial.queue.to_owned()).increment(1);
        }
        for id in &ids {
            self.running.forget(id);
        }
        ended.clear();
    }

    fn burial<'a>(&'a self, end: &'a Ended) -> Option<Burial<'a>> {
        end.given_up.as_deref().map(|reason| Burial {
            queue: &self.stream.queue,
            payload: &end.delivery.payload,
            reason,
            attempts: end.delivery.attempts,
        })
    }
}
