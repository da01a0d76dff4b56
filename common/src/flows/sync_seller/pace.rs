//! When a shop is polled next: often while buyers write, seldom while it is quiet or failing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt;

use crate::db::sellers::{Seller, SyncEnd};
use crate::flows::{Context, FlowError};
use crate::marketplaces::VendorError;

/// Between two polls while a buyer wrote lately.
const FASTEST: Duration = Duration::from_secs(5);
/// How long a buyer's message keeps its shop fast.
const LATELY: TimeDelta = TimeDelta::minutes(10);
/// The longest pause after failures that may pass by themselves.
const SLOWEST_RETRY: Duration = Duration::from_secs(30);
/// The pause after failures that somebody has to mend.
const REFUSED_RETRY: Duration = Duration::from_secs(300);
/// The pause after a refusal for too many requests that does not say how long.
const UNTOLD_BLOCK: Duration = Duration::from_secs(30);

pub(super) fn next_poll(
    ctx: &Context,
    seller: &Seller,
    result: &Result<(), FlowError>,
    buyer_wrote_at: Option<DateTime<Utc>>,
    unclear: bool,
) -> SyncEnd {
    let now = ctx.clock.now();
    let mut end = SyncEnd {
        now,
        next_sync_at: now,
        poll_interval_s: seller.poll_interval_s,
        error: None,
        blocked_until: None,
        probe_now: false,
    };
    let pause = match result {
        Ok(()) if unclear => Duration::from_secs(1),
        Ok(()) => {
            let interval = interval(ctx, seller, buyer_wrote_at, now);
            end.poll_interval_s = i32::try_from(interval.as_secs()).unwrap_or(i32::MAX);
            interval
        }
        Err(FlowError::Vendor(VendorError::RateLimited { retry_after })) => {
            let pause = retry_after.unwrap_or(UNTOLD_BLOCK);
            end.blocked_until = Some(now + pause);
            end.error = seller.sync_error.clone();
            pause
        }
        Err(problem) => {
            end.error = Some(explain(problem));
            end.probe_now = is_refused(problem) && seller.failures == 0;
            after_failures(problem, seller.failures)
        }
    };
    end.next_sync_at = now + jittered(pause);
    end
}

/// 5 s while a buyer wrote lately, then half as long again each time, up to the slowest.
fn interval(
    ctx: &Context,
    seller: &Seller,
    buyer_wrote_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Duration {
    let shortest = FASTEST.max(ctx.marketplace(seller).profile().min_poll_interval);
    let hourly = seller.capabilities().and_then(|it| it.requests_per_hour);
    if let Some(requests) = hourly {
        return Duration::from_secs(3600 / u64::from(requests.max(1))).max(shortest);
    }
    let last_buyer_at = seller.last_buyer_at.max(buyer_wrote_at);
    if last_buyer_at.is_some_and(|at| now - at < LATELY) {
        return shortest;
    }
    let last = Duration::from_secs(u64::try_from(seller.poll_interval_s).unwrap_or(5));
    // Whole seconds are kept: rounding up lets 5 s grow.
    let longer = Duration::from_secs_f64((last.as_secs_f64() * 1.5).ceil());
    longer.clamp(shortest, ctx.sync.slowest.max(shortest))
}

fn after_failures(problem: &FlowError, failures: i32) -> Duration {
    if is_refused(problem) {
        return REFUSED_RETRY;
    }
    let doublings = u32::try_from(failures.clamp(0, 5)).unwrap_or(5);
    Duration::from_secs(1 << doublings).min(SLOWEST_RETRY)
}

fn is_refused(problem: &FlowError) -> bool {
    match problem {
        FlowError::Vendor(vendor) => !vendor.is_retryable(),
        FlowError::Key(_) => true,
        _ => false,
    }
}

/// What is wrong and how to mend it, for the shop's owner.
fn explain(problem: &FlowError) -> String {
    match problem {
        FlowError::Vendor(VendorError::Unauthorized { message }) => format!(
            "The marketplace refuses the key: {message}. Make a new key in the marketplace's \
             cabinet and enter it here."
        ),
        FlowError::Vendor(VendorError::Forbidden { message }) => format!(
            "The key may not read chats: {message}. Give it access to chats in the marketplace's \
             cabinet, or enter another key."
        ),
        FlowError::Vendor(VendorError::Unavailable { message }) => {
            format!("The marketplace does not answer: {message}. It is tried again by itself.")
        }
        FlowError::Vendor(vendor) => format!("{vendor}. It is tried again by itself."),
        FlowError::Key(_) => "The stored key cannot be opened. Enter it again.".to_owned(),
        FlowError::Database(_) | FlowError::Pool(_) | FlowError::LeaseLost => {
            "The poll was interrupted. It is tried again by itself.".to_owned()
        }
    }
}

/// Within 10 % of `pause`, so that shops do not poll in step.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.9..=1.1))
}
