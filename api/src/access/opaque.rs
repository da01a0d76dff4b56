//! Tokens that say nothing but whose they are: 256 random bits behind the tenant, stored hashed.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use common::ids::TenantId;
use common::secrets::hex;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How many random bytes a token has.
const RANDOM_BYTES: usize = 32;

/// A token as it was given: where to look for it, and what is stored of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpaqueToken {
    pub tenant: TenantId,
    /// The SHA-256 of its text, in hexadecimal.
    pub hash: String,
}

/// A new token, to be shown once.
#[derive(Debug)]
pub struct Issued {
    pub text: SecretString,
    /// The SHA-256 of its text, in hexadecimal.
    pub hash: String,
}

impl OpaqueToken {
    /// A new token: `{prefix}{tenant}.{random}`.
    pub fn issue(prefix: &str, tenant: TenantId) -> Issued {
        let random: [u8; RANDOM_BYTES] = rand::random();
        let random = BASE64_URL_SAFE_NO_PAD.encode(random);
        let text = format!("{prefix}{}.{random}", tenant.0.simple());
        let hash = hash(&text);
        Issued {
            text: text.into(),
            hash,
        }
    }

    /// Takes a token apart; none if it has another form.
    pub fn parse(prefix: &str, text: &str) -> Option<Self> {
        let text = text.trim();
        let (tenant, random) = text.strip_prefix(prefix)?.split_once('.')?;
        let tenant = Uuid::try_parse(tenant).ok()?;
        let random = BASE64_URL_SAFE_NO_PAD.decode(random).ok()?;
        (random.len() == RANDOM_BYTES).then(|| Self {
            tenant: TenantId(tenant),
            hash: hash(text),
        })
    }
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash_and_no_two_are_the_same() {
        let tenant = TenantId(Uuid::from_u128(7));
        let issued = OpaqueToken::issue("cc_", tenant);
        let text = issued.text.expose_secret();
        let read = OpaqueToken::parse("cc_", text).unwrap();
        assert_eq!((read.tenant, &read.hash), (tenant, &issued.hash));
        assert!(!issued.hash.contains(text));
        assert_ne!(OpaqueToken::issue("cc_", tenant).hash, issued.hash);
        for wrong in ["", "cc_", &text[3..], &text[..text.len() - 4], "cc_x.y"] {
            assert_eq!(OpaqueToken::parse("cc_", wrong), None, "{wrong}");
        }
    }
}
