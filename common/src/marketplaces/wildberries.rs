//! How Wildberries' buyer chat API is spoken to.

mod chats;
mod errors;
mod events;
mod token;

use std::time::Duration;

use chrono::DateTime;
use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use super::wire::{self, Form, Id};
use super::{
    ChatPage, FileAnswer, FileRules, Limit, ListPage, Marketplace, MessagePage, Operation,
    OutgoingFile, Probe, Profile, ReadFrom, Reading, Refusal, SendOutcome, ShopAccess, StartError,
    TextSend, VendorError,
};
use crate::clock::Clock;
use crate::http::{Answer, Call, Download, HeaderMap, StatusCode, VendorClient};
use crate::text::{clean_text, preview};

pub(super) static PROFILE: Profile = Profile {
    // https://dev.wildberries.ru/openapi/user-communication#tag/buyersChat/operation/postV1SellerMessage
    text_limit_chars: 1000,
    // None is documented (FACTS 2.9, 2.10).
    answer_window: None,
    // .../operation/getV1SellerEvents: one stream over all chats, no history of one chat.
    // The same page: JPEG, PNG, PDF; 5 MB each ("Max size: 5MiB"), 30 MB together.
    files: FileRules {
        types: &["image/jpeg", "image/png", "application/pdf"],
        at_most: 10,
        one_limit_bytes: 5 * 1024 * 1024,
        all_limit_bytes: 30_000_000,
        with_text: true,
        shows_image_names: false,
    },
    reading: Reading::Stream,
    marks_read: false,
    // Only the buyer begins (FACTS 2.9).
    starts_chats: false,
    pushes: false,
    // One request a second over time, of which lists, the pages of a sync and probes need some.
    min_poll_interval: Duration::from_secs(5),
    // Each method's page: 10 requests in 10 s; a base token's one an hour comes with the probe.
    limits: &[
        per_method(Operation::ListChats, 10, 10),
        per_method(Operation::ReadMessages, 10, 10),
        per_method(Operation::FetchFile, 10, 10),
        per_method(Operation::SendText, 10, 10),
        // https://dev.wildberries.ru/openapi/api-information#tag/connectionCheck/operation/getPing
        per_method(Operation::Probe, 3, 30),
    ],
    parallel: None,
};

const fn per_method(operation: Operation, requests: u32, seconds: u64) -> Limit {
    Limit {
        operation: Some(operation),
        requests,
        per: Duration::from_secs(seconds),
    }
}

/// The connector of Wildberries.
pub(super) struct Wildberries {
    client: VendorClient,
    clock: Clock,
}

impl Wildberries {
    pub(super) fn new(client: VendorClient, clock: Clock) -> Self {
        Self { client, clock }
    }
}

impl Marketplace for Wildberries {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn account_id(&self, _client_id: Option<&str>, api_key: &str) -> Result<String, VendorError> {
        token::read(api_key)?.seller_id()
    }

    fn probe<'a>(&'a self, access: &'a ShopAccess) -> BoxFuture<'a, Result<Probe, VendorError>> {
        async move {
            let claims = token::read(access.api_key.expose_secret())?;
            let mut probe = claims.judge(self.clock.now());
            match self.ping(access).await {
                Err(VendorError::Forbidden { message }) => token::deny(&mut probe, message),
                ping => ping?,
            }
            Ok(probe)
        }
        .boxed()
    }

    fn list_chats<'a>(
        &'a self,
        access: &'a ShopAccess,
        _page: ListPage<'a>,
    ) -> BoxFuture<'a, Result<ChatPage, VendorError>> {
        async move { Ok(self.chats(access).await?.into_page()) }.boxed()
    }

    fn read_messages<'a>(
        &'a self,
        access: &'a ShopAccess,
        from: ReadFrom<'a>,
    ) -> BoxFuture<'a, Result<MessagePage, VendorError>> {
        async move {
            // next=0 is answered with 400: the stream's start is the request without it.
            let cursor = from.page.or(from.since).filter(|cursor| *cursor != "0");
            Ok(self.events(access, cursor).await?.into_page(cursor))
        }
        .boxed()
    }

    fn send_text<'a>(
        &'a self,
        access: &'a ShopAccess,
        send: TextSend<'a>,
    ) -> BoxFuture<'a, SendOutcome> {
        self.message(access, send, &[]).boxed()
    }

    fn send_files<'a>(
        &'a self,
        access: &'a ShopAccess,
        send: TextSend<'a>,
        files: &'a [OutgoingFile],
    ) -> BoxFuture<'a, SendOutcome> {
        self.message(access, send, files).boxed()
    }

    fn fetch_file<'a>(
        &'a self,
        access: &'a ShopAccess,
        source: &'a str,
    ) -> BoxFuture<'a, Result<FileAnswer, VendorError>> {
        self.download(access, source).boxed()
    }

    fn mark_read<'a>(
        &'a self,
        _access: &'a ShopAccess,
        _chat: &'a str,
        _message: &'a str,
    ) -> BoxFuture<'a, Result<(), VendorError>> {
        let message = "Wildberries takes no reports of reading".to_owned();
        futures::future::ready(Err(VendorError::Rejected { message })).boxed()
    }

    fn start_chat<'a>(
        &'a self,
        _access: &'a ShopAccess,
        _order: &'a str,
    ) -> BoxFuture<'a, Result<String, StartError>> {
        let message = "at Wildberries only the buyer begins a chat".to_owned();
        futures::future::ready(Err(VendorError::Rejected { message }.into())).boxed()
    }
}

impl Wildberries {
    /// `https://dev.wildberries.ru/openapi/api-information#tag/connectionCheck/operation/getPing`
    async fn ping(&self, access: &ShopAccess) -> Result<(), VendorError> {
        self.get("/ping", &[], access).await.map(drop)
    }

    /// `https://dev.wildberries.ru/openapi/user-communication#tag/buyersChat/operation/getV1SellerChats`
    async fn chats(&self, access: &ShopAccess) -> Result<chats::Chats, VendorError> {
        wire::parse(&self.get("/api/v1/seller/chats", &[], access).await?)
    }

    /// `https://dev.wildberries.ru/openapi/user-communication#tag/buyersChat/operation/getV1SellerEvents`
    async fn events(
        &self,
        access: &ShopAccess,
        cursor: Option<&str>,
    ) -> Result<events::Events, VendorError> {
        let query = cursor.map(|cursor| ("next", cursor));
        let answer = self
            .get("/api/v1/seller/events", query.as_slice(), access)
            .await?;
        let events: events::Answer = wire::parse(&answer)?;
        events.result.ok_or_else(|| VendorError::Unexpected {
            message: "the stream of events has no result".to_owned(),
        })
    }

    /// `https://dev.wildberries.ru/openapi/user-communication#tag/buyersChat/operation/postV1SellerMessage`
    async fn message(
        &self,
        access: &ShopAccess,
        send: TextSend<'_>,
        files: &[OutgoingFile],
    ) -> SendOutcome {
        let Some(reply_sign) = send.reply_sign else {
            return SendOutcome::NotSent(Refusal::StaleSign);
        };
        let call = match call("/api/v1/seller/message", &[], access) {
            Ok(call) => call,
            Err(error) => {
                let message = error.to_string();
                return SendOutcome::NotSent(Refusal::Unauthorized { message });
            }
        };
        let fields = [("replySign", reply_sign), ("message", send.text)];
        let has_text = files.is_empty() || !send.text.is_empty();
        let form = Form::new(&fields[..1 + usize::from(has_text)], files);
        let sent = self
            .client
            .send_gated(call, &form.content_type, form.body, send.release_before)
            .await;
        wire::outcome(sent, |answer| errors::refusal(answer, access), confirmed)
    }

    /// `https://dev.wildberries.ru/openapi/user-communication#tag/buyersChat/operation/getV1SellerDownloadId`
    async fn download(&self, access: &ShopAccess, id: &str) -> Result<FileAnswer, VendorError> {
        // An address instead of an id leads to hosts of which nobody says whose they are.
        let is_id = id
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'-');
        if !is_id || id.is_empty() {
            return Ok(wire::foreign_file());
        }
        let path = format!("/api/v1/seller/download/{id}");
        let credentials = call("", &[], access)?.headers;
        let address = self.client.address_of(&path);
        match self.client.download(address, credentials).await? {
            Download::File(body) => Ok(FileAnswer::Content(body)),
            Download::Other(answer) if answer.status == StatusCode::ACCEPTED => {
                let moderation: Moderation = wire::parse(&answer)?;
                let seconds = moderation.retry_seconds.unwrap_or(30).clamp(1, 3600);
                Ok(FileAnswer::InModeration {
                    retry_after: Duration::from_secs(seconds.unsigned_abs()),
                })
            }
            Download::Other(answer)
                if answer.status == StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS =>
            {
                let message = errors::error(&answer, access).to_string();
                Ok(FileAnswer::Blocked { message })
            }
            Download::Other(answer) => Err(errors::error(&answer, access)),
        }
    }

    async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        access: &ShopAccess,
    ) -> Result<Answer, VendorError> {
        let answer = self.client.get(call(path, query, access)?).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(errors::error(&answer, access))
        }
    }
}

/// `https://dev.wildberries.ru/openapi/api-information#tag/authorization`
fn call<'a>(
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    access: &ShopAccess,
) -> Result<Call<'a>, VendorError> {
    let mut headers = HeaderMap::new();
    let token = token::bare(access.api_key.expose_secret());
    headers.insert("authorization", wire::secret_header(token)?);
    Ok(Call {
        path,
        query,
        headers,
    })
}

/// `errors` beside a result speaks of files that were not taken; the rest of the message was.
fn confirmed(answer: &Answer) -> Option<SendOutcome> {
    let Sent { result, errors } = wire::parse(answer).ok()?;
    let result = result?;
    if result.add_time.is_none() && result.chat_id.is_none() {
        return None;
    }
    Some(SendOutcome::Sent {
        at: result.add_time.and_then(DateTime::from_timestamp_millis),
        reply_sign: result.sign.filter(|sign| !sign.is_empty()),
        left_out: left_out(&errors),
    })
}

fn left_out(errors: &[Value]) -> Option<String> {
    let told: Vec<&str> = errors.iter().filter_map(Value::as_str).collect();
    (!told.is_empty()).then(|| preview(&clean_text(&told.join("; ")), 300))
}

/// The answer while a file is examined.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Moderation {
    #[serde(default, deserialize_with = "wire::whole")]
    retry_seconds: Option<i64>,
}

#[derive(Deserialize)]
struct Sent {
    result: Option<SentResult>,
    #[serde(default, deserialize_with = "wire::items")]
    errors: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentResult {
    #[serde(default, deserialize_with = "wire::whole")]
    add_time: Option<i64>,
    #[serde(rename = "chatID")]
    chat_id: Option<Id>,
    sign: Option<String>,
}
