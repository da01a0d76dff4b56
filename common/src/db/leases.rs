//! Claims of rows: whoever holds one works, and results count only while it holds.

use std::time::Duration;

use uuid::Uuid;

/// A claim of a row: results count only while it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub token: Uuid,
    pub length: Duration,
}

impl Lease {
    /// A new claim.
    pub fn new(length: Duration) -> Self {
        Self {
            token: Uuid::new_v4(),
            length,
        }
    }

    pub(super) fn length_ms(&self) -> i64 {
        i64::try_from(self.length.as_millis()).unwrap_or(i64::MAX)
    }
}
