//! Seals what must not be read in a dump: a ciphertext opens only in the row it was made for.

use base64::Engine;
use base64::prelude::{
    BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD,
};
use chacha20poly1305::aead::{Aead, Generate, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::ids::TenantId;

/// The keys that open; one of them, the current one, also seals.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<SealingKey>,
}

#[derive(Clone)]
struct SealingKey {
    /// The first 8 hex digits of the key's SHA-256.
    id: String,
    role: KeyRole,
    cipher: XChaCha20Poly1305,
}

/// What a key of the ring is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// Seals and opens.
    Current,
    /// Opens; what it sealed is sealed anew.
    Old,
    /// Opens what others seal that were told to use it before us.
    Next,
}

/// A key is not 32 bytes in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKey {
    /// Which one.
    pub role: KeyRole,
}

/// Where a sealed value stands: part of what is authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub table: &'a str,
    pub column: &'a str,
    pub tenant: TenantId,
    pub row: Uuid,
}

/// Why a sealed value does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("the sealed value is malformed")]
    Malformed,
    #[error("the key it was sealed with is not in the key ring")]
    UnknownKey,
    #[error("the sealed value was changed or belongs elsewhere")]
    Refused,
}

impl Keyring {
    /// Takes keys of 32 bytes in base64, plain or URL-safe; `current` seals.
    pub fn new(current: &str, old: &[String]) -> Result<Self, BadKey> {
        let mut ring = Self { keys: Vec::new() };
        ring.add(current, KeyRole::Current)?;
        for text in old {
            ring.add(text, KeyRole::Old)?;
        }
        Ok(ring)
    }

    /// The same with a key that will be the current one soon.
    pub fn with_next(mut self, next: &str) -> Result<Self, BadKey> {
        self.add(next, KeyRole::Next)?;
        Ok(self)
    }

    /// Adds a key; one that is there already keeps its role.
    fn add(&mut self, text: &str, role: KeyRole) -> Result<(), BadKey> {
        let key = SealingKey::parse(text, role).ok_or(BadKey { role })?;
        if self.role(&key.id).is_none() {
            self.keys.push(key);
        }
        Ok(())
    }

    /// Every key's id and role, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = (&str, KeyRole)> {
        self.keys.iter().map(|key| (key.id.as_str(), key.role))
    }

    /// The keys that shall not be needed any more: not the next one, or workers that were told of it and
    /// workers that seal with it would undo each other's work.
    pub fn old_ids(&self) -> impl Iterator<Item = &str> {
        self.ids()
            .filter(|(_, role)| *role == KeyRole::Old)
            .map(|(id, _)| id)
    }

    /// The role of the key with this id, if it is in the ring.
    pub fn role(&self, id: &str) -> Option<KeyRole> {
        self.ids().find(|(known, _)| *known == id).map(|it| it.1)
    }

    /// Seals a value for one place as `v1.<key id>.<nonce>.<ciphertext>`.
    pub fn seal(&self, place: Place<'_>, value: &SecretString) -> String {
        let key = &self.keys[0];
        let place = place.associated_data();
        let nonce = XNonce::generate();
        let payload = Payload {
            msg: value.expose_secret().as_bytes(),
            aad: place.as_bytes(),
        };
        #[expect(
            clippy::expect_used,
            reason = "sealing fails only for values of more than 256 GiB"
        )]
        let ciphertext = key
            .cipher
            .encrypt(&nonce, payload)
            .expect("a key fits into memory");
        format!(
            "v1.{}.{}.{}",
            key.id,
            BASE64_URL_SAFE_NO_PAD.encode(nonce),
            BASE64_URL_SAFE_NO_PAD.encode(ciphertext)
        )
    }

    /// Opens a value that was sealed for this place.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<SecretString, OpenError> {
        let parts: Vec<_> = sealed.split('.').collect();
        let ["v1", key_id, nonce, ciphertext] = parts[..] else {
            return Err(OpenError::Malformed);
        };
        let decode = |text| {
            BASE64_URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|_| OpenError::Malformed)
        };
        let nonce: [u8; 24] = decode(nonce)?
            .try_into()
            .map_err(|_| OpenError::Malformed)?;
        let ciphertext = decode(ciphertext)?;
        let key = self
            .keys
            .iter()
            .find(|key| key.id == key_id)
            .ok_or(OpenError::UnknownKey)?;
        let place = place.associated_data();
        let payload = Payload {
            msg: &ciphertext,
            aad: place.as_bytes(),
        };
        let plain = key
            .cipher
            .decrypt(&XNonce::from(nonce), payload)
            .map_err(|_| OpenError::Refused)?;
        let text = String::from_utf8(plain).map_err(|_| OpenError::Refused)?;
        Ok(text.into())
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<_> = self.ids().collect();
        f.debug_struct("Keyring").field("key_ids", &ids).finish()
    }
}

impl SealingKey {
    fn parse(text: &str, role: KeyRole) -> Option<Self> {
        let bytes: [u8; 32] = [
            BASE64_STANDARD.decode(text),
            BASE64_STANDARD_NO_PAD.decode(text),
            BASE64_URL_SAFE.decode(text),
            BASE64_URL_SAFE_NO_PAD.decode(text),
        ]
        .into_iter()
        .find_map(|decoded| decoded.ok()?.try_into().ok())?;
        Some(Self {
            id: hex(&Sha256::digest(bytes)[..4]),
            role,
            cipher: XChaCha20Poly1305::new(&Key::from(bytes)),
        })
    }
}

impl Place<'_> {
    fn associated_data(&self) -> String {
        format!(
            "{}│{}│{}│{}",
            self.table, self.column, self.tenant, self.row
        )
    }
}

/// What people may see of a key, to tell two apart: 8 hex digits of its SHA-256.
pub fn fingerprint(secret: &SecretString) -> String {
    hex(&Sha256::digest(secret.expose_secret().as_bytes())[..4])
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> String {
        BASE64_STANDARD.encode([byte; 32])
    }

    fn place(row: u128) -> Place<'static> {
        Place {
            table: "sellers",
            column: "api_key",
            tenant: TenantId(Uuid::from_u128(1)),
            row: Uuid::from_u128(row),
        }
    }

    #[test]
    fn opens_only_where_it_was_sealed() {
        let ring = Keyring::new(&key(1), &[]).unwrap();
        let sealed = ring.seal(place(1), &"secret-key".into());
        let opened = ring.open(place(1), &sealed).unwrap();
        assert_eq!(opened.expose_secret(), "secret-key");

        let other_tenant = Place {
            tenant: TenantId(Uuid::from_u128(2)),
            ..place(1)
        };
        let other_column = Place {
            column: "client_secret",
            ..place(1)
        };
        let other_table = Place {
            table: "tenants",
            ..place(1)
        };
        for wrong in [place(2), other_tenant, other_column, other_table] {
            assert_eq!(ring.open(wrong, &sealed).unwrap_err(), OpenError::Refused);
        }
    }

    #[test]
    fn an_old_key_still_opens_and_a_removed_one_does_not() {
        let before = Keyring::new(&key(1), &[]).unwrap();
        let sealed = before.seal(place(1), &"secret-key".into());
        let rotated = Keyring::new(&key(2), &[key(1)]).unwrap();
        assert!(rotated.open(place(1), &sealed).is_ok());
        let removed = Keyring::new(&key(2), &[]).unwrap();
        assert_eq!(
            removed.open(place(1), &sealed).unwrap_err(),
            OpenError::UnknownKey
        );
    }

    #[test]
    fn the_next_key_opens_and_does_not_seal() {
        let ahead = Keyring::new(&key(2), &[key(1)]).unwrap();
        let behind = Keyring::new(&key(1), &[]).unwrap();
        let behind = behind.with_next(&key(2)).unwrap();
        assert_eq!((ahead.old_ids().count(), behind.old_ids().count()), (1, 0));
        let value = "secret-key".into();
        assert!(behind.open(place(1), &ahead.seal(place(1), &value)).is_ok());
        let sealed = behind.seal(place(1), &value);
        let only_next = Keyring::new(&key(2), &[]).unwrap();
        assert_eq!(
            only_next.open(place(1), &sealed).unwrap_err(),
            OpenError::UnknownKey
        );
    }

    #[test]
    fn a_key_that_is_named_twice_keeps_its_first_role() {
        let ring = Keyring::new(&key(1), &[key(1), key(2)]).unwrap();
        let roles: Vec<_> = ring.ids().map(|(_, role)| role).collect();
        assert_eq!(roles, [KeyRole::Current, KeyRole::Old]);
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let ring = Keyring::new(&key(1), &[]).unwrap();
        let value = "secret-key".into();
        assert_ne!(ring.seal(place(1), &value), ring.seal(place(1), &value));
    }

    #[test]
    fn debug_shows_no_key() {
        let ring = Keyring::new(&key(1), &[]).unwrap();
        assert!(!format!("{ring:?}").contains(&key(1)));
    }
}
