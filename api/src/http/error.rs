//! What goes wrong, as clients see it: one body for all doors.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use common::db::PoolError;
use diesel::result::{DatabaseErrorKind, Error as DatabaseError};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::codes::{self, Code};

/// An answer that is an error. What caused it is logged, never sent.
#[derive(Clone, Debug)]
pub struct ApiError {
    pub code: &'static Code,
    pub message: Cow<'static, str>,
    pub details: Option<Value>,
    pub retry_after: Option<Duration>,
    pub cause: Option<String>,
}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody<'a> {
    pub error: ErrorFields<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErrorFields)]
pub struct ErrorFields<'a> {
    /// Stable, for programs.
    pub code: &'a str,
    /// For people.
    pub message: &'a str,
    /// Whether the same request may succeed a moment later.
    pub retryable: bool,
    /// Names the request in our logs.
    pub request_id: &'a str,
    /// For 422: a list of `{field, message}`; for some codes an object with what is needed to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub details: Option<&'a Value>,
}

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The field's name, with dots and indexes where it is nested.
    pub field: String,
    pub message: String,
    /// The limit that was exceeded, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The rule of texts that it breaks; it may be acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// The characters of a text that are meant, from and up to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<[usize; 2]>,
}

impl FieldProblem {
    /// A field and what is wrong with it.
    pub fn new(field: &str, message: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            message: message.into(),
            limit: None,
            rule: None,
            span: None,
        }
    }
}

/// Gathers the fields of a request that break a rule.
#[derive(Debug, Default)]
pub struct Problems(Vec<FieldProblem>);

impl Problems {
    /// Notes that `field` breaks a rule unless it `holds`.
    pub fn require(&mut self, holds: bool, field: &str, message: &str) {
        if !holds {
            self.add(field, message);
        }
    }

    /// Notes that `field` breaks a rule.
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldProblem::new(field, message));
    }

    /// Fails if anything was noted.
    pub fn check(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ApiError::of_fields(codes::VALIDATION_FAILED, &self.0))
        }
    }
}

impl ApiError {
    /// A field that breaks a rule.
    pub fn of_field(field: &str, message: impl Into<String>) -> Self {
        let mut problems = Problems::default();
        problems.add(field, message);
        Self::of_fields(codes::VALIDATION_FAILED, &problems.0)
    }

    /// Fields that break a rule.
    pub fn of_fields(code: &'static Code, problems: &[FieldProblem]) -> Self {
        Self::from(code).with_details(serde_json::json!(problems))
    }

    /// With what a program needs to go on.
    pub fn with_details(self, details: Value) -> Self {
        Self {
            details: Some(details),
            ..self
        }
    }

    /// With a message of its own.
    pub fn with_message(self, message: impl Into<String>) -> Self {
        Self {
            message: Cow::Owned(message.into()),
            ..self
        }
    }

    /// With the time after which to try again.
    pub fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// A failure of ours: the cause goes to the log.
    pub fn internal(cause: impl ToString) -> Self {
        Self::from(codes::INTERNAL).because(cause)
    }

    /// With what caused it, for the log.
    pub fn because(self, cause: impl ToString) -> Self {
        Self {
            cause: Some(cause.to_string()),
            ..self
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.outcome.status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body, as the request with this id gets it.
    pub fn body<'a>(&'a self, request_id: &'a str) -> ErrorBody<'a> {
        ErrorBody {
            error: ErrorFields {
                code: self.code.name,
                message: &self.message,
                retryable: self.code.outcome.is_retryable() || self.retry_after.is_some(),
                request_id,
                details: self.details.as_ref(),
            },
        }
    }
}

impl From<&'static Code> for ApiError {
    fn from(code: &'static Code) -> Self {
        let retry_after = code
            .outcome
            .is_retryable()
            .then_some(Duration::from_secs(1));
        Self {
            code,
            message: Cow::Borrowed(code.message),
            details: None,
            retry_after,
            cause: None,
        }
    }
}

impl From<PoolError> for ApiError {
    fn from(error: PoolError) -> Self {
        Self::from(codes::DATABASE_UNAVAILABLE).because(error)
    }
}

impl From<DatabaseError> for ApiError {
    fn from(error: DatabaseError) -> Self {
        let code = if is_connection_lost(&error) {
            codes::DATABASE_UNAVAILABLE
        } else if is_timeout(&error) || is_contention(&error) {
            codes::BUSY
        } else {
            codes::INTERNAL
        };
        Self::from(code).because(error)
    }
}

/// Whether the connection, not the statement, is at fault.
pub(crate) fn is_connection_lost(error: &DatabaseError) -> bool {
    use DatabaseErrorKind::{ClosedConnection, UnableToSendCommand};
    match error {
        DatabaseError::BrokenTransactionManager => true,
        DatabaseError::DatabaseError(ClosedConnection | UnableToSendCommand, _) => true,
        DatabaseError::DatabaseError(_, about) => {
            let said = about.message();
            said.contains("terminating connection") || said.contains("the database system is")
        }
        _ => false,
    }
}

/// Whether the statement took longer than it may.
pub(crate) fn is_timeout(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::DatabaseError(_, about)
        if about.message().contains("statement timeout"))
}

fn is_contention(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        DatabaseError::DatabaseError(_, about) => about.message().contains("deadlock detected"),
        _ => false,
    }
}

impl IntoResponse for ApiError {
    /// Without a body yet: [`super::frame`] writes it, as it knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
