//! R6: random schedules of the pure rules of sending and of telling echoes, against a model of a
//! marketplace that drops, doubles, reorders and delays.
//!
//! One schedule is one chat: agents reply (often with equal texts), buyers write, somebody answers in
//! the marketplace's cabinet, workers die at every point, requests are cut before or after they were
//! taken. When all faults are over, each reply must have been taken exactly once, or be shown to a
//! person; none may be forgotten.

mod marketplace;
mod product;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Instant;

use self::marketplace::Marketplace;
use self::product::Product;
use crate::figure::{Figure, Options};

/// The rule that `--plant` breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plant {
    None,
    /// Sends again after nothing was found once, though an accepted message may show later.
    SendAgainAfterOneLook,
    /// Sends again whatever a dead worker was sending.
    TrustDeadSender,
}

/// Runs the schedules.
pub fn run(options: &Options) -> Figure {
    let began = Instant::now();
    let seed = options.seed_or_new();
    let schedules: u64 = if options.quick { 20_000 } else { 1_000_000 };
    let healthy = broken_schedules(seed, schedules, Plant::None);
    let planted = [Plant::SendAgainAfterOneLook, Plant::TrustDeadSender];
    let sees_plants = planted
        .iter()
        .all(|plant| broken_schedules(seed, 2_000, *plant) > 0);
    let value = if options.plant {
        broken_schedules(seed, 2_000, Plant::SendAgainAfterOneLook)
    } else {
        healthy
    };
    Figure {
        id: "R6",
        value: value as f64,
        goal: "0 schedules with a message lost, doubled, out of order or forgotten".to_owned(),
        pass: value == 0 && sees_plants,
        n: schedules,
        seed,
        secs: began.elapsed().as_secs_f64(),
    }
}

fn broken_schedules(seed: u64, schedules: u64, plant: Plant) -> u64 {
    let mut broken = 0;
    for number in 0..schedules {
        let rng = StdRng::seed_from_u64(seed.wrapping_add(number));
        if let Err(what) = Schedule::new(rng, plant).run() {
            if plant == Plant::None {
                eprintln!("schedule with seed {}: {what}", seed.wrapping_add(number));
            }
            broken += 1;
        }
    }
    broken
}

/// One chat under random events.
struct Schedule {
    rng: StdRng,
    now_ms: i64,
    marketplace: Marketplace,
    product: Product,
}

impl Schedule {
    fn new(rng: StdRng, plant: Plant) -> Self {
        Self {
            rng,
            now_ms: 0,
            marketplace: Marketplace::default(),
            product: Product::new(plant),
        }
    }

    fn run(mut self) -> Result<(), String> {
        let events = self.rng.random_range(5..60);
        for _ in 0..events {
            self.now_ms += self.rng.random_range(1..20_000);
            self.event();
        }
        self.calm_down();
        self.product.check(&self.marketplace)
    }

    fn event(&mut self) {
        let text = ["да", "нет", "спасибо"][self.rng.random_range(0..3)];
        match self.rng.random_range(0..20) {
            0..4 => self.product.reply(text, self.now_ms),
            4..6 => self.marketplace.buyer_writes(text, self.now_ms),
            6 => self.marketplace.cabinet_writes(text, self.now_ms),
            7..11 => {
                let shown = self.marketplace.shown(self.now_ms, &mut self.rng);
                self.product.poll(&shown, self.now_ms);
            }
            _ => self
                .product
                .work(&mut self.marketplace, self.now_ms, &mut self.rng, true),
        }
    }

    /// Everything works again for two hours.
    fn calm_down(&mut self) {
        for _ in 0..1_500 {
            self.now_ms += 5_000;
            self.product
                .work(&mut self.marketplace, self.now_ms, &mut self.rng, false);
            if self.product.is_settled() {
                break;
            }
        }
        self.now_ms += 600_000;
        let shown = self.marketplace.shown(self.now_ms, &mut self.rng);
        self.product.poll(&shown, self.now_ms);
    }
}
