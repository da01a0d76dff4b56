//! The OpenAPI document: its head, and what every operation has in common.

pub mod examples;

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
    ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::http::codes::{self, Code};
use crate::http::{ApiError, ErrorBody, FieldProblem};

const ABOUT: &str = "Chats of marketplace sellers with their buyers: shops, a queue by deadline, \
     answers that arrive once, live events.\n\nEvery error has the same body; `error.code` is \
     stable. `X-Request-ID` (1 to 64 of `A-Z a-z 0-9 . _ -`) is taken over, made if absent, and \
     returned.";

const ABOUT_BEARER: &str = "The access token of a sign-in, or an API token `cc_…` \
     (`POST /api/tokens`). An API token acts for whoever made it, with their role but never more than \
     its scopes give: `read` only reads, as an agent; `write` also changes, as an agent; `admin` reads \
     and changes, as an admin. It never acts as an owner, makes no tokens, and ends with its maker's \
     access.";

/// What stands above the paths.
pub fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Chat Center")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT));
    OpenApiBuilder::new().info(info.build()).build()
}

/// Adds what every operation has in common: the security scheme, the errors, their codes.
pub fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_with(Components::new);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(ABOUT_BEARER))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let schemas = &mut components.schemas;
    schemas.insert("Error".into(), ErrorBody::schema());
    let mut nested = Vec::new();
    ErrorBody::schemas(&mut nested);
    nested.push(("FieldProblem".into(), FieldProblem::schema()));
    nested.push(("ErrorCode".into(), error_codes()));
    schemas.extend(nested);
    let paths = document.paths.paths.iter_mut();
    for (path, item) in paths {
        for operation in operations_mut(item) {
            add_errors(path, operation);
        }
    }
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

/// All codes with their status and meaning.
fn error_codes() -> RefOr<Schema> {
    let names = codes::ALL.iter().map(|code| code.name);
    let meanings: Vec<String> = codes::ALL
        .iter()
        .map(|code| {
            let status = code.outcome.status();
            format!("* `{}` ({status}): {}", code.name, code.message)
        })
        .collect();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names))
        .description(Some(meanings.join("\n")))
        .into()
}

/// The errors that follow from what an operation takes; its own descriptions stay.
fn add_errors(path: &str, operation: &mut Operation) {
    let is_secured = operation.security.is_some();
    let mut usual = vec![codes::INTERNAL];
    if is_secured {
        usual.extend([codes::UNAUTHORIZED, codes::FORBIDDEN]);
        usual.push(codes::DATABASE_UNAVAILABLE);
    }
    if path.contains('{') {
        usual.push(missing(path));
    }
    if operation.request_body.is_some() {
        usual.extend([codes::MALFORMED_JSON, codes::BODY_TOO_LARGE]);
        usual.extend([codes::UNSUPPORTED_MEDIA_TYPE, codes::VALIDATION_FAILED]);
    }
    if path.starts_with("/api/v1/auth/") {
        usual.push(codes::DATABASE_UNAVAILABLE);
    }
    if ["/login", "/register", "/accept-invite"]
        .iter()
        .any(|end| path.ends_with(end))
    {
        usual.push(codes::TOO_MANY_REQUESTS);
    }
    // Every operation refuses unknown query parameters.
    usual.push(codes::VALIDATION_FAILED);
    for code in usual {
        let status = code.outcome.status().to_string();
        operation
            .responses
            .responses
            .entry(status)
            .or_insert_with(|| RefOr::T(described(code)));
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
            && response.content.is_empty()
        {
            give_body(status, response);
        }
    }
}

fn described(code: &Code) -> Response {
    let text = format!("`{}`: {}", code.name, code.message);
    ResponseBuilder::new().description(text).build()
}

/// The body of an error, with the code that its description names first as the example.
fn give_body(status: &str, response: &mut Response) {
    let named = response.description.split('`').nth(1).unwrap_or_default();
    let fitting = |code: &&&Code| code.outcome.status().to_string() == status;
    let code = codes::ALL.iter().find(|code| code.name == named);
    let code = code.or_else(|| codes::ALL.iter().find(fitting));
    let error = ApiError::from(code.copied().unwrap_or(codes::INTERNAL));
    let example = serde_json::to_value(error.body("0199a8f0c2d67e41b1c9e6a5d4f3b2a1"));
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Error")))
        .example(example.ok())
        .build();
    response
        .content
        .insert("application/json".into(), RefOr::T(content));
}

fn missing(path: &str) -> &'static Code {
    if path.starts_with("/api/sellers") {
        codes::SELLER_NOT_FOUND
    } else if path.starts_with("/api/chats") || path.starts_with("/api/messages/chat") {
        codes::CHAT_NOT_FOUND
    } else if path.starts_with("/api/sla-rules") {
        codes::SLA_RULE_NOT_FOUND
    } else if path.starts_with("/api/business-hours") {
        codes::BUSINESS_HOURS_NOT_FOUND
    } else if path.starts_with("/api/suggestions") {
        codes::SUGGESTION_NOT_FOUND
    } else if path.starts_with("/api/files") {
        codes::FILE_NOT_FOUND
    } else if path.starts_with("/api/messages") {
        codes::MESSAGE_NOT_FOUND
    } else if path.starts_with("/api/canned-replies") {
        codes::CANNED_REPLY_NOT_FOUND
    } else if path.starts_with("/api/views") {
        codes::VIEW_NOT_FOUND
    } else if path.starts_with("/api/chat-starts") {
        codes::CHAT_START_NOT_FOUND
    } else if path.starts_with("/api/notes") {
        codes::NOTE_NOT_FOUND
    } else if path.starts_with("/api/tokens") {
        codes::TOKEN_NOT_FOUND
    } else if path.starts_with("/api/team/invites") {
        codes::INVITE_NOT_FOUND
    } else if path.starts_with("/api/team") {
        codes::USER_NOT_FOUND
    } else {
        codes::NOT_FOUND
    }
}
