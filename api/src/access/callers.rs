//! Who may call a handler: its signature says it, and the deny is here.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use common::db::sessions;
use common::ids::{SessionId, TenantId};

use super::cache::Access;
use super::tokens::TokenProblem;
use crate::http::{ApiError, ApiResult, CallerSlot, codes};
use crate::state::AppState;

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
    /// The tenant's owner.
    Owner = |access| access.role.is_owner();
    /// A person of ours.
    Operator = Access::is_operator;
}

async fn authenticate(parts: &Parts, state: &AppState) -> ApiResult<Arc<Access>> {
    let token = bearer_token(&parts.headers).ok_or(codes::UNAUTHORIZED)?;
    let access = authenticate_token(state, token).await?;
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

/// What the bearer of an access token may do now.
pub async fn authenticate_token(state: &AppState, token: &str) -> ApiResult<Arc<Access>> {
    let now = state.ctx.clock.now();
    let claims = state.tokens.read(token, now).map_err(|problem| {
        ApiError::from(match problem {
            TokenProblem::Invalid => codes::UNAUTHORIZED,
            TokenProblem::Expired => codes::TOKEN_EXPIRED,
        })
    })?;
    let access = current_access(state, claims.tenant, claims.sid).await?;
    access
        .filter(|access| access.user_public_id == claims.sub)
        .ok_or_else(|| codes::UNAUTHORIZED.into())
}

/// What a session may do now; none if it has ended.
pub async fn current_access(
    state: &AppState,
    tenant: TenantId,
    session: SessionId,
) -> ApiResult<Option<Arc<Access>>> {
    let now = state.ctx.clock.now();
    let known = state.access.get(session);
    let access = match known.filter(|access| access.expires_at > now) {
        Some(access) => Some(access),
        None => {
            let evictions = state.access.evictions();
            let found = state
                .read(async move |conn| sessions::find_with_user(conn, tenant, session).await)
                .await?;
            let access = found.and_then(|(session, user, tenant)| {
                Access::of(&session, &user, &tenant, now).map(Arc::new)
            });
            if let Some(access) = &access {
                state.access.store(evictions, access);
            }
            access
        }
    };
    Ok(access.filter(|access| access.tenant == tenant))
}
