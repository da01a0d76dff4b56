//! Moments and what follows from many of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970: the same clock for all processes of a machine.
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

/// One job: when it was pushed and when its handler began, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) pushed: u64,
    pub(crate) began: u64,
}

/// A time in which Redis answered nobody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Start {
    /// The latency in milliseconds, without what the pauses took of it.
    pub(crate) fn latency_ms(self, pauses: &[Pause]) -> f64 {
        let paused: u64 = pauses
            .iter()
            .map(|pause| {
                let (from, to) = (pause.from.max(self.pushed), pause.to.min(self.began));
                to.saturating_sub(from)
            })
            .sum();
        let net = self
            .began
            .saturating_sub(self.pushed)
            .saturating_sub(paused);
        Duration::from_nanos(net).as_secs_f64() * 1_000.0
    }
}

/// The latencies of one round, in milliseconds, and the CPU time of the program that waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    /// CPU seconds per thousand jobs.
    pub(crate) cpu_per_thousand: f64,
}

impl Round {
    pub(crate) fn of(starts: &[Start], pauses: &[Pause], cpu: Duration) -> Self {
        let mut latencies: Vec<f64> = starts.iter().map(|it| it.latency_ms(pauses)).collect();
        latencies.sort_by(f64::total_cmp);
        Self {
            p50: quantile(&latencies, 0.50),
            p99: quantile(&latencies, 0.99),
            max: quantile(&latencies, 1.0),
            cpu_per_thousand: cpu.as_secs_f64() * 1_000.0 / starts.len().max(1) as f64,
        }
    }
}

/// Several rounds as one: medians, and the largest of all.
pub(crate) fn summary(rounds: &[Round]) -> Round {
    Round {
        p50: median(rounds.iter().map(|round| round.p50)),
        p99: median(rounds.iter().map(|round| round.p99)),
        max: rounds.iter().map(|round| round.max).fold(0.0, f64::max),
        cpu_per_thousand: median(rounds.iter().map(|round| round.cpu_per_thousand)),
    }
}

/// How far the medians of the rounds lie apart, as a part of their median.
pub(crate) fn moved(rounds: &[Round]) -> f64 {
    let least = rounds
        .iter()
        .map(|round| round.p50)
        .fold(f64::MAX, f64::min);
    let most = rounds.iter().map(|round| round.p50).fold(0.0, f64::max);
    (most - least) / median(rounds.iter().map(|round| round.p50))
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let place = (last as f64 * part).ceil() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_net_of_the_pauses_within_it() {
        let start = Start {
            pushed: 10_000_000,
            began: 130_000_000,
        };
        let pause = |from: u64, to: u64| Pause {
            from: from * 1_000_000,
            to: to * 1_000_000,
        };
        assert_eq!(start.latency_ms(&[]), 120.0);
        assert_eq!(start.latency_ms(&[pause(5, 110), pause(500, 600)]), 20.0);
    }

    #[test]
    fn quantiles_are_of_the_sorted_values() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), 50.0);
        assert_eq!(quantile(&values, 0.99), 99.0);
        assert_eq!(quantile(&values, 1.0), 100.0);
    }
}
