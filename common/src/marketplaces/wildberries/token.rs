//! What a token of Wildberries tells about itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::marketplaces::wire::{self, Id, warning};
use crate::marketplaces::{Capabilities, Probe, VendorError};

/// Bits of `s`; FACTS 2.2.
const BUYER_CHAT: u32 = 9;
const READ_ONLY: u32 = 30;

/// Values of `acc`.
const BASE: i64 = 1;
const TEST: i64 = 2;

/// The token as its header wants it: some paste it with the scheme.
pub(super) fn bare(token: &str) -> &str {
    let token = token.trim();
    let scheme = token.get(..7);
    match scheme.filter(|scheme| scheme.eq_ignore_ascii_case("bearer ")) {
        Some(scheme) => token[scheme.len()..].trim(),
        None => token,
    }
}

/// Decodes the claims; whether the signature holds, only Wildberries can tell.
pub(super) fn read(token: &str) -> Result<Claims, VendorError> {
    let mut parts = bare(token).split('.');
    let claims = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(claims), Some(_), None) => claims.trim_end_matches('='),
        _ => return Err(undecodable()),
    };
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| undecodable())?;
    serde_json::from_slice(&claims).map_err(|_| undecodable())
}

fn undecodable() -> VendorError {
    VendorError::Rejected {
        message: "this is not a token of Wildberries: copy it whole from the settings of the \
                  seller portal, access to API"
            .to_owned(),
    }
}

/// Shuts out a key that Wildberries itself refuses for chats, in its own words.
pub(super) fn deny(probe: &mut Probe, message: String) {
    probe.capabilities.read = false;
    probe.capabilities.send = false;
    probe
        .warnings
        .retain(|warning| warning.code != "no_chat_access");
    probe.warnings.insert(0, warning("no_chat_access", message));
}

impl Claims {
    /// The shop's id, which all its tokens share.
    pub(super) fn seller_id(self) -> Result<String, VendorError> {
        wire::id_text(self.sid).ok_or_else(undecodable)
    }

    /// What the token allows by its own words.
    pub(super) fn judge(&self, now: DateTime<Utc>) -> Probe {
        let expires_at = self.exp.and_then(|exp| DateTime::from_timestamp(exp, 0));
        let has_chat = self.has(BUYER_CHAT);
        let mut warnings = Vec::new();
        if !has_chat {
            warnings.push(warning(
                "no_chat_access",
                "The token lacks the category \"Buyers chat\": make one that has it.",
            ));
        }
        if self.has(READ_ONLY) {
            warnings.push(warning(
                "read_only",
                "The token is made for reading only: to answer, make one without this limit.",
            ));
        }
        if self.acc == Some(BASE) {
            warnings.push(warning(
                "base_token",
                "With a base token Wildberries allows one request an hour: make a personal or a \
                 service token.",
            ));
        }
        if self.t || self.acc == Some(TEST) {
            warnings.push(warning(
                "test_token",
                "This is a test token: it opens no real chats.",
            ));
        }
        warnings.extend(expires_at.and_then(|at| wire::expiry_warning(at, now)));
        let capabilities = Capabilities {
            read: has_chat,
            send: has_chat && !self.has(READ_ONLY),
            mark_read: false,
            expires_at,
            requests_per_hour: (self.acc == Some(BASE)).then_some(1),
        };
        Probe {
            capabilities,
            warnings,
        }
    }

    fn has(&self, bit: u32) -> bool {
        self.s.unwrap_or_default() & (1 << bit) != 0
    }
}

#[derive(Deserialize)]
pub(super) struct Claims {
    sid: Option<Id>,
    #[serde(default, deserialize_with = "wire::whole")]
    s: Option<i64>,
    #[serde(default, deserialize_with = "wire::whole")]
    acc: Option<i64>,
    #[serde(default, deserialize_with = "wire::flag")]
    t: bool,
    #[serde(default, deserialize_with = "wire::whole")]
    exp: Option<i64>,
}
