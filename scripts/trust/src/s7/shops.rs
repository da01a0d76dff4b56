//! Shops of two tenants, put into the database with keys sealed for their rows.

use anyhow::{Context, Result};
use common::db::sellers::key_place;
use common::ids::{TenantId, new_public_id};
use common::secrets::Keyring;
use secrecy::SecretString;
use uuid::Uuid;

use crate::clients::outside::Shop;
use crate::stage::Stage;

const TENANTS: [u128; 2] = [
    0x0198_a000_0000_7000_8000_0000_0000_0001,
    0x0198_a000_0000_7000_8000_0000_0000_0077,
];

/// One shop's row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) tenant: TenantId,
    pub(super) public_id: Uuid,
    pub(super) shop: Shop,
}

impl Row {
    pub(super) fn key(&self) -> SecretString {
        self.shop.api_key.clone().into()
    }

    /// The shop's key, sealed for its row.
    pub(super) fn own(&self, ring: &Keyring) -> String {
        ring.seal(key_place(self.tenant, self.public_id), &self.key())
    }
}

/// All rows.
#[derive(Debug)]
pub(super) struct Rows(pub(super) Vec<Row>);

impl Rows {
    /// Opens the shops and inserts them, in turn for both tenants.
    pub(super) async fn open(stage: &Stage, ring: &Keyring, shops: usize) -> Result<Self> {
        let shops = stage.outside.open_shops(shops).await?;
        let tenant = |at: usize| TenantId(Uuid::from_u128(TENANTS[(at / 3) % 2]));
        let rows = shops.into_iter().enumerate().map(|(at, shop)| Row {
            tenant: tenant(at),
            public_id: new_public_id(),
            shop,
        });
        let rows = Self(rows.collect());
        let second = Uuid::from_u128(TENANTS[1]);
        let mut sql = format!(
            "INSERT INTO tenants (id, slug, name) VALUES ('{second}', 'second', 'Second');"
        );
        for row in &rows.0 {
            sql.push_str(&insertion(row, &row.own(ring)));
        }
        stage
            .truth
            .run(&sql)
            .await
            .context("the shops could not be inserted")?;
        Ok(rows)
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The shop with this id.
    pub(super) fn find(&self, id: Uuid) -> Option<&Row> {
        self.0.iter().find(|row| row.public_id == id)
    }

    /// Each shop's own key in its own place.
    pub(super) fn own(&self, ring: &Keyring) -> Vec<String> {
        self.0.iter().map(|row| row.own(ring)).collect()
    }

    /// Puts one ciphertext into each row, and makes all of them due for a poll and a probe.
    pub(super) async fn put(&self, stage: &Stage, ciphertexts: &[String]) -> Result<()> {
        let mut sql = String::from(
            "UPDATE sellers SET next_sync_at = now(), probe_at = now(), blocked_until = NULL, failures = 0, \
             sync_error = NULL, last_sync_at = NULL, lease_until = NULL, lease_token = NULL;",
        );
        for (row, sealed) in self.0.iter().zip(ciphertexts) {
            let id = row.public_id;
            sql.push_str(&format!(
                "UPDATE sellers SET sealed_key = '{sealed}' WHERE public_id = '{id}';"
            ));
        }
        stage.truth.run(&sql).await
    }
}

fn insertion(row: &Row, sealed: &str) -> String {
    let Row {
        tenant,
        public_id,
        shop,
    } = row;
    let (market, seller) = (shop.marketplace, &shop.seller);
    let client_id = if market == "wildberries" {
        "NULL".to_owned()
    } else {
        format!("'{seller}'")
    };
    format!(
        "INSERT INTO sellers (tenant_id, public_id, name, marketplace, account_id, client_id, sealed_key, \
             key_fingerprint, capabilities, next_sync_at, probe_at, created_at, updated_at) \
         VALUES ('{tenant}', '{public_id}', 'S7 {seller}', '{market}', '{seller}', {client_id}, '{sealed}', \
             '00000000', 'null', now(), now() + interval '1 day', now(), now());"
    )
}
