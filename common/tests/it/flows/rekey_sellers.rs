//! A new encryption key: every shop's key is sealed with it, and nobody who uses the shops notices.

use std::time::Duration;

use common::channel::Marketplace;
use common::db::leases::Lease;
use common::db::sellers::{
    self, KeyChange, Seller, SellerChange, StoredCapabilities, StoredWarnings,
};
use common::flows::Context;
use common::flows::rekey_sellers::{Rekeyed, rekey_sellers};
use common::flows::report_keys::report_keys;
use common::flows::sync_seller::sync_seller;
use common::marketplaces::Capabilities;
use common::secrets::{KeyRole, Keyring, OpenError, fingerprint};
use diesel_async::RunQueryDsl;
use secrecy::{ExposeSecret, SecretString};

use super::world::{KEY as OLD, World};

const NEW: &str = "ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn only(key: &str) -> Keyring {
    Keyring::new(key, &[]).unwrap()
}

/// The product after it was told of the new key.
fn rotated(world: &World) -> Context {
    Context {
        keyring: Keyring::new(NEW, &[OLD.to_owned()]).unwrap(),
        ..world.ctx.clone()
    }
}

fn old_id() -> String {
    let ring = only(OLD);
    ring.ids().next().unwrap().0.to_owned()
}

async fn round(ctx: &Context, marketplace: Marketplace) -> Option<Rekeyed> {
    rekey_sellers(ctx, marketplace, &old_id(), None)
        .await
        .unwrap()
}

async fn now(world: &World, seller: &Seller) -> Seller {
    let found = sellers::find(&mut *world.conn().await, world.tenant, seller.id).await;
    found.unwrap().unwrap()
}

fn opened(ring: &Keyring, seller: &Seller) -> Result<String, OpenError> {
    let key = ring.open(seller.key_place(), &seller.sealed_key)?;
    Ok(key.expose_secret().to_owned())
}

async fn change(world: &World, seller: &Seller, change: SellerChange) {
    let mut conn = world.conn().await;
    sellers::change(&mut conn, world.tenant, seller.id, &change)
        .await
        .unwrap()
        .unwrap();
}

/// What PATCH stores.
fn new_key(seller: &Seller, ring: &Keyring, key: &str) -> SellerChange {
    let key = SecretString::from(key);
    SellerChange {
        key: Some(KeyChange {
            account_id: seller.account_id.clone(),
            client_id: seller.client_id.clone(),
            sealed_key: ring.seal(seller.key_place(), &key),
            key_fingerprint: fingerprint(&key),
            capabilities: StoredCapabilities::default(),
            warnings: StoredWarnings::default(),
            probe_at: seller.probe_at,
        }),
        ..SellerChange::default()
    }
}

#[tokio::test]
async fn every_shop_gets_the_new_key_also_a_deactivated_one_and_then_nothing_is_left_to_do() {
    let world = World::start().await;
    let ctx = rotated(&world);
    for marketplace in Marketplace::ALL {
        let seller = world.connect(marketplace).await;
        let key = opened(&only(OLD), &seller).unwrap();
        let is_active = Some(marketplace != Marketplace::Ozon);
        let deactivated = SellerChange {
            is_active,
            ..SellerChange::default()
        };
        change(&world, &seller, deactivated).await;
        let done = round(&ctx, marketplace).await.unwrap();
        assert_eq!((done.resealed, done.skipped, done.refused), (1, 0, 0));
        let after = now(&world, &seller).await;
        assert_eq!(opened(&only(NEW), &after), Ok(key));
        assert_eq!(opened(&only(OLD), &after), Err(OpenError::UnknownKey));
        assert_eq!(round(&ctx, marketplace).await, None);
        assert_eq!(now(&world, &seller).await.sealed_key, after.sealed_key);
    }
}

#[tokio::test]
async fn more_shops_than_one_step_takes_are_all_found() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let copies = "INSERT INTO sellers (tenant_id, public_id, name, marketplace, account_id, sealed_key, \
         key_fingerprint, capabilities, next_sync_at, probe_at, created_at, updated_at) \
         SELECT tenant_id, gen_random_uuid(), name, marketplace, 'copy-' || n, sealed_key, \
         key_fingerprint, capabilities, next_sync_at, probe_at, created_at, updated_at \
         FROM sellers, generate_series(1, 120) n";
    let mut conn = world.conn().await;
    diesel::sql_query(copies).execute(&mut conn).await.unwrap();
    // Copies of what is sealed open in none of their places: they must not hide what comes behind them.
    let behind = new_key(&seller, &only(OLD), "behind");
    let last = sellers::list(&mut conn, world.tenant, Default::default(), None, 500)
        .await
        .unwrap()
        .pop()
        .unwrap();
    let sealed_key = only(OLD).seal(last.key_place(), &"behind".into());
    let mut behind = behind.key.unwrap();
    behind.sealed_key = sealed_key;
    behind.account_id = last.account_id.clone();
    let behind = SellerChange {
        key: Some(behind),
        ..SellerChange::default()
    };
    change(&world, &last, behind).await;

    let ctx = rotated(&world);
    let (mut after, mut resealed, mut refused, mut steps) = (None, 0, 0, 0);
    while let Some(step) = rekey_sellers(&ctx, Marketplace::Ozon, &old_id(), after)
        .await
        .unwrap()
    {
        after = Some(step.last);
        resealed += step.resealed;
        refused += step.refused;
        steps += 1;
    }
    assert_eq!((resealed, refused, steps), (2, 119, 3));
    let last = now(&world, &last).await;
    assert_eq!(opened(&only(NEW), &last).as_deref(), Ok("behind"));
}

#[tokio::test]
async fn a_key_that_a_person_enters_at_the_same_moment_wins() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let ctx = rotated(&world);
    let mut conn = world.conn().await;
    let (market, id) = (Marketplace::Ozon, old_id());
    let found = sellers::list_sealed_with_across_tenants(&mut conn, market, &id, None, 10)
        .await
        .unwrap();
    // An api that was not restarted yet still seals with the old key.
    change(&world, &seller, new_key(&seller, &only(OLD), "entered")).await;
    let late = found.into_iter().map(|it| {
        let key = ctx.keyring.open(it.place(), &it.sealed_key).unwrap();
        let sealed = ctx.keyring.seal(it.place(), &key);
        (it, sealed)
    });
    let late: Vec<_> = late.collect();
    let replaced = sellers::reseal_across_tenants(&mut conn, &late).await;
    assert_eq!((late.len(), replaced), (1, Ok(0)));
    let entered = now(&world, &seller).await;
    assert_eq!(opened(&ctx.keyring, &entered).as_deref(), Ok("entered"));
    assert_eq!(round(&ctx, market).await.unwrap().resealed, 1);
    let entered = now(&world, &seller).await;
    assert_eq!(opened(&only(NEW), &entered).as_deref(), Ok("entered"));
}

#[tokio::test]
async fn a_shop_that_is_polled_is_left_for_later_and_its_poll_counts() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let ctx = rotated(&world);
    let lease = Lease::new(Duration::from_secs(20));
    let at = ctx.clock.now();
    let claimed = sellers::claim_if_due(
        &mut *world.conn().await,
        world.tenant,
        seller.id,
        at,
        &lease,
    )
    .await
    .unwrap()
    .unwrap();
    let done = round(&ctx, Marketplace::Ozon).await.unwrap();
    assert_eq!((done.resealed, done.skipped), (0, 1));
    sync_seller(&ctx, &claimed, lease).await.unwrap();
    let polled = now(&world, &seller).await;
    assert!(polled.last_sync_at.is_some() && polled.next_sync_at > at);
    assert_eq!(round(&ctx, Marketplace::Ozon).await.unwrap().resealed, 1);
}

#[tokio::test]
async fn what_a_probe_found_is_kept_when_the_key_is_sealed_anew_meanwhile() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let ctx = rotated(&world);
    round(&ctx, Marketplace::Ozon).await.unwrap();
    let capabilities = StoredCapabilities(Some(Capabilities::default()));
    let mut conn = world.conn().await;
    let warnings = StoredWarnings::default();
    let stored = sellers::store_probe(
        &mut conn,
        &seller,
        &capabilities,
        &warnings,
        ctx.clock.now(),
    )
    .await;
    assert!(stored.unwrap().is_some());
    change(&world, &seller, new_key(&seller, &only(NEW), "another")).await;
    let stored = sellers::store_probe(
        &mut conn,
        &seller,
        &capabilities,
        &warnings,
        ctx.clock.now(),
    )
    .await;
    assert!(stored.unwrap().is_none());
}

#[tokio::test]
async fn the_keys_in_use_are_told_and_one_that_is_missing_stands_out() {
    let world = World::start().await;
    world.connect(Marketplace::Ozon).await;
    world.connect(Marketplace::Wildberries).await;
    let told = async |ctx: &Context| {
        let uses = report_keys(ctx).await.unwrap();
        let told = uses.into_iter().map(|it| (it.role, it.sellers));
        told.collect::<Vec<_>>()
    };
    let ctx = rotated(&world);
    round(&ctx, Marketplace::Ozon).await.unwrap();
    let (current, old) = (Some(KeyRole::Current), Some(KeyRole::Old));
    assert_eq!(told(&ctx).await, [(current, 1), (old, 1)]);
    let without_old = Context {
        keyring: only(NEW),
        ..ctx
    };
    assert_eq!(told(&without_old).await, [(current, 1), (None, 1)]);
}
