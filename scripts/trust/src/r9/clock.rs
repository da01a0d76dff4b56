//! The product's wall clock: it jumps when its processes start again with another offset.

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;

use crate::figure::say;
use crate::stage::Stage;

/// Shortly before clocks in Berlin go ahead, go back, and before and on the day that few years have.
pub(super) const MOMENTS: [&str; 4] = [
    "2027-03-28T00:40:00Z",
    "2027-10-30T23:10:00Z",
    "2028-02-28T22:40:00Z",
    "2028-02-29T22:40:00Z",
];

/// A token lives ten hours.
const TOKEN_LASTS: TimeDelta = TimeDelta::hours(9);

/// What time the product takes it to be.
#[derive(Debug)]
pub(super) struct WallClock<'a> {
    stage: &'a Stage,
    /// How far the sandbox is ahead of the system: the true time.
    truth: TimeDelta,
    /// How far the product is ahead of the true time.
    jump: TimeDelta,
    /// The offset that the processes run with, once it was set.
    shown: Option<TimeDelta>,
    signed_in_at: Option<DateTime<Utc>>,
}

impl<'a> WallClock<'a> {
    /// The clock of a stage that was just opened.
    pub(super) fn new(stage: &'a Stage) -> Self {
        Self {
            stage,
            truth: TimeDelta::zero(),
            jump: TimeDelta::zero(),
            shown: None,
            signed_in_at: None,
        }
    }

    /// What the product takes for now.
    pub(super) fn now(&self) -> DateTime<Utc> {
        system() + self.truth + self.jump
    }

    /// Goes to a later moment, together with the world outside; nothing if that is past.
    pub(super) async fn travel(&mut self, moment: &str) -> Result<()> {
        let moment: DateTime<Utc> = moment.parse()?;
        let by = moment - (system() + self.truth);
        if by < TimeDelta::minutes(10) {
            return Ok(());
        }
        self.stage.outside.advance(by).await?;
        self.truth += by;
        self.jump(TimeDelta::zero()).await
    }

    /// Sets the product's clock so far ahead of the true time, or behind it.
    pub(super) async fn jump(&mut self, jump: TimeDelta) -> Result<()> {
        if self.shown == Some(self.truth + jump) {
            return Ok(());
        }
        self.jump = jump;
        self.shown = Some(self.truth + jump);
        let offset = (self.truth + jump).num_milliseconds().to_string();
        let all = || [&self.stage.api].into_iter().chain(&self.stage.workers);
        // All at once: they share one clock.
        join_all(all().map(async |process| process.lock().await.stop().await)).await;
        for process in all() {
            let mut process = process.lock().await;
            process.tell("CLOCK_OFFSET_MS", &offset);
            process.start().await?;
        }
        say(&format!("the clock says {}", self.now().format("%F %T")));
        self.stage
            .desk
            .wait_until_up(std::time::Duration::from_secs(30))
            .await?;
        let now = self.now();
        let is_fresh = |at: DateTime<Utc>| (now - at).abs() < TOKEN_LASTS;
        if !self.signed_in_at.is_some_and(is_fresh) {
            self.stage
                .desk
                .sign_in()
                .await
                .context("nobody may sign in after a jump")?;
            self.signed_in_at = Some(now);
        }
        Ok(())
    }
}

fn system() -> DateTime<Utc> {
    DateTime::from(std::time::SystemTime::now())
}
