//! What a stage is set up with: waits of the product and their fractions in quick runs.

use std::time::Duration;

use crate::figure::Options;

/// Quick runs divide the waits by this.
const QUICKER: u32 = 20;

/// The waits of sending (DESIGN §5) that the product is started with.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    pub settle_after: Duration,
    pub settle_again: Duration,
    pub send_budget: Duration,
    pub lease: Duration,
}

impl Waits {
    /// The real ones, or a twentieth of them.
    pub fn of(options: &Options) -> Self {
        let real = Self {
            settle_after: Duration::from_secs(60),
            settle_again: Duration::from_secs(30),
            send_budget: Duration::from_secs(10),
            lease: Duration::from_secs(20),
        };
        if !options.quick {
            return real;
        }
        Self {
            settle_after: real.settle_after / QUICKER,
            settle_again: real.settle_again / QUICKER,
            send_budget: real.send_budget / QUICKER,
            lease: real.lease / QUICKER,
        }
    }

    /// The variables that say so.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        let ms = |wait: Duration| wait.as_millis().to_string();
        [
            ("SETTLE_AFTER_MS", ms(self.settle_after)),
            ("SETTLE_AGAIN_MS", ms(self.settle_again)),
            ("SEND_BUDGET_MS", ms(self.send_budget)),
            ("LEASE_MS", ms(self.lease)),
        ]
    }
}
