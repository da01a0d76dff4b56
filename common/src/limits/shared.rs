//! The buckets and places that all processes share, in Redis: one script takes all of a request or nothing.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;

use super::Urgency;
use super::bucket::Want;
use crate::jobs::{ConnectionError, Redis};

/// Takes one request's room from each bucket (KEYS, then their places), by the clock of Redis, in microseconds.
/// Answers 0 if all was taken, else the microseconds to wait, or -1 if all places are taken.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local now = time[1] * 1000000 + time[2]
         local buckets, wait, full_at = tonumber(ARGV[1]), 0, {}
         for i = 1, buckets do
           local interval, room, full = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
           local before = tonumber(redis.call('GET', KEYS[i]) or '0')
           -- A clock that was put back must not keep a bucket empty.
           before = math.max(now, math.min(before, now + full))
           full_at[i] = before + interval
           wait = math.max(wait, full_at[i] - now - room)
         end
         if wait > 0 then return wait end
         local places = KEYS[buckets + 1]
         if places then
           local first = 3 * buckets + 2
           local all, for_kind = tonumber(ARGV[first]), tonumber(ARGV[first + 1])
           local kind, token, hold = ARGV[first + 2], ARGV[first + 3], tonumber(ARGV[first + 4])
           redis.call('ZREMRANGEBYSCORE', places, '-inf', now)
           local taken, of_kind = redis.call('ZRANGE', places, 0, -1), 0
           for _, other in ipairs(taken) do
             if string.sub(other, 1, 1) == kind then of_kind = of_kind + 1 end
           end
           if #taken >= all or of_kind >= for_kind then return -1 end
           redis.call('ZADD', places, string.format('%.0f', now + hold), token)
           redis.call('PEXPIRE', places, math.ceil(hold / 1000))
         end
         for i = 1, buckets do
           local ms = math.ceil((full_at[i] - now) / 1000)
           redis.call('SET', KEYS[i], string.format('%.0f', full_at[i]), 'PX', ms)
         end
         return 0",
    )
});

/// What Redis says.
pub(super) enum Answer {
    /// Go; with the token of the place, if places are counted.
    Taken(Option<String>),
    Wait(Duration),
    Full,
}

/// Takes all that is wanted, or nothing.
pub(super) async fn take(
    redis: &Redis,
    want: &Want,
    hold: Duration,
) -> Result<Answer, ConnectionError> {
    let mut take = TAKE.prepare_invoke();
    take.arg(want.buckets.len());
    for bucket in &want.buckets {
        take.key(redis.key(&bucket.key))
            .arg(micros(bucket.interval).max(1))
            .arg(micros(bucket.room))
            .arg(micros(bucket.full));
    }
    let mut token = None;
    if let Some(parallel) = &want.parallel {
        let (kind, for_kind) = match parallel.urgency {
            Urgency::Send => ("s", parallel.places),
            Urgency::Read => ("r", parallel.for_reads),
        };
        let place = format!("{kind}{:016x}", rand::random::<u64>());
        take.key(redis.key(&parallel.key))
            .arg(parallel.places)
            .arg(for_kind)
            .arg(kind)
            .arg(&place)
            .arg(micros(hold));
        token = Some(place);
    }
    if want.buckets.is_empty() && want.parallel.is_none() {
        return Ok(Answer::Taken(None));
    }
    let wait: i64 = redis.script(&take).await?;
    Ok(match u64::try_from(wait) {
        Ok(0) => Answer::Taken(token),
        Ok(micros) => Answer::Wait(Duration::from_micros(micros)),
        Err(_) => Answer::Full,
    })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
