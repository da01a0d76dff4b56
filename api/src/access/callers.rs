//! Who may call a handler: its signature says it, and the deny is here.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use common::db::{api_tokens, sessions};
use common::ids::TenantId;

use super::OpaqueToken;
use super::cache::{Access, Credential};
use super::tokens::TokenProblem;
use crate::http::{ApiError, ApiResult, CallerSlot, codes};
use crate::state::AppState;

/// How every API token begins.
pub const API_TOKEN_PREFIX: &str = "cc_";

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident = $may:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(Arc<Access>);

        impl $name {
            /// What they may do.
            pub fn access(&self) -> Arc<Access> {
                Arc::clone(&self.0)
            }
        }

        impl Deref for $name {
            type Target = Access;

            fn deref(&self) -> &Access {
                &self.0
            }
        }

        impl FromRequestParts<AppState> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(
                parts: &mut Parts,
                state: &AppState,
            ) -> Result<Self, ApiError> {
                let access = authenticate(parts, state).await?;
                let may: fn(&Access) -> bool = $may;
                if may(&access) {
                    Ok(Self(access))
                } else {
                    Err(codes::FORBIDDEN.into())
                }
            }
        }
    )*};
}

callers! {
    /// Anybody who is signed in.
    Person = |_| true;
    /// Somebody who answers buyers.
    Staff = Access::answers_buyers;
    /// Somebody who may change shops, rules and the team.
    Admin = Access::leads;
    /// Somebody who may do that, and is signed in themselves: not a token.
    AdminInPerson = |access| access.leads() && access.token.is_none();
    /// Anybody who is signed in themselves: not a token.
    InPerson = |access| access.token.is_none();
    /// The tenant's owner.
    Owner = Access::owns;
    /// A person of ours.
    Operator = Access::is_operator;
}

async fn authenticate(parts: &Parts, state: &AppState) -> ApiResult<Arc<Access>> {
    let token = bearer_token(&parts.headers).ok_or(codes::UNAUTHORIZED)?;
    let access = authenticate_token(state, token).await?;
    let may_write = access.token.as_ref().is_none_or(|token| token.may_write);
    if !may_write && !parts.method.is_safe() {
        return Err(codes::SCOPE_MISSING.into());
    }
    if let Some(slot) = parts.extensions.get::<CallerSlot>() {
        slot.note(access.tenant, access.user);
    }
    Ok(access)
}

/// The token of `Authorization: Bearer …`.
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// What the bearer of an access token, or of an API token, may do now.
pub async fn authenticate_token(state: &AppState, token: &str) -> ApiResult<Arc<Access>> {
    if token.starts_with(API_TOKEN_PREFIX) {
        return authenticate_api_token(state, token).await;
    }
    let now = state.ctx.clock.now();
    let claims = state.tokens.read(token, now).map_err(|problem| {
        ApiError::from(match problem {
            TokenProblem::Invalid => codes::UNAUTHORIZED,
            TokenProblem::Expired => codes::TOKEN_EXPIRED,
        })
    })?;
    let session = Credential::Session(claims.sid);
    let access = current_access(state, claims.tenant, &session).await?;
    access
        .filter(|access| access.user_public_id == claims.sub)
        .ok_or_else(|| codes::UNAUTHORIZED.into())
}

async fn authenticate_api_token(state: &AppState, token: &str) -> ApiResult<Arc<Access>> {
    let token = OpaqueToken::parse(API_TOKEN_PREFIX, token).ok_or(codes::UNAUTHORIZED)?;
    let credential = Credential::Token(token.hash.into());
    let access = current_access(state, token.tenant, &credential).await?;
    let access = access.ok_or(codes::UNAUTHORIZED)?;
    note_use(state, &access);
    Ok(access)
}

/// Remembers the use of a token without keeping the client waiting.
fn note_use(state: &AppState, access: &Access) {
    let now = state.ctx.clock.now();
    let Some(id) = access.token.as_ref().map(|token| token.id) else {
        return;
    };
    if !state.access.is_use_news(id, now) {
        return;
    }
    let tenant = access.tenant;
    state.after_commit(move |ctx| async move {
        let noted = async {
            let mut conn = ctx.pool.get().await?;
            anyhow::Ok(api_tokens::note_use(&mut conn, tenant, id, now).await?)
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, token = %id, "the use of a token is not written down");
        }
    });
}

/// What a session or a token may do now; none if it has ended.
pub async fn current_access(
    state: &AppState,
    tenant: TenantId,
    credential: &Credential,
) -> ApiResult<Option<Arc<Access>>> {
    let now = state.ctx.clock.now();
    let known = state.access.get(credential);
    let access = match known.filter(|access| access.expires_at > now) {
        Some(access) => Some(access),
        None => {
            let evictions = state.access.evictions();
            let access = stored_access(state, tenant, credential).await?;
            let access = access.map(Arc::new);
            if let Some(access) = &access {
                state.access.store(evictions, access);
            }
            access
        }
    };
    Ok(access.filter(|access| access.tenant == tenant))
}

/// The same, asked of the database.
async fn stored_access(
    state: &AppState,
    tenant: TenantId,
    credential: &Credential,
) -> ApiResult<Option<Access>> {
    let now = state.ctx.clock.now();
    match credential {
        Credential::Session(id) => {
            let found = state
                .read(async |conn| sessions::find_with_user(conn, tenant, *id).await)
                .await?;
            Ok(found.and_then(|(session, user, tenant)| Access::of(&session, &user, &tenant, now)))
        }
        Credential::Token(hash) => {
            let found = state
                .read(async |conn| api_tokens::find_with_maker(conn, tenant, hash).await)
                .await?;
            Ok(found.and_then(|(token, maker, tenant)| {
                Access::of_token(&token, hash, (&maker, &tenant), now)
            }))
        }
    }
}
