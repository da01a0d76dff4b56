//! How requests come in and answers go out: one error form, one id per request, limits, logs, metrics.

mod body;
pub mod codes;
mod error;
mod frame;
mod json;
mod observe;
mod path;
mod query;
mod secret;

pub use self::body::{BodyDigest, IDEMPOTENCY_KEY, limit_body};
pub use self::codes::{Code, Outcome};
pub use self::error::{ApiError, ErrorBody, FieldProblem, Problems};
pub(crate) use self::error::{is_connection_lost, is_timeout};
pub use self::frame::{CallerSlot, RequestId, frame};
pub use self::json::{Json, OptionalJson, Validate, read_as};
pub use self::observe::describe_metrics;
pub use self::path::{Identifier, PathFileId, PathId, PathSecret};
pub use self::query::{KnownQueries, Query, refuse_unknown_queries};
pub use self::secret::GivenSecret;

/// What handlers return.
pub type ApiResult<T> = Result<T, ApiError>;
