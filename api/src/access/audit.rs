//! What the audit log says about whoever made a change.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use common::db::audit_log::NewEntry;
use common::ids::TenantId;
use serde_json::Value;

use super::{Access, ClientIp};
use crate::state::AppState;

/// The longest name of a client that is kept, in characters.
const USER_AGENT_CHARS: usize = 200;

/// Where a request comes from, for the audit log.
#[derive(Clone, Debug)]
pub struct Origin {
    ip: String,
    user_agent: Option<String>,
}

impl FromRequestParts<AppState> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let ClientIp(ip) = ClientIp::from_request_parts(parts, state).await?;
        let user_agent = parts.headers.get(USER_AGENT);
        Ok(Self {
            ip: ip.to_string(),
            user_agent: user_agent
                .and_then(|value| value.to_str().ok())
                .map(|value| value.chars().take(USER_AGENT_CHARS).collect()),
        })
    }
}

impl Origin {
    /// An entry of the log: somebody did something to an object of `tenant`.
    pub fn entry(
        &self,
        who: &Access,
        tenant: TenantId,
        action: &'static str,
        target: String,
        (before, after): (Option<Value>, Option<Value>),
        at: DateTime<Utc>,
    ) -> NewEntry {
        NewEntry {
            tenant_id: tenant,
            actor_tenant_id: Some(who.tenant),
            actor_user_id: Some(who.user),
            actor: who.username.clone(),
            action,
            target,
            ip: Some(self.ip.clone()),
            user_agent: self.user_agent.clone(),
            before,
            after,
            at,
        }
    }
}
