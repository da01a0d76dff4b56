//! What a key of Ozon may do, from the methods that its roles list.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::marketplaces::wire::{self, warning};
use crate::marketplaces::{Capabilities, Probe, VendorError};

const LIST: &str = "/v3/chat/list";
const HISTORY: &str = "/v3/chat/history";
const SEND: &str = "/v1/chat/send/message";
const READ: &str = "/v2/chat/read";

/// Judges by the methods listed. Whether the shop has Premium, which sending needs, only a refused
/// send tells (FACTS 1.10).
pub(super) fn judge(roles: Roles, now: DateTime<Utc>) -> Probe {
    let expires_at = roles.expires_at.as_deref().and_then(wire::time);
    let granted = Granted::from(roles);
    let mut probe = Probe {
        capabilities: Capabilities {
            read: granted.allows(LIST) && granted.allows(HISTORY),
            send: granted.allows(SEND),
            mark_read: granted.allows(READ),
            expires_at,
            requests_per_hour: None,
        },
        warnings: Vec::new(),
    };
    if !probe.capabilities.read {
        probe.capabilities.send = false;
        probe.warnings.push(warning(
            "no_chat_access",
            "The key has no role for chats with buyers: make one with a role that includes them.",
        ));
    } else if !probe.capabilities.send {
        probe.warnings.push(warning(
            "read_only",
            "The key may read chats but not answer: make one with a role that may send messages.",
        ));
    }
    probe
        .warnings
        .extend(expires_at.and_then(|at| wire::expiry_warning(at, now)));
    probe
}

/// A key without the role for this very question may still have those for chats.
pub(super) fn unknown(error: VendorError) -> Result<Probe, VendorError> {
    match error {
        VendorError::Forbidden { message } if message.contains("missing a required role") => {
            Ok(Probe {
                capabilities: Capabilities {
                    read: true,
                    send: true,
                    mark_read: true,
                    ..Capabilities::default()
                },
                warnings: vec![warning(
                    "probe_unavailable",
                    format!("The key may not tell what it may do; polling will show: {message}"),
                )],
            })
        }
        error => Err(error),
    }
}

struct Granted {
    methods: Vec<String>,
    is_admin: bool,
}

impl From<Roles> for Granted {
    fn from(roles: Roles) -> Self {
        let roles = roles.roles.into_iter().enumerate();
        let roles: Vec<Role> = roles
            .filter_map(|(position, role)| wire::item(role, position, "Ozon's roles"))
            .collect();
        Self {
            is_admin: roles.iter().any(|role| {
                let name = role.name.as_deref().unwrap_or_default().trim();
                name.eq_ignore_ascii_case("admin")
            }),
            methods: roles.into_iter().flat_map(|role| role.methods).collect(),
        }
    }
}

impl Granted {
    fn allows(&self, method: &str) -> bool {
        let covers = |listed: &String| {
            // The page's example lists "/v1/posting": a group, not a method.
            let rest = method.strip_prefix(listed.trim_end_matches(['*', '/']));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        // Too little to judge by: an answer without methods, or an administrator's with some.
        let tells_about_chats = self.methods.iter().any(|listed| listed.contains("/chat"));
        self.methods.iter().any(covers)
            || self.methods.is_empty()
            || (self.is_admin && !tells_about_chats)
    }
}

#[derive(Deserialize)]
pub(super) struct Roles {
    expires_at: Option<String>,
    #[serde(default, deserialize_with = "wire::items")]
    roles: Vec<Value>,
}

#[derive(Deserialize)]
struct Role {
    name: Option<String>,
    #[serde(default)]
    methods: Vec<String>,
}
