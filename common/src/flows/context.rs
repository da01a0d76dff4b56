//! What the flows work with.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::clock::Clock;
use crate::config::{Config, DeliveryConfig};
use crate::db::sellers::Seller;
use crate::db::{self, Pool, PoolError};
use crate::domain::delivery::Waits;
use crate::feed::Feed;
use crate::files::FileStore;
use crate::jobs::{JobQueue, Redis};
use crate::limits::{Limits, Permit, Urgency};
use crate::llm::Providers;
use crate::marketplaces::{Marketplace, Marketplaces, Operation, ShopAccess, VendorError};
use crate::secrets::{Keyring, OpenError};

/// How long a request waits for its turn at most.
const PERMIT_WAIT: Duration = Duration::from_secs(5);

/// Storage and the outside world, as the worker's flows need them. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub pool: Pool,
    pub marketplaces: Marketplaces,
    pub providers: Providers,
    pub limits: Limits,
    pub feed: Feed,
    pub files: FileStore,
    pub redis: Redis,
    pub jobs: JobQueue,
    pub clock: Clock,
    pub keyring: Keyring,
    pub delivery: DeliveryConfig,
    pub sync: SyncRules,
    /// The api's address, for the push addresses that shops show.
    pub base_url: String,
    pub push_secret: SecretString,
}

/// How often shops are polled.
#[derive(Clone, Copy, Debug)]
pub struct SyncRules {
    /// Between two polls of a quiet shop.
    pub slowest: Duration,
}

/// Why a flow stopped before its end; whatever it stored stands.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    #[error("database: {0}")]
    Database(#[from] diesel::result::Error),
    #[error("no database connection: {0}")]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Vendor(#[from] VendorError),
    #[error("the stored key does not open: {0}")]
    Key(#[from] OpenError),
    /// Somebody else holds the row now: whatever this flow would store does not count.
    #[error("the lease is over")]
    LeaseLost,
}

impl Context {
    /// Prepares everything; nothing is contacted yet.
    pub fn new(config: &Config, pool_size: usize) -> anyhow::Result<Self> {
        let redis = Redis::new(config.redis_url.expose_secret(), "")?;
        Self::with_redis(config, pool_size, redis)
    }

    /// The same with a Redis of one's own: tests keep their keys apart by a prefix.
    pub fn with_redis(config: &Config, pool_size: usize, redis: Redis) -> anyhow::Result<Self> {
        let clock = Clock::with_offset_ms(config.clock_offset_ms);
        Ok(Self {
            pool: db::connect(&config.database_url, pool_size)?,
            marketplaces: Marketplaces::with_clock(&config.vendors, &clock)?,
            providers: Providers::new(&config.llm)?,
            limits: Limits::new(&redis),
            feed: Feed::new(&redis),
            files: FileStore::new(&config.files),
            jobs: JobQueue::new(&redis),
            redis,
            clock,
            keyring: config.keyring.clone(),
            delivery: config.delivery,
            sync: SyncRules {
                slowest: config.poll_interval,
            },
            base_url: config.base_url.clone(),
            push_secret: config.access.auth_token_secret.clone(),
        })
    }

    /// The waits of settling.
    pub fn waits(&self) -> Waits {
        Waits {
            settle_after: self.delivery.settle_after,
            settle_again: self.delivery.settle_again,
        }
    }

    /// The connector of a shop.
    pub fn marketplace(&self, seller: &Seller) -> &dyn Marketplace {
        self.marketplaces.get(seller.marketplace)
    }

    /// Opens the shop's key.
    pub fn open(&self, seller: &Seller) -> Result<ShopAccess, OpenError> {
        let api_key = self.keyring.open(seller.key_place(), &seller.sealed_key)?;
        Ok(ShopAccess {
            account_id: seller.account_id.clone(),
            api_key,
        })
    }

    /// Waits until the shop's account may make one more request.
    pub async fn permit(
        &self,
        seller: &Seller,
        operation: Operation,
    ) -> Result<Permit, VendorError> {
        let urgency = match operation {
            // Somebody waits for each.
            Operation::SendText | Operation::SendFile | Operation::StartChat => Urgency::Send,
            _ => Urgency::Read,
        };
        self.limits
            .acquire(
                seller.marketplace,
                &seller.account_id,
                seller.capabilities().and_then(|it| it.requests_per_hour),
                operation,
                urgency,
                // Within the lease: who waited beyond it would spend the request for nothing.
                PERMIT_WAIT.min(self.delivery.lease / 2),
            )
            .await
            .map_err(|wait| VendorError::RateLimited {
                retry_after: Some(wait.retry_after),
            })
    }
}
