//! The demo: its people, and the sandbox's shops connected.

use anyhow::{Context as _, bail, ensure};
use common::channel::Marketplace;
use common::config::{AppEnv, Config};
use common::db::sellers::{self, Seller, SellerChange};
use common::db::tenants::{self, NewTenant};
use common::db::users::{self, NewUser, Role};
use common::flows::Context;
use common::http::{Call, VendorClient};
use common::ids::{TenantId, new_public_id};
use common::secrets::fingerprint;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use crate::access::Actor;
use crate::http::{ApiError, GivenSecret};
use crate::routes::desk::sellers::{Shop, connect, probe, renew, store_change};
use crate::state::AppState;

/// What the audit log calls it.
const NAME: &str = "seed-demo";
const PASSWORD: &str = "demo-password-1";

/// E-mail, username, tenant, role.
const PEOPLE: &[(&str, &str, &str, Role)] = &[
    ("owner@demo.test", "owner", "demo", Role::Owner),
    ("anna@demo.test", "anna", "demo", Role::Agent),
    ("boris@demo.test", "boris", "demo", Role::Agent),
    ("owner@acme.test", "owner", "acme", Role::Owner),
    ("operator@demo.test", "operator", "operators", Role::Admin),
];

/// What the sandbox says about itself, as far as it matters here.
#[derive(Deserialize)]
struct World {
    shops: Vec<SandboxShop>,
}

#[derive(Deserialize)]
struct SandboxShop {
    marketplace: Marketplace,
    seller: String,
    name: String,
    /// The slug of the tenant that has it.
    connected_to: Option<String>,
    credentials: SandboxKey,
    push_url: Option<String>,
}

#[derive(Deserialize)]
struct SandboxKey {
    client_id: Option<String>,
    api_key: GivenSecret,
}

/// Makes what is missing; what is there stays, but keys follow the sandbox's.
pub async fn seed_demo(config: Config, sandbox: &str) -> anyhow::Result<()> {
    if config.app_env == AppEnv::Prod {
        bail!("seed-demo refuses APP_ENV=prod: its password is public");
    }
    let ctx = Context::new(&config, 2)?;
    let state = AppState::start(config, ctx);
    let seeded = seed(&state, sandbox).await;
    state.shut_down();
    state.tasks.wait().await;
    seeded
}

async fn seed(state: &AppState, sandbox: &str) -> anyhow::Result<()> {
    let mut conn = state.ctx.pool.get().await?;
    seed_people(state, &mut conn).await?;
    let sandbox = VendorClient::new(sandbox)?;
    let world = read_world(&sandbox).await?;
    for shop in &world.shops {
        let Some(slug) = &shop.connected_to else {
            continue;
        };
        let tenant = tenants::find_by_slug(&mut conn, slug).await?;
        let tenant = tenant.with_context(|| format!("no tenant {slug}"))?.id;
        let seller = seed_shop(state, &mut conn, tenant, shop).await?;
        point_pushes(state, &sandbox, shop, &seller).await?;
    }
    tracing::info!("the demo is seeded");
    Ok(())
}

async fn seed_people(state: &AppState, conn: &mut AsyncPgConnection) -> anyhow::Result<()> {
    let now = state.ctx.clock.now();
    let acme = NewTenant {
        id: TenantId(new_public_id()),
        slug: "acme",
        name: "Acme",
        created_at: now,
    };
    tenants::insert_new(conn, &acme).await?;
    let mut hash = None;
    for (email, username, slug, role) in PEOPLE {
        let tenant = tenants::find_by_slug(conn, slug).await?;
        let tenant = tenant.with_context(|| format!("no tenant {slug}"))?.id;
        if users::find_by_email(conn, tenant, email).await?.is_some() {
            continue;
        }
        // Hashing is slow: once for all, and not at all if everybody is there.
        let password_hash = match &hash {
            Some(hash) => hash,
            None => hash.insert(state.passwords.hash(PASSWORD.into()).await.map_err(said)?),
        };
        let user = NewUser {
            tenant_id: tenant,
            public_id: new_public_id(),
            email: Some(email),
            username,
            password_hash,
            role: *role,
            confirmed_at: Some(now),
            created_at: now,
        };
        users::insert(conn, &user).await?;
        tracing::info!(tenant = slug, username, "made a person of the demo");
    }
    Ok(())
}

async fn read_world(sandbox: &VendorClient) -> anyhow::Result<World> {
    let call = Call {
        path: "/control/state",
        ..Call::default()
    };
    let answer = sandbox
        .get(call)
        .await
        .context("the sandbox does not answer")?;
    ensure!(
        answer.status.is_success(),
        "the sandbox answers {}",
        answer.status
    );
    serde_json::from_slice(&answer.body).context("the sandbox's state has another form")
}

async fn seed_shop(
    state: &AppState,
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    shop: &SandboxShop,
) -> anyhow::Result<Seller> {
    let key = &shop.credentials.api_key;
    let client_id = shop.credentials.client_id.as_deref();
    let client_id = client_id.filter(|_| shop.marketplace != Marketplace::Wildberries);
    let connector = state.ctx.marketplaces.get(shop.marketplace);
    let account = connector.account_id(client_id, key.expose_secret())?;
    let known = sellers::lock_by_account(conn, tenant, shop.marketplace, &account).await?;
    match known {
        None => {
            let wanted = Shop {
                name: &shop.name,
                marketplace: shop.marketplace,
                client_id,
                api_key: key,
            };
            let probed = probe(state, &wanted, true).await.map_err(said)?;
            let actor = Actor::program(NAME);
            conn.transaction(async |conn| connect(state, conn, tenant, &probed, &actor).await)
                .await
                .map_err(said)
        }
        Some(seller) if seller.key_fingerprint == fingerprint(key) => Ok(seller),
        Some(seller) => {
            let change = SellerChange {
                key: Some(renew(state, &seller, client_id, key).await.map_err(said)?),
                updated_at: Some(state.ctx.clock.now()),
                ..SellerChange::default()
            };
            let actor = Actor::program(NAME);
            store_change(state, &seller, &change, &actor)
                .await
                .map_err(said)
        }
    }
}

/// Tells the sandbox where to push.
async fn point_pushes(
    state: &AppState,
    sandbox: &VendorClient,
    shop: &SandboxShop,
    seller: &Seller,
) -> anyhow::Result<()> {
    let push_url = state.ctx.push_url(seller);
    if push_url.is_none() || push_url == shop.push_url {
        return Ok(());
    }
    let call = Call {
        path: "/control/shops",
        ..Call::default()
    };
    let body = json!({
        "marketplace": shop.marketplace, "seller": shop.seller, "push_url": push_url,
    });
    let answer = sandbox.post_json(call, &body).await?;
    ensure!(
        answer.status.is_success(),
        "the sandbox refuses a push address: {}",
        answer.status
    );
    Ok(())
}

fn said(error: ApiError) -> anyhow::Error {
    let cause = error.cause.unwrap_or_default();
    anyhow::anyhow!("{}: {} {cause}", error.code.name, error.message)
}
