//! Every path of the API.

pub mod access;
pub mod desk;
pub mod system;

use std::any::Any;
use std::future::{Ready, ready};

use axum::Router;
use axum::http::HeaderName;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::{
    ApiError, IDEMPOTENCY_KEY, KnownQueries, codes, frame, limit_body, refuse_unknown_queries,
};
use crate::openapi;
use crate::state::AppState;

pub use self::system::docs::to_json;
pub use self::system::metrics::{record, tidy};

/// The API as a service.
pub fn router(state: AppState) -> Router {
    let (routes, document) = described();
    let known = KnownQueries::of(&document);
    let origins = state.config.cors_origins.iter();
    let origins: Vec<_> = origins.filter_map(|origin| origin.parse().ok()).collect();
    let router = routes
        .merge(system::pages::pages())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(known, refuse_unknown_queries))
        .layer(from_fn(limit_body))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(frame))
        .with_state(state);
    if origins.is_empty() {
        router
    } else {
        router.layer(cors(origins))
    }
}

/// The OpenAPI document.
pub fn document() -> OpenApi {
    described().1
}

fn described() -> (Router<AppState>, OpenApi) {
    let (routes, mut document) = paths().split_for_parts();
    openapi::complete(&mut document);
    (routes, document)
}

fn paths() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::head())
        .merge(access_paths())
        .merge(shops_and_rules_paths())
        .merge(chats_paths())
        .merge(system_paths())
}

/// Sign-in, the team, tokens, and who did what.
fn access_paths() -> OpenApiRouter<AppState> {
    use self::access::{audit_log, auth, team, tokens, users};
    OpenApiRouter::new()
        .routes(routes!(auth::register))
        .routes(routes!(auth::login))
        .routes(routes!(auth::session::refresh))
        .routes(routes!(auth::session::logout))
        .routes(routes!(auth::invite::accept_invite))
        .routes(routes!(users::get_me, users::update_me))
        .routes(routes!(team::list_team))
        .routes(routes!(team::update_member))
        .routes(routes!(
            team::invites::list_invites,
            team::invites::create_invite
        ))
        .routes(routes!(team::invites::delete_invite))
        .routes(routes!(audit_log::list_audit_log))
        .routes(routes!(tokens::list_tokens, tokens::create_token))
        .routes(routes!(tokens::delete_token))
}

/// Shops, and within which time their buyers are answered.
fn shops_and_rules_paths() -> OpenApiRouter<AppState> {
    use self::desk::{business_hours, metrics, pushes, sellers, sla_rules};
    OpenApiRouter::new()
        .routes(routes!(sellers::list_sellers, sellers::create_seller))
        .routes(routes!(
            sellers::get_seller,
            sellers::update_seller,
            sellers::delete_seller
        ))
        .routes(routes!(sellers::sync_seller))
        .routes(routes!(
            sla_rules::list_sla_rules,
            sla_rules::create_sla_rule
        ))
        .routes(routes!(sla_rules::preview_sla_rule))
        .routes(routes!(
            sla_rules::get_sla_rule,
            sla_rules::replace_sla_rule,
            sla_rules::delete_sla_rule
        ))
        .routes(routes!(
            business_hours::list_business_hours,
            business_hours::create_business_hours
        ))
        .routes(routes!(
            business_hours::get_business_hours,
            business_hours::replace_business_hours,
            business_hours::delete_business_hours
        ))
        .routes(routes!(metrics::get_reply_metrics))
        .routes(routes!(pushes::take_ozon_push))
        .routes(routes!(pushes::take_ozon_notification))
        .routes(routes!(pushes::take_yandex_push))
        .routes(routes!(pushes::take_yandex_notification))
}

/// The queue of chats, and what is done in one.
fn chats_paths() -> OpenApiRouter<AppState> {
    use self::desk::{canned_replies, chats, files, live, messages, notes, suggestions, views};
    OpenApiRouter::new()
        .routes(routes!(chats::list_chats, chats::create_chat))
        .routes(routes!(chats::get_chat_start))
        .routes(routes!(chats::count_chats))
        .routes(routes!(chats::get_chat))
        .routes(routes!(chats::mark_chat_read))
        .routes(routes!(chats::close_chat))
        .routes(routes!(chats::reopen_chat))
        .routes(routes!(chats::assign_chat))
        .routes(routes!(chats::snooze_chat))
        .routes(routes!(chats::explain_deadline))
        .routes(routes!(suggestions::list_suggestions))
        .routes(routes!(suggestions::analyze_chat))
        .routes(routes!(suggestions::reject_suggestion))
        .routes(routes!(chats::set_chat_tags))
        .routes(routes!(chats::list_tags))
        .routes(routes!(notes::list_notes, notes::create_note))
        .routes(routes!(notes::update_note, notes::delete_note))
        .routes(routes!(
            canned_replies::list_canned_replies,
            canned_replies::create_canned_reply
        ))
        .routes(routes!(
            canned_replies::get_canned_reply,
            canned_replies::update_canned_reply,
            canned_replies::delete_canned_reply
        ))
        .routes(routes!(canned_replies::render_canned_reply))
        .routes(routes!(views::list_views, views::create_view))
        .routes(routes!(
            views::get_view,
            views::update_view,
            views::delete_view
        ))
        .routes(routes!(views::count_view))
        .routes(routes!(messages::list_messages))
        .routes(routes!(messages::create_message))
        .routes(routes!(messages::get_message))
        .routes(routes!(messages::retry_message))
        .routes(routes!(files::create_file))
        .routes(routes!(files::get_file))
        .routes(routes!(live::socket::open_socket))
        .routes(routes!(live::events::stream_events))
        .routes(routes!(live::presence::get_presence))
}

/// What is not about buyers.
fn system_paths() -> OpenApiRouter<AppState> {
    use self::system::{docs, health, llm_settings, metrics};
    OpenApiRouter::new()
        .routes(routes!(
            llm_settings::get_llm_settings,
            llm_settings::update_llm_settings
        ))
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::get_metrics))
        .routes(routes!(docs::openapi_json))
}

fn not_found() -> Ready<ApiError> {
    ready(codes::NOT_FOUND.into())
}

fn method_not_allowed() -> Ready<ApiError> {
    ready(codes::METHOD_NOT_ALLOWED.into())
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    metrics::counter!("http_panics_total").increment(1);
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "of an unknown kind".to_owned());
    ApiError::internal(format!("panic: {text}")).into_response()
}

/// None but the configured origins; they may carry a token and our ids.
fn cors(origins: Vec<axum::http::HeaderValue>) -> CorsLayer {
    use axum::http::Method;
    use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
    let request_id = HeaderName::from_static("x-request-id");
    let last_event_id = HeaderName::from_static("last-event-id");
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            request_id.clone(),
            last_event_id,
            IDEMPOTENCY_KEY,
        ])
        .expose_headers([request_id])
}
