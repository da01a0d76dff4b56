//! What happens around each handler: its start is measured, a panic is caught, its end is told to Redis.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::error::{AbortError, BoxDynError};
use apalis_core::layers::{Layer, Service};
use apalis_core::task::Task;
use futures::FutureExt;
use futures::future::BoxFuture;
use metrics::{Counter, Histogram};
use tokio::time::Instant;

use super::keeping::Ticket;
use super::{JobError, now_micros};

/// Wraps a worker's handler; part of the backend, so that no worker can forget it.
#[derive(Clone)]
pub struct JobLayer {
    handled: Arc<Handled>,
}

/// A handler whose jobs are measured, guarded and acknowledged.
pub struct JobService<S> {
    inner: S,
    handled: Arc<Handled>,
}

/// What is counted of one queue.
struct Handled {
    queue: Arc<str>,
    max_attempts: u32,
    start_latency: Histogram,
    duration: Histogram,
    done: Counter,
    failed: Counter,
    given_up: Counter,
    panics: Counter,
}

/// How a handler ended a job.
enum Verdict {
    Done,
    GiveUp(String),
    Retry(String),
}

impl JobLayer {
    pub(super) fn new(queue: &Arc<str>, max_attempts: u32) -> Self {
        let finished = |outcome| metrics::counter!("jobs_finished_total", "queue" => queue.clone(), "outcome" => outcome);
        Self {
            handled: Arc::new(Handled {
                queue: Arc::clone(queue),
                max_attempts,
                start_latency: metrics::histogram!("job_start_latency_seconds", "queue" => queue.clone()),
                duration: metrics::histogram!("job_duration_seconds", "queue" => queue.clone()),
                done: finished("done"),
                failed: finished("failed"),
                given_up: finished("given_up"),
                panics: metrics::counter!("job_panics_total", "queue" => queue.clone()),
            }),
        }
    }
}

impl<S> Layer<S> for JobLayer {
    type Service = JobService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        JobService {
            inner,
            handled: Arc::clone(&self.handled),
        }
    }
}

impl<J, S> Service<Task<J>> for JobService<S>
where
    S: Service<Task<J>>,
    S::Error: Into<BoxDynError>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<S::Response, BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<J>) -> Self::Future {
        let handled = Arc::clone(&self.handled);
        let ticket = task.data().get::<Arc<Ticket>>().cloned();
        if let Some(pushed_at) = ticket.as_ref().and_then(|ticket| ticket.pushed_at()) {
            let waited = Duration::from_micros(now_micros().saturating_sub(pushed_at));
            handled.start_latency.record(waited.as_secs_f64());
        }
        let began = Instant::now();
        let called = catch_unwind(AssertUnwindSafe(|| self.inner.call(task)));
        async move {
            let result = match called {
                Ok(running) => AssertUnwindSafe(running).catch_unwind().await,
                Err(panic) => Err(panic),
            };
            handled.duration.record(began.elapsed().as_secs_f64());
            let result = match result {
                Ok(result) => result.map_err(Into::into),
                Err(panic) => Err(handled.panicked(&*panic, ticket.as_deref())),
            };
            if let Some(ticket) = ticket {
                handled.settle(Verdict::of(&result), &ticket);
            }
            result
        }
        .boxed()
    }
}

impl Verdict {
    fn of<T>(result: &Result<T, BoxDynError>) -> Self {
        let error = match result {
            Ok(_) => return Self::Done,
            Err(error) => error,
        };
        match error.downcast_ref::<JobError>() {
            Some(JobError::GiveUp(reason)) => Self::GiveUp(reason.clone()),
            Some(JobError::Retry(reason)) => Self::Retry(reason.clone()),
            None if error.is::<AbortError>() => Self::GiveUp(error.to_string()),
            None => Self::Retry(error.to_string()),
        }
    }
}

impl Handled {
    fn settle(&self, verdict: Verdict, ticket: &Ticket) {
        let last = ticket.attempts() >= self.max_attempts;
        match verdict {
            Verdict::Done => {
                self.done.increment(1);
                ticket.done();
            }
            Verdict::Retry(_) if !last => {
                self.failed.increment(1);
                ticket.leave();
            }
            Verdict::GiveUp(reason) | Verdict::Retry(reason) => {
                self.given_up.increment(1);
                // The reason may hold texts of people: it stays in the dead letter.
                tracing::error!(queue = &*self.queue, job = ticket.id(), "job given up");
                ticket.give_up(reason);
            }
        }
    }

    fn panicked(&self, panic: &(dyn Any + Send), ticket: Option<&Ticket>) -> BoxDynError {
        self.panics.increment(1);
        let job = ticket.map(Ticket::id).unwrap_or_default();
        tracing::error!(queue = &*self.queue, job, "a job's handler panicked");
        let said = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        JobError::Retry(format!("panic: {said}")).into()
    }
}
