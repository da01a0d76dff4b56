//! Access tokens: who signed in and until when; what they may do is not in them.

use chrono::{DateTime, TimeDelta, Utc};
use common::config::AccessConfig;
use common::ids::{SessionId, TenantId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Makes and reads access tokens.
pub struct Tokens {
    signing: EncodingKey,
    reading: DecodingKey,
    validation: Validation,
    lifetime: TimeDelta,
}

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The person's public id.
    pub sub: Uuid,
    pub tenant: TenantId,
    /// The session.
    pub sid: SessionId,
    /// Seconds since 1970.
    pub iat: i64,
    /// Seconds since 1970.
    pub exp: i64,
}

/// Why a token does not open anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenProblem {
    Invalid,
    Expired,
}

impl Tokens {
    /// With the configured secret and lifetime.
    pub fn new(config: &AccessConfig) -> Self {
        let secret = config.jwt_secret.expose_secret().as_bytes();
        let mut validation = Validation::new(Algorithm::HS256);
        // By our own clock, below.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        Self {
            signing: EncodingKey::from_secret(secret),
            reading: DecodingKey::from_secret(secret),
            validation,
            lifetime: TimeDelta::from_std(config.access_token_ttl).unwrap_or(TimeDelta::zero()),
        }
    }

    /// How long a token lives, in seconds.
    pub fn expires_in(&self) -> i64 {
        self.lifetime.num_seconds()
    }

    /// A token made at `at`: the same for the same moment.
    pub fn make(
        &self,
        user: Uuid,
        tenant: TenantId,
        session: SessionId,
        at: DateTime<Utc>,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            sub: user,
            tenant,
            sid: session,
            iat: at.timestamp(),
            exp: (at + self.lifetime).timestamp(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }

    /// What a token says that we made.
    pub fn read(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenProblem> {
        let read = jsonwebtoken::decode::<Claims>(token, &self.reading, &self.validation);
        let claims = read.map_err(|_| TokenProblem::Invalid)?.claims;
        if claims.exp <= now.timestamp() {
            return Err(TokenProblem::Expired);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: &str) -> Tokens {
        Tokens::new(&AccessConfig {
            jwt_secret: secret.into(),
            auth_token_secret: "x".into(),
            access_token_ttl: std::time::Duration::from_secs(900),
            session_ttl: std::time::Duration::from_secs(900),
            invite_ttl: std::time::Duration::from_secs(900),
            cookie_secure: false,
            trusted_proxies: vec![],
        })
    }

    #[test]
    fn a_token_opens_until_it_expires_and_only_with_its_secret() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let ours = tokens("one secret");
        let (user, tenant) = (Uuid::from_u128(1), TenantId(Uuid::from_u128(2)));
        let token = ours.make(user, tenant, SessionId(3), now).unwrap();
        assert_eq!(ours.read(&token, now).unwrap().sid, SessionId(3));
        let late = now + TimeDelta::seconds(900);
        assert_eq!(ours.read(&token, late), Err(TokenProblem::Expired));
        let theirs = tokens("another secret");
        assert_eq!(theirs.read(&token, now), Err(TokenProblem::Invalid));
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", token.split('.').nth(1).unwrap());
        assert_eq!(ours.read(&unsigned, now), Err(TokenProblem::Invalid));
    }
}
