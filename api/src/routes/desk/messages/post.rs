//! Writing an answer: stored and queued at once, sent by the worker.

use std::collections::HashSet;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use common::db::chats::{self, Chat};
use common::db::files;
use common::db::messages::{
    self, Author, Direction, Message, NewMessage, StoredAttachments, has_unseen,
};
use common::db::sellers;
use common::domain::checks::Rule;
use common::domain::delivery::{MessageState, SEND_WITHIN};
use common::flows::refresh_chat::refresh_chat;
use common::ids::{ChatId, MessageId, SuggestionId, new_public_id};
use common::jobs::{DeliverChat, Job};
use common::marketplaces::profile;
use common::views::{Check, MessageView};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::attachments::take_files;
use super::drafts::{check_text, use_draft};
use super::known;
use crate::access::Staff;
use crate::http::{ApiError, ApiResult, FieldProblem, Json, Problems, Validate, codes};
use crate::idempotency::{Answer, IdempotencyKey};
use crate::openapi::examples;
use crate::state::AppState;

/// An answer to a buyer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAnswer {
    #[schema(value_type = i64)]
    chat_id: ChatId,
    /// Not blank unless there are attachments, and not longer than the marketplace takes (Ozon and
    /// Wildberries 1000, Yandex Market 4096 Unicode characters).
    #[serde(default)]
    text: String,
    /// Files uploaded with `POST /api/files`, each sent once. Wildberries takes up to ten with or without a
    /// text (JPEG, PNG, PDF; 5 MiB each, 30 MB together). Ozon (10 MiB) and Yandex Market (5 MB) take one
    /// file in a message of its own: a text with it is 422, send two messages.
    #[serde(default)]
    attachments: Vec<Uuid>,
    /// The draft that the text was made from: what became of it is recorded, and a draft that the
    /// chat has left behind is 409 `stale_suggestion`.
    #[schema(value_type = Option<i64>)]
    suggestion_id: Option<SuggestionId>,
    /// Rules of the text that the writer knows to be broken: what the marketplace punishes is 422
    /// `text_forbidden` otherwise, with the rules in `details`.
    #[serde(default)]
    acknowledge: Vec<String>,
    /// Names the message, 1 to 64 characters: the same request sent twice stores it once.
    client_message_id: Option<String>,
    /// The newest message that the writer has seen: with a newer one of the buyer, or somebody
    /// else's answer, the answer is 409 `chat_moved_on`.
    #[schema(value_type = Option<i64>)]
    last_seen_message_id: Option<MessageId>,
    /// `true`: send it whatever came meanwhile.
    #[serde(default)]
    send_anyway: bool,
}

impl NewAnswer {
    /// The text as it is stored: with files it may be missing.
    fn text(&self) -> &str {
        if self.text.trim().is_empty() {
            ""
        } else {
            &self.text
        }
    }

    fn is_of(&self, message: &Message) -> bool {
        let files = message.attachments.0.iter().map(|file| &file.file_id);
        message.text == self.text() && files.eq(&self.attachments)
    }
}

impl Validate for NewAnswer {
    fn validate(&self, problems: &mut Problems) {
        let says_something = !self.text.trim().is_empty() || !self.attachments.is_empty();
        problems.require(says_something, "text", "must not be blank");
        let distinct: HashSet<&Uuid> = self.attachments.iter().collect();
        let is_distinct = distinct.len() == self.attachments.len();
        problems.require(is_distinct, "attachments", "must not name a file twice");
        let are_few = self.attachments.len() <= 10;
        problems.require(are_few, "attachments", "must be at most 10");
        if let Some(id) = &self.client_message_id {
            let is_decent = (1..=64).contains(&id.chars().count());
            problems.require(is_decent, "client_message_id", "must be 1 to 64 characters");
        }
        for rule in &self.acknowledge {
            let is_known = rule.parse::<Rule>().is_ok();
            problems.require(is_known, "acknowledge", "names a rule that does not exist");
        }
    }
}

/// A message that was just stored, and what its text should perhaps not say.
#[derive(Debug, Serialize, ToSchema)]
pub struct PostedMessage {
    #[serde(flatten)]
    message: MessageView,
    /// What should not be said like that; the message is sent all the same.
    warnings: Vec<Check>,
}

/// What became of an answer.
enum Posted {
    New(Box<(Message, Chat)>, Vec<Check>),
    /// It was posted before.
    Known(Box<Message>),
}

/// Answers a buyer.
///
/// The message is stored as `queued`; the worker sends it. A repeated `client_message_id` gives 200
/// and the same message.
#[utoipa::path(
    post, path = "/api/messages", tag = "messages", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = examples::IDEMPOTENCY_KEY)),
    request_body(content = NewAnswer, example = json!(examples::answer())),
    responses(
        (status = 201, description = "queued", body = PostedMessage, example = json!(examples::posted_message())),
        (status = 200, description = "posted before", body = PostedMessage, example = json!(examples::posted_message())),
        (status = 404, description = "`chat_not_found`"),
        (status = 409, description = "`window_closed`, `seller_read_only`, `seller_inactive`, `stale_suggestion`, `chat_moved_on`, `message_conflict`, `idempotency_conflict`, `in_progress`"),
        (status = 422, description = "`text_too_long` with the limit in `details`; `file_not_accepted` with what is wrong with which file; `text_forbidden` with the rules and places in `details`; `validation_failed`"),
    )
)]
pub async fn create_message(
    State(state): State<AppState>,
    staff: Staff,
    key: IdempotencyKey,
    Json(body): Json<NewAnswer>,
) -> ApiResult<Response> {
    let now = state.ctx.clock.now();
    let mut conn = state.conn().await?;
    let (answer, stored) = conn
        .transaction(async |conn| {
            if let Some(answer) = key.answered(conn, &staff).await? {
                return Ok((answer, None));
            }
            let posted = post(conn, &staff, &body, now).await?;
            let (answer, stored) = answer(posted, &staff.username)?;
            key.keep(conn, &staff, &answer).await?;
            ApiResult::Ok((answer, stored))
        })
        .await?;
    if let Some(stored) = stored {
        deliver(&state, stored, Some(staff.username.clone()), true);
    }
    Ok(answer.into_response())
}

/// A message that is to be delivered, and its chat.
type Stored = Box<(Message, Chat)>;

/// What is answered, and what is to be delivered.
fn answer(posted: Posted, name: &str) -> ApiResult<(Answer, Option<Stored>)> {
    let name = Some(name.to_owned());
    match posted {
        Posted::Known(message) => {
            let view = PostedMessage {
                message: MessageView::new(&message, name),
                warnings: Vec::new(),
            };
            Ok((Answer::of(StatusCode::OK, &view)?, None))
        }
        Posted::New(stored, warnings) => {
            let view = PostedMessage {
                message: MessageView::new(&stored.0, name),
                warnings,
            };
            let location = format!("/api/messages/{}", stored.0.id);
            Ok((Answer::created(location, &view)?, Some(stored)))
        }
    }
}

async fn post(
    conn: &mut AsyncPgConnection,
    staff: &Staff,
    body: &NewAnswer,
    now: DateTime<Utc>,
) -> ApiResult<Posted> {
    let tenant = staff.tenant;
    let chat = chats::lock(conn, tenant, body.chat_id).await?;
    let mut chat = chat.ok_or(codes::CHAT_NOT_FOUND)?;
    let text = body.text();
    if let Some(id) = &body.client_message_id
        && let Some(message) = messages::find_by_client_id(conn, tenant, chat.id, id).await?
    {
        if !body.is_of(&message) {
            return Err(codes::MESSAGE_CONFLICT.into());
        }
        return Ok(Posted::Known(Box::new(message)));
    }
    check_length(&chat, text)?;
    check_sendable(conn, &chat, now).await?;
    check_seen(conn, staff, &chat, body).await?;
    let files = take_files(conn, &chat, text, &body.attachments).await?;
    let warnings = if text.is_empty() {
        Vec::new()
    } else {
        check_text(&chat, text, &body.acknowledge)?
    };
    if let Some(draft) = body.suggestion_id {
        use_draft(conn, staff, &mut chat, draft, text, now).await?;
    }
    let message = NewMessage {
        tenant_id: tenant,
        public_id: new_public_id(),
        chat_id: chat.id,
        external_id: None,
        client_message_id: body.client_message_id.clone(),
        direction: Direction::Outgoing,
        author: Author::Agent,
        user_id: Some(staff.user),
        text: text.to_owned(),
        attachments: StoredAttachments(files.iter().map(Into::into).collect()),
        state: MessageState::Queued,
        error_code: None,
        error_message: None,
        starts_clock: false,
        send_before: Some(send_before(&chat, now)),
        at: now,
        sent_at: None,
        created_at: now,
        suggestion_id: body.suggestion_id,
    };
    let message = messages::insert(conn, &message).await?;
    for (file, position) in files.iter().zip(0..) {
        files::attach(conn, tenant, file.id, message.id, position).await?;
    }
    let chat = schedule(conn, &chat, now).await?;
    Ok(Posted::New(Box::new((message, chat)), warnings))
}

/// Until when a message may be sent that is queued now.
pub(super) fn send_before(chat: &Chat, now: DateTime<Utc>) -> DateTime<Utc> {
    let within = TimeDelta::from_std(SEND_WITHIN).unwrap_or(TimeDelta::zero());
    chat.window_closes_at.unwrap_or(now + within)
}

/// Makes the chat's delivery due now.
pub(super) async fn schedule(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    now: DateTime<Utc>,
) -> ApiResult<Chat> {
    let due = chat.deliver_at.map_or(now, |at| at.min(now));
    chats::schedule_delivery(conn, chat.tenant_id, chat.id, Some(due)).await?;
    Ok(refresh_chat(conn, chat, true, now).await?)
}

/// After the commit: tells everybody who watches, and has the worker send. The message is announced
/// before the worker can change it.
pub(super) fn deliver(
    state: &AppState,
    stored: Box<(Message, Chat)>,
    name: Option<String>,
    is_new: bool,
) {
    state.after_commit(move |ctx| async move {
        let (message, chat) = *stored;
        if is_new {
            ctx.publish_new_message(&message, name).await;
        } else {
            ctx.publish_message(&message, name).await;
        }
        let job = DeliverChat {
            tenant: chat.tenant_id,
            chat: chat.id,
        };
        ctx.jobs
            .hurry(&DeliverChat::queue(chat.channel), &job)
            .await;
        ctx.publish_chat(&chat).await;
    });
}

fn check_length(chat: &Chat, text: &str) -> ApiResult<()> {
    let limit = profile(chat.channel).text_limit_chars;
    if text.chars().count() <= limit {
        return Ok(());
    }
    let problem = FieldProblem {
        limit: Some(limit),
        ..FieldProblem::new("text", format!("must be at most {limit} characters"))
    };
    Err(ApiError::of_fields(codes::TEXT_TOO_LONG, &[problem]))
}

/// Whether the marketplace would take an answer in this chat now.
pub(super) async fn check_sendable(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    now: DateTime<Utc>,
) -> ApiResult<()> {
    let seller = sellers::find(conn, chat.tenant_id, chat.seller_id).await?;
    let seller = seller.ok_or(codes::CHAT_NOT_FOUND)?;
    if !seller.is_active {
        return Err(codes::SELLER_INACTIVE.into());
    }
    if seller.capabilities().is_some_and(|may| !may.send) {
        return Err(codes::SELLER_READ_ONLY.into());
    }
    if chat.window_closes_at.is_some_and(|closes| closes <= now) {
        return Err(codes::WINDOW_CLOSED.into());
    }
    Ok(())
}

async fn check_seen(
    conn: &mut AsyncPgConnection,
    staff: &Staff,
    chat: &Chat,
    body: &NewAnswer,
) -> ApiResult<()> {
    let Some(last_seen) = body.last_seen_message_id else {
        return Ok(());
    };
    let tenant = staff.tenant;
    known(conn, tenant, chat.id, last_seen, "last_seen_message_id").await?;
    if !body.send_anyway && has_unseen(conn, tenant, chat.id, last_seen, staff.user).await? {
        return Err(codes::CHAT_MOVED_ON.into());
    }
    Ok(())
}
