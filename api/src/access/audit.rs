//! What the audit log says about whoever made a change.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use common::db::audit_log::{self, NewEntry};
use common::db::users::User;
use common::ids::{TenantId, UserId};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
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

/// Somebody who makes changes, as the audit log names them.
#[derive(Clone, Debug)]
pub struct Actor {
    person: Option<(TenantId, UserId)>,
    name: String,
    origin: Option<Origin>,
}

/// What an object was before a change and is after it, as far as it matters.
pub type Change = (Option<Value>, Option<Value>);

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
    /// Whoever makes this request.
    pub fn of(&self, who: &Access) -> Actor {
        Actor {
            person: Some((who.tenant, who.user)),
            name: match &who.token {
                Some(token) => format!("{} (token {})", token.name, token.id),
                None => who.username.clone(),
            },
            origin: Some(self.clone()),
        }
    }

    /// A person who is only about to sign in by this request.
    pub fn of_user(&self, user: &User) -> Actor {
        Actor {
            person: Some((user.tenant_id, user.id)),
            name: user.username.clone(),
            origin: Some(self.clone()),
        }
    }

    /// Whoever makes this request, if they do not prove who they are.
    pub fn of_somebody(&self) -> Actor {
        Actor {
            person: None,
            name: "somebody".to_owned(),
            origin: Some(self.clone()),
        }
    }

    /// An entry of the log: somebody did something to an object of `tenant`.
    pub fn entry(
        &self,
        who: &Access,
        tenant: TenantId,
        action: &'static str,
        target: String,
        change: Change,
        at: DateTime<Utc>,
    ) -> NewEntry {
        self.of(who).entry(tenant, action, target, change, at)
    }
}

impl Actor {
    /// A program of ours that nobody is signed in to.
    pub fn program(name: &str) -> Self {
        Self {
            person: None,
            name: name.to_owned(),
            origin: None,
        }
    }

    /// Writes down what they did to an object of `tenant`, in the transaction that does it.
    pub async fn note(
        &self,
        conn: &mut AsyncPgConnection,
        tenant: TenantId,
        action: &'static str,
        target: String,
        change: Change,
        at: DateTime<Utc>,
    ) -> QueryResult<()> {
        let entry = self.entry(tenant, action, target, change, at);
        audit_log::insert(conn, &entry).await?;
        Ok(())
    }

    fn entry(
        &self,
        tenant: TenantId,
        action: &'static str,
        target: String,
        (before, after): Change,
        at: DateTime<Utc>,
    ) -> NewEntry {
        let origin = self.origin.as_ref();
        NewEntry {
            tenant_id: tenant,
            actor_tenant_id: self.person.map(|(tenant, _)| tenant),
            actor_user_id: self.person.map(|(_, user)| user),
            actor: self.name.clone(),
            action,
            target,
            ip: origin.map(|origin| origin.ip.clone()),
            user_agent: origin.and_then(|origin| origin.user_agent.clone()),
            before,
            after,
            at,
        }
    }
}
