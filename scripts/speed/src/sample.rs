//! What one round of a workload took, and several rounds beside each other.

use std::time::Duration;

use crate::figures::{median, quantile};

/// A floor that moves more than this between rounds makes a run worthless.
pub(crate) const FLOOR_MOVES: f64 = 0.2;

/// One round: operations a second, their latencies in milliseconds, CPU seconds per thousand of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) cpu_per_thousand: f64,
}

impl Sample {
    pub(crate) fn of(mut latencies: Vec<f64>, time: Duration, cpu: Duration) -> Self {
        let operations = latencies.len().max(1) as f64;
        latencies.sort_by(f64::total_cmp);
        Self {
            rate: operations / time.as_secs_f64(),
            p50: quantile(&latencies, 0.50),
            p99: quantile(&latencies, 0.99),
            cpu_per_thousand: cpu.as_secs_f64() * 1_000.0 / operations,
        }
    }

    /// The medians of several rounds.
    pub(crate) fn medians(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure));
        Self {
            rate: of(|it| it.rate),
            p50: of(|it| it.p50),
            p99: of(|it| it.p99),
            cpu_per_thousand: of(|it| it.cpu_per_thousand),
        }
    }
}

/// The rounds of the product and of the floor under one load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pair {
    pub(crate) ours: Vec<Sample>,
    pub(crate) floor: Vec<Sample>,
}

impl Pair {
    /// Ours over the floor, in each round, by one figure; the median of that.
    pub(crate) fn ratio(&self, figure: fn(&Sample) -> f64) -> f64 {
        let both = self.ours.iter().zip(&self.floor);
        median(both.map(|(ours, floor)| figure(ours) / figure(floor)))
    }

    /// How far the floor's rates lie apart, as a part of their median.
    pub(crate) fn floor_moved(&self) -> f64 {
        let rates = || self.floor.iter().map(|it| it.rate);
        let (least, most) = (
            rates().fold(f64::MAX, f64::min),
            rates().fold(0.0, f64::max),
        );
        (most - least) / median(rates())
    }
}

/// Runs both, so that neither always runs after the other.
pub(crate) fn in_turn(
    round: usize,
    pair: &mut Pair,
    mut ours: impl FnMut() -> anyhow::Result<Sample>,
    mut floor: impl FnMut() -> anyhow::Result<Sample>,
) -> anyhow::Result<()> {
    if round.is_multiple_of(2) {
        pair.floor.push(floor()?);
        pair.ours.push(ours()?);
    } else {
        pair.ours.push(ours()?);
        pair.floor.push(floor()?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rate: f64) -> Sample {
        Sample {
            rate,
            p50: 1.0,
            p99: 1.0,
            cpu_per_thousand: 1.0,
        }
    }

    #[test]
    fn rounds_are_compared_one_by_one() {
        let pair = Pair {
            ours: vec![sample(50.0), sample(10.0), sample(30.0)],
            floor: vec![sample(100.0), sample(100.0), sample(120.0)],
        };
        assert_eq!(pair.ratio(|it| it.rate), 0.25);
        assert_eq!(pair.floor_moved(), 0.2);
    }
}
