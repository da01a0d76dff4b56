//! Ids in paths: one that does not parse is answered like one that is not there.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use common::ids::{ApiTokenId, ChatId, InviteId, MessageId, SellerId, UserId};

use super::codes::{self, Code};
use super::error::ApiError;

/// The only id in the path.
#[derive(Clone, Copy, Debug)]
pub struct PathId<T>(pub T);

/// An id that can stand in a path.
pub trait Identifier: Sized {
    /// What is answered when there is no such thing.
    const MISSING: &'static Code;

    /// The id with this number.
    fn of(number: i64) -> Self;
}

impl Identifier for SellerId {
    const MISSING: &'static Code = codes::SELLER_NOT_FOUND;

    fn of(number: i64) -> Self {
        Self(number)
    }
}

impl Identifier for ChatId {
    const MISSING: &'static Code = codes::CHAT_NOT_FOUND;

    fn of(number: i64) -> Self {
        Self(number)
    }
}

impl Identifier for MessageId {
    const MISSING: &'static Code = codes::MESSAGE_NOT_FOUND;

    fn of(number: i64) -> Self {
        Self(number)
    }
}

impl Identifier for UserId {
    const MISSING: &'static Code = codes::USER_NOT_FOUND;

    fn of(number: i64) -> Self {
        Self(number)
    }
}

impl Identifier for InviteId {
    const MISSING: &'static Code = codes::INVITE_NOT_FOUND;

    fn of(number: i64) -> Self {
        Self(number)
    }
}

impl Identifier for ApiTokenId {
    const MISSING: &'static Code = codes::TOKEN_NOT_FOUND;

    fn of(number: i64) -> Self {
        Self(number)
    }
}

/// The only secret in the path.
#[derive(Clone, Debug)]
pub struct PathSecret(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathSecret {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| codes::NOT_FOUND)?;
        let (_, secret) = params.iter().next().ok_or(codes::NOT_FOUND)?;
        Ok(Self(secret.to_owned()))
    }
}

impl<S: Send + Sync, T: Identifier> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| T::MISSING)?;
        let (_, text) = params.iter().next().ok_or(T::MISSING)?;
        let number = i64::from_str(text).map_err(|_| T::MISSING)?;
        Ok(Self(T::of(number)))
    }
}
