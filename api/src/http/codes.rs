//! Every error code that a client may see: stable, with its outcome and its usual message.

/// What kind of answer an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 400
    BadRequest,
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 408
    TooSlow,
    /// 409
    Conflict,
    /// 413
    TooLarge,
    /// 415
    UnsupportedMediaType,
    /// 422
    Unprocessable,
    /// 429
    TooManyRequests,
    /// 500
    Internal,
    /// 503
    Unavailable,
}

impl Outcome {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::TooSlow => 408,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Unprocessable => 422,
            Self::TooManyRequests => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// Whether the same request may succeed a moment later.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::TooSlow | Self::TooManyRequests | Self::Unavailable
        )
    }
}

/// An error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    pub outcome: Outcome,
    pub name: &'static str,
    pub message: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $outcome:ident $name:literal, $message:literal;)*) => {
        $(
            #[doc = $message]
            pub const $constant: &Code = &Code {
                outcome: Outcome::$outcome,
                name: $name,
                message: $message,
            };
        )*

        /// All codes, as the OpenAPI document lists them.
        pub const ALL: &[&Code] = &[$($constant),*];
    };
}

codes! {
    MALFORMED_JSON = BadRequest "malformed_json", "the body is not valid JSON";
    MALFORMED_BODY = BadRequest "malformed_body", "the body could not be read";

    WEBSOCKET_EXPECTED = BadRequest "websocket_expected",
        "this address takes WebSocket connections only";

    UNAUTHORIZED = Unauthorized "unauthorized", "sign in first: no valid access token was given";
    TOKEN_EXPIRED = Unauthorized "token_expired", "the access token has expired";
    INVALID_CREDENTIALS = Unauthorized "invalid_credentials", "e-mail or password is wrong";
    REFRESH_TOKEN_INVALID = Unauthorized "refresh_token_invalid", "the refresh token is not valid";
    REFRESH_TOKEN_REUSED = Unauthorized "refresh_token_reused",
        "the refresh token was used before: the session has been ended";

    INVITE_INVALID = Unauthorized "invite_invalid",
        "the invitation was used, taken back, has expired, or never was";

    FORBIDDEN = Forbidden "forbidden", "your role does not allow this";
    SCOPE_MISSING = Forbidden "scope_missing", "the token's scopes do not allow this";
    EMAIL_UNCONFIRMED = Forbidden "email_unconfirmed", "prove first that your e-mail is yours";
    NOT_ONESELF = Forbidden "not_oneself", "nobody changes what they may do themselves";

    NOT_FOUND = NotFound "not_found", "there is nothing at this address";
    USER_NOT_FOUND = NotFound "user_not_found", "there is no such person in the team";
    INVITE_NOT_FOUND = NotFound "invite_not_found", "there is no such invitation";
    TOKEN_NOT_FOUND = NotFound "token_not_found", "there is no such token";
    SELLER_NOT_FOUND = NotFound "seller_not_found", "there is no such seller";
    CHAT_NOT_FOUND = NotFound "chat_not_found", "there is no such chat";
    SLA_RULE_NOT_FOUND = NotFound "sla_rule_not_found", "there is no such rule";
    BUSINESS_HOURS_NOT_FOUND = NotFound "business_hours_not_found", "there are no such hours";
    SUGGESTION_NOT_FOUND = NotFound "suggestion_not_found", "there is no such draft";
    MESSAGE_NOT_FOUND = NotFound "message_not_found", "there is no such message";
    CANNED_REPLY_NOT_FOUND = NotFound "canned_reply_not_found", "there is no such canned reply";
    VIEW_NOT_FOUND = NotFound "view_not_found", "there is no such view";
    CHAT_START_NOT_FOUND = NotFound "chat_start_not_found", "no such beginning of a chat is wanted";
    ORDER_NOT_FOUND = NotFound "order_not_found", "the marketplace knows no such order of this shop";
    NOTE_NOT_FOUND = NotFound "note_not_found", "there is no such note";
    FILE_NOT_FOUND = NotFound "file_not_found", "there is no such file";

    METHOD_NOT_ALLOWED = MethodNotAllowed "method_not_allowed",
        "this address does not take this method";
    REQUEST_TIMEOUT = TooSlow "request_timeout", "the body did not arrive in time";

    EMAIL_TAKEN = Conflict "email_taken", "somebody has proven that this e-mail is theirs";
    USERNAME_TAKEN = Conflict "username_taken", "somebody of the tenant has this username";
    TENANT_REQUIRED = Conflict "tenant_required",
        "the e-mail lives in several tenants: say which one";
    SELLER_EXISTS = Conflict "seller_exists", "this shop is connected already";
    SELLER_INACTIVE = Conflict "seller_inactive", "the shop is deactivated";
    SELLER_READ_ONLY = Conflict "seller_read_only", "the shop's key may read, but not send";
    CHAT_MOVED_ON = Conflict "chat_moved_on", "the chat has changed since you saw it";
    WINDOW_CLOSED = Conflict "window_closed", "the marketplace takes no more answers in this chat";
    CANNOT_START_CHAT = Conflict "cannot_start_chat",
        "the marketplace lets the shop begin no chat about this order";
    MESSAGE_CONFLICT = Conflict "message_conflict",
        "a message with this client_message_id and another text or other files exists";
    STALE_SUGGESTION = Conflict "stale_suggestion",
        "the chat moved on since the draft was made, or somebody decided about it";
    NOTHING_TO_ANSWER = Conflict "nothing_to_answer", "no answer is owed in this chat";
    CHAT_AT_RISK = Conflict "chat_at_risk", "the deadline is too near for the chat to rest";
    NAME_TAKEN = Conflict "name_taken", "the tenant has one with this name";
    HOURS_IN_USE = Conflict "hours_in_use", "a rule counts by these hours";
    SHORTCUT_TAKEN = Conflict "shortcut_taken", "a canned reply with this shortcut exists";
    LIMIT_REACHED = Conflict "limit_reached", "there are as many of these as may be: delete some first";
    IDEMPOTENCY_CONFLICT = Conflict "idempotency_conflict",
        "another request was made with this Idempotency-Key";
    IN_PROGRESS = Conflict "in_progress", "the request with this Idempotency-Key is still running";
    NOT_FAILED = Conflict "not_failed", "only a failed message can be sent again";

    FILE_NOT_READY = Conflict "file_not_ready", "the file has not been fetched yet";
    FILE_UNAVAILABLE = Conflict "file_unavailable", "the file cannot be had";

    FILE_TOO_LARGE = TooLarge "file_too_large", "the file is larger than 30 MiB";
    BODY_TOO_LARGE = TooLarge "body_too_large", "the body is larger than 1 MiB";
    UNSUPPORTED_MEDIA_TYPE = UnsupportedMediaType "unsupported_media_type",
        "send JSON with content-type application/json";

    VALIDATION_FAILED = Unprocessable "validation_failed", "some fields break a rule";
    TEXT_TOO_LONG = Unprocessable "text_too_long", "the text is longer than the marketplace takes";
    TEXT_FORBIDDEN = Unprocessable "text_forbidden",
        "the marketplace punishes what the text says: change it, or acknowledge the rules";
    FILE_NOT_ACCEPTED = Unprocessable "file_not_accepted",
        "the marketplace does not take such files";
    SELLER_KEY_REJECTED = Unprocessable "seller_key_rejected", "the marketplace refuses the key";

    TOO_MANY_REQUESTS = TooManyRequests "too_many_requests", "too many requests: wait a little";

    INTERNAL = Internal "internal", "something went wrong here: the request id helps to find out what";

    DATABASE_UNAVAILABLE = Unavailable "database_unavailable", "the database does not answer";
    FILES_UNAVAILABLE = Unavailable "files_unavailable", "the file store does not answer";
    MARKETPLACE_UNAVAILABLE = Unavailable "marketplace_unavailable",
        "the marketplace does not answer";
    BUSY = Unavailable "busy", "too much is going on: try again in a moment";
    QUERY_TOO_BROAD = Unavailable "query_too_broad",
        "the question takes too long to answer: narrow it down";
    NOT_READY = Unavailable "not_ready", "a dependency is missing";
}
