//! Where ciphertexts are moved to: other rows, other tenants, other columns and tables.

use anyhow::{Context, Result};
use common::db::sellers::key_place;
use common::ids::{TenantId, new_public_id};
use common::secrets::{Keyring, Place};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::shops::{Row, Rows};

/// One ciphertext for each row, none of them made for it.
pub(super) fn all(rows: &Rows, ring: &Keyring, seed: u64) -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let moved = rows.0.iter().enumerate().map(|(at, row)| match at % 3 {
        0 => another(rows, at, true, &mut rng).own(ring),
        1 => another(rows, at, false, &mut rng).own(ring),
        // Its own key in its own row, but made for another column or table.
        _ => {
            let own = key_place(row.tenant, row.public_id);
            let place = if at % 2 == 0 {
                Place {
                    column: "oauth_token",
                    ..own
                }
            } else {
                Place {
                    table: "users",
                    ..own
                }
            };
            ring.seal(place, &row.key())
        }
    });
    moved.collect()
}

/// Another row, of the same tenant or the other one.
fn another<'a>(rows: &'a Rows, at: usize, same_tenant: bool, rng: &mut StdRng) -> &'a Row {
    let here = &rows.0[at];
    loop {
        let there = &rows.0[rng.random_range(0..rows.0.len())];
        if there.public_id != here.public_id && (there.tenant == here.tenant) == same_tenant {
            return there;
        }
    }
}

/// What a product would hold that does not bind keys to places: the next shop's key, and it opens.
pub(super) fn planted(rows: &Rows, ring: &Keyring) -> Result<Vec<String>> {
    let planted = rows.0.iter().enumerate().map(|(at, row)| {
        let same_market = |other: &&Row| other.shop.marketplace == row.shop.marketplace;
        let others = rows.0.iter().cycle().skip(at + 1);
        let other = others
            .take(rows.0.len())
            .find(same_market)
            .context("a shop alone")?;
        Ok(ring.seal(key_place(row.tenant, row.public_id), &other.key()))
    });
    planted.collect()
}

/// Seals so many values and opens each in four wrong places; counts those that open.
pub(super) fn mass(ring: &Keyring, values: u64) -> Result<u64> {
    let mut opened = 0;
    for _ in 0..values {
        let place = key_place(TenantId(new_public_id()), new_public_id());
        let sealed = ring.seal(place, &"secret-key".into());
        let elsewhere = [
            Place {
                row: Uuid::from_u128(place.row.as_u128() + 1),
                ..place
            },
            Place {
                tenant: TenantId(new_public_id()),
                ..place
            },
            Place {
                column: "key_fingerprint",
                ..place
            },
            Place {
                table: "tenants",
                ..place
            },
        ];
        opened += elsewhere
            .iter()
            .filter(|place| ring.open(**place, &sealed).is_ok())
            .count() as u64;
        ring.open(place, &sealed)
            .context("a key does not open in its own place")?;
    }
    Ok(opened)
}
