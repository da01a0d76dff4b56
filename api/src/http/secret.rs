//! Secrets that clients send: read, never written back or logged.

use std::fmt;
use std::ops::Deref;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

/// A secret in a request.
#[derive(Clone)]
pub struct GivenSecret(SecretString);

impl<'de> Deserialize<'de> for GivenSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl Deref for GivenSecret {
    type Target = SecretString;

    fn deref(&self) -> &SecretString {
        &self.0
    }
}

impl fmt::Debug for GivenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenSecret")
    }
}
