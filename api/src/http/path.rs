//! Ids in paths: one that does not parse is answered like one that is not there.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use common::ids::{
    ApiTokenId, BusinessHoursId, CannedReplyId, ChatId, ChatStartId, InviteId, MessageId, NoteId,
    SavedViewId, SellerId, SlaRuleId, SuggestionId, UserId,
};
use uuid::Uuid;

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

macro_rules! identifiers {
    ($($name:ident = $missing:ident;)*) => {$(
        impl Identifier for $name {
            const MISSING: &'static Code = codes::$missing;

            fn of(number: i64) -> Self {
                Self(number)
            }
        }
    )*};
}

identifiers! {
    ApiTokenId = TOKEN_NOT_FOUND;
    BusinessHoursId = BUSINESS_HOURS_NOT_FOUND;
    CannedReplyId = CANNED_REPLY_NOT_FOUND;
    ChatId = CHAT_NOT_FOUND;
    ChatStartId = CHAT_START_NOT_FOUND;
    InviteId = INVITE_NOT_FOUND;
    MessageId = MESSAGE_NOT_FOUND;
    NoteId = NOTE_NOT_FOUND;
    SavedViewId = VIEW_NOT_FOUND;
    SellerId = SELLER_NOT_FOUND;
    SlaRuleId = SLA_RULE_NOT_FOUND;
    SuggestionId = SUGGESTION_NOT_FOUND;
    UserId = USER_NOT_FOUND;
}

/// The only id in the path, where it is a file's.
#[derive(Clone, Copy, Debug)]
pub struct PathFileId(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for PathFileId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| codes::FILE_NOT_FOUND)?;
        let (_, text) = params.iter().next().ok_or(codes::FILE_NOT_FOUND)?;
        let id = Uuid::from_str(text).map_err(|_| codes::FILE_NOT_FOUND)?;
        Ok(Self(id))
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
