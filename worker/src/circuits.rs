//! Spares a marketplace that does not answer: while its circuit is open only one shop tries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::channel::Marketplace;

/// So many polls in a row without an answer open the circuit.
const OPENS_AFTER: u32 = 5;

/// The circuits of all marketplaces. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Circuits(Arc<[AtomicU32; Marketplace::ALL.len()]>);

impl Circuits {
    /// Takes note of how a request ended; an answer of any kind closes the circuit.
    pub(crate) fn note(&self, marketplace: Marketplace, is_down: bool) {
        let failures = self.failures(marketplace);
        if !is_down {
            if failures.swap(0, Ordering::Relaxed) >= OPENS_AFTER {
                tracing::info!(%marketplace, "marketplace answers again");
            }
        } else if failures.fetch_add(1, Ordering::Relaxed) + 1 == OPENS_AFTER {
            tracing::warn!(%marketplace, "marketplace does not answer");
        }
    }

    /// How many shops may be polled at the same moment out of `free`.
    pub(crate) fn allow(&self, marketplace: Marketplace, free: usize) -> usize {
        if self.failures(marketplace).load(Ordering::Relaxed) >= OPENS_AFTER {
            free.min(1)
        } else {
            free
        }
    }

    fn failures(&self, marketplace: Marketplace) -> &AtomicU32 {
        &self.0[marketplace as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_tries_while_a_marketplace_is_silent() {
        let circuits = Circuits::default();
        for _ in 0..OPENS_AFTER {
            assert_eq!(circuits.allow(Marketplace::Ozon, 8), 8);
            circuits.note(Marketplace::Ozon, true);
        }
        assert_eq!(circuits.allow(Marketplace::Ozon, 8), 1);
        assert_eq!(circuits.allow(Marketplace::Wildberries, 8), 8);
        circuits.note(Marketplace::Ozon, false);
        assert_eq!(circuits.allow(Marketplace::Ozon, 8), 8);
    }
}
