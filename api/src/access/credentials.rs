//! Refresh tokens: derived from the session's nonce and generation, so that none is stored.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use common::db::sessions::Session;
use common::db::users::User;
use common::ids::{SessionId, TenantId};
use common::signature::{sign, verify};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Tokens;
use crate::http::{ApiError, ApiResult};

/// What a sign-in gives.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionTokens {
    /// To be sent as `Authorization: Bearer …`.
    pub access_token: String,
    /// Good for one new pair; also set as a cookie.
    pub refresh_token: String,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// How long the access token lives, in seconds.
    #[schema(example = 900)]
    pub expires_in: i64,
}

/// A refresh token as it was given, not yet proven to be ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    pub tenant: TenantId,
    pub session: SessionId,
    pub generation: i32,
    tag: Vec<u8>,
}

impl SessionTokens {
    /// The pair of the session's current generation: always the same.
    pub fn of(
        tokens: &Tokens,
        secret: &SecretString,
        session: &Session,
        user: &User,
    ) -> ApiResult<Self> {
        let (tenant, at) = (session.tenant_id, session.rotated_at);
        let access_token = tokens
            .make(user.public_id, tenant, session.id, at)
            .map_err(ApiError::internal)?;
        Ok(Self {
            access_token,
            refresh_token: RefreshToken::make(secret, session),
            token_type: "Bearer",
            expires_in: tokens.expires_in(),
        })
    }
}

impl RefreshToken {
    /// `{tenant}.{session}.{generation}.{signature}` of the session's current generation.
    pub fn make(secret: &SecretString, session: &Session) -> String {
        let bytes = Bytes::of(session.tenant_id, session.id, session.generation);
        let tag = sign(secret, &bytes.parts(&session.nonce));
        format!(
            "{}.{}.{}.{}",
            session.tenant_id.0.simple(),
            session.id,
            session.generation,
            BASE64_URL_SAFE_NO_PAD.encode(tag)
        )
    }

    /// Takes a token apart.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(4, '.');
        Some(Self {
            tenant: TenantId(Uuid::try_parse(parts.next()?).ok()?),
            session: SessionId(parts.next()?.parse().ok()?),
            generation: parts.next()?.parse().ok()?,
            tag: BASE64_URL_SAFE_NO_PAD.decode(parts.next()?).ok()?,
        })
    }

    /// Whether we made it for a session with this nonce.
    pub fn is_ours(&self, secret: &SecretString, nonce: &Uuid) -> bool {
        let bytes = Bytes::of(self.tenant, self.session, self.generation);
        verify(secret, &bytes.parts(nonce), &self.tag)
    }
}

/// What is signed, as bytes.
struct Bytes {
    tenant: [u8; 16],
    session: [u8; 8],
    generation: [u8; 4],
}

impl Bytes {
    fn of(tenant: TenantId, session: SessionId, generation: i32) -> Self {
        Self {
            tenant: tenant.0.into_bytes(),
            session: session.0.to_be_bytes(),
            generation: generation.to_be_bytes(),
        }
    }

    fn parts<'a>(&'a self, nonce: &'a Uuid) -> [&'a [u8]; 5] {
        [
            b"refresh",
            &self.tenant,
            &self.session,
            nonce.as_bytes(),
            &self.generation,
        ]
    }
}
