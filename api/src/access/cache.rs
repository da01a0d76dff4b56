//! What each session and token may do: read once from the database, and forgotten when somebody's access changes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::db::access_changes::{self, AccessChange};
use common::db::api_tokens::{ApiToken, TokenScope};
use common::db::sessions::Session;
use common::db::tenants::{OPERATORS, Tenant};
use common::db::users::{Role, User};
use common::ids::{ApiTokenId, SessionId, TenantId, UserId};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use crate::state::AppState;

/// Entries are trusted for this long after the last reading of changes began.
const TRUSTED_FOR: Duration = Duration::from_secs(2);
const READ_EVERY: Duration = Duration::from_secs(1);
/// After a longer gap than this some changes may have left the window that is read.
const LONGEST_GAP: Duration = Duration::from_secs(15);
const MOST_ENTRIES: usize = 100_000;
/// The use of a token is written down at most so often.
const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// What proves who makes a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    Session(SessionId),
    /// An API token, by its hash.
    Token(Arc<str>),
}

/// The API token by which somebody acts.
#[derive(Clone, Debug)]
pub struct TokenAccess {
    pub id: ApiTokenId,
    pub name: String,
    /// Whether it may do more than read.
    pub may_write: bool,
}

/// Who a session or a token belongs to, and what they may do by it.
#[derive(Clone, Debug)]
pub struct Access {
    pub tenant: TenantId,
    pub tenant_slug: String,
    pub tenant_name: String,
    pub user: UserId,
    pub user_public_id: Uuid,
    pub username: String,
    pub role: Role,
    pub credential: Credential,
    /// None: they are signed in themselves.
    pub token: Option<TokenAccess>,
    pub expires_at: DateTime<Utc>,
}

impl Access {
    /// What a session may do at `now`; none if it has ended or its person may not come in.
    pub fn of(session: &Session, user: &User, tenant: &Tenant, now: DateTime<Utc>) -> Option<Self> {
        let is_open = session.revoked_at.is_none() && session.expires_at > now;
        let credential = Credential::Session(session.id);
        Self::of_person(user, tenant, credential, session.expires_at).filter(|_| is_open)
    }

    /// What a token with this hash may do at `now`: never more than its maker.
    pub fn of_token(
        token: &ApiToken,
        hash: &str,
        (maker, tenant): (&User, &Tenant),
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let expires_at = token.expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let is_open = token.revoked_at.is_none() && expires_at > now;
        let credential = Credential::Token(hash.into());
        let access = Self::of_person(maker, tenant, credential, expires_at)?;
        let leads = token.scopes.contains(&TokenScope::Admin);
        let most = if leads { Role::Admin } else { Role::Agent };
        is_open.then(|| Self {
            role: maker.role.at_most(most),
            token: Some(TokenAccess {
                id: token.id,
                name: token.name.clone(),
                may_write: leads || token.scopes.contains(&TokenScope::Write),
            }),
            ..access
        })
    }

    /// What a person may do; none if they may not come in.
    fn of_person(
        user: &User,
        tenant: &Tenant,
        credential: Credential,
        expires_at: DateTime<Utc>,
    ) -> Option<Self> {
        if !user.is_active || tenant.blocked_at.is_some() {
            return None;
        }
        Some(Self {
            tenant: tenant.id,
            tenant_slug: tenant.slug.clone(),
            tenant_name: tenant.name.clone(),
            user: user.id,
            user_public_id: user.public_id,
            username: user.username.clone(),
            role: user.role,
            credential,
            token: None,
            expires_at,
        })
    }

    /// Whether it is somebody who answers buyers.
    pub fn answers_buyers(&self) -> bool {
        self.role.answers() && !self.is_operator()
    }

    /// Whether it is somebody who changes shops, rules and the team.
    pub fn leads(&self) -> bool {
        self.role.leads() && !self.is_operator()
    }

    /// Whether it is the tenant's owner.
    pub fn owns(&self) -> bool {
        self.role.is_owner() && !self.is_operator()
    }

    /// Whether it is a person of ours: no tenant's staff.
    pub fn is_operator(&self) -> bool {
        self.tenant_slug == OPERATORS
    }
}

/// The sessions and tokens seen lately.
#[derive(Debug, Default)]
pub struct AccessCache {
    entries: Mutex<Entries>,
    /// Told of each eviction.
    evicted: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Entries {
    by_credential: HashMap<Credential, Arc<Access>>,
    /// When the use of each token was last to be written down.
    used_at: HashMap<ApiTokenId, DateTime<Utc>>,
    /// When the last successful reading of changes began.
    read_at: Option<Instant>,
    /// The changes that were seen in it.
    seen: HashSet<AccessChange>,
    /// Grows with each eviction.
    evictions: u64,
}

impl AccessCache {
    /// What may be done by this, if that is known for sure.
    pub fn get(&self, credential: &Credential) -> Option<Arc<Access>> {
        let entries = self.lock();
        if !entries.is_trusted() {
            return None;
        }
        entries.by_credential.get(credential).cloned()
    }

    /// To be passed to [`Self::store`]: taken before the database is asked.
    pub fn evictions(&self) -> u64 {
        self.lock().evictions
    }

    /// Remembers what the database said, unless somebody was evicted since it was asked.
    pub fn store(&self, evictions: u64, access: &Arc<Access>) {
        let mut entries = self.lock();
        if entries.evictions != evictions {
            return;
        }
        if entries.by_credential.len() >= MOST_ENTRIES {
            entries.by_credential.clear();
        }
        entries
            .by_credential
            .insert(access.credential.clone(), Arc::clone(access));
    }

    /// Whether the use of a token at `now` is to be written down: not if one of the last minute was.
    pub fn is_use_news(&self, token: ApiTokenId, now: DateTime<Utc>) -> bool {
        let mut entries = self.lock();
        let last = entries.used_at.get(&token);
        if last.is_some_and(|last| now - *last < USE_NOTED_EVERY) {
            return false;
        }
        if entries.used_at.len() >= MOST_ENTRIES {
            entries.used_at.clear();
        }
        entries.used_at.insert(token, now);
        true
    }

    /// Forgets what a person may do.
    pub fn evict(&self, tenant: TenantId, user: UserId) {
        self.lock().evict(tenant, user);
        self.evicted.send_replace(());
    }

    /// Changes whenever somebody is evicted: whoever listens long asks again then.
    pub fn evicted(&self) -> watch::Receiver<()> {
        self.evicted.subscribe()
    }

    /// Takes in what a reading of changes showed that began at `started`.
    fn note_reading(&self, started: Instant, changes: Vec<AccessChange>) {
        let mut entries = self.lock();
        let before = entries.evictions;
        if entries.read_at.is_none_or(|at| started - at > LONGEST_GAP) {
            entries.by_credential.clear();
            entries.evictions += 1;
        }
        for change in &changes {
            if !entries.seen.contains(change) {
                entries.evict(change.tenant_id, change.user_id);
            }
        }
        entries.seen = changes.into_iter().collect();
        entries.read_at = Some(started);
        if entries.evictions != before {
            self.evicted.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn is_trusted(&self) -> bool {
        self.read_at.is_some_and(|at| at.elapsed() < TRUSTED_FOR)
    }

    fn evict(&mut self, tenant: TenantId, user: UserId) {
        self.evictions += 1;
        self.by_credential
            .retain(|_, access| access.tenant != tenant || access.user != user);
    }
}

/// Reads changes once a second until the process stops.
pub async fn follow_changes(state: AppState) {
    let mut ticks = interval(READ_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = state.stop.cancelled() => return,
        }
        let started = Instant::now();
        match read_changes(&state).await {
            Ok(changes) => {
                state.access.note_reading(started, changes);
                is_failing = false;
            }
            Err(error) => {
                if !is_failing {
                    tracing::warn!(%error, "access changes cannot be read: sessions are read anew");
                }
                is_failing = true;
            }
        }
    }
}

async fn read_changes(state: &AppState) -> anyhow::Result<Vec<AccessChange>> {
    let reading = async {
        let mut conn = state.ctx.pool.get().await?;
        anyhow::Ok(access_changes::recent_across_tenants(&mut conn).await?)
    };
    timeout(TRUSTED_FOR, reading).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(session: i64) -> Credential {
        Credential::Session(SessionId(session))
    }

    fn access(session: i64, user: i64) -> Arc<Access> {
        Arc::new(Access {
            tenant: TenantId(Uuid::nil()),
            tenant_slug: "demo".into(),
            tenant_name: "Demo".into(),
            user: UserId(user),
            user_public_id: Uuid::nil(),
            username: "anna".into(),
            role: Role::Agent,
            credential: credential(session),
            token: None,
            expires_at: DateTime::UNIX_EPOCH,
        })
    }

    fn change(id: i64, user: i64) -> AccessChange {
        AccessChange {
            tenant_id: TenantId(Uuid::nil()),
            id,
            user_id: UserId(user),
        }
    }

    #[test]
    fn entries_are_trusted_only_while_changes_are_read() {
        let cache = AccessCache::default();
        cache.store(cache.evictions(), &access(1, 1));
        assert!(cache.get(&credential(1)).is_none());
        cache.note_reading(Instant::now(), vec![]);
        cache.store(cache.evictions(), &access(1, 1));
        assert!(cache.get(&credential(1)).is_some());
    }

    #[test]
    fn a_change_evicts_all_sessions_of_the_person_once() {
        let cache = AccessCache::default();
        cache.note_reading(Instant::now(), vec![]);
        cache.store(cache.evictions(), &access(1, 1));
        cache.store(cache.evictions(), &access(2, 2));
        cache.note_reading(Instant::now(), vec![change(1, 1)]);
        assert!(cache.get(&credential(1)).is_none());
        assert!(cache.get(&credential(2)).is_some());
        cache.store(cache.evictions(), &access(1, 1));
        cache.note_reading(Instant::now(), vec![change(1, 1)]);
        assert!(cache.get(&credential(1)).is_some());
    }

    #[test]
    fn what_was_asked_before_an_eviction_is_not_remembered() {
        let cache = AccessCache::default();
        cache.note_reading(Instant::now(), vec![]);
        let evictions = cache.evictions();
        cache.evict(TenantId(Uuid::nil()), UserId(1));
        cache.store(evictions, &access(1, 1));
        assert!(cache.get(&credential(1)).is_none());
    }
}
