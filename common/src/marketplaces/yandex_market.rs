//! How Yandex Market's partner API is spoken to.

mod chats;
mod errors;
mod history;

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{self, Form, Id, warning};
use super::{
    Capabilities, ChatPage, FileAnswer, FileRules, Limit, ListPage, ListScope, Marketplace,
    MessagePage, Operation, OutgoingFile, Probe, Profile, ReadFrom, Reading, Refusal, SendOutcome,
    ShopAccess, StartError, TextSend, VendorError,
};
use crate::clock::Clock;
use crate::http::{Answer, Call, Download, HeaderMap, VendorClient};

pub(super) static PROFILE: Profile = Profile {
    // https://yandex.ru/dev/market/partner-api/doc/ru/reference/chats/sendMessageToChat
    text_limit_chars: 4096,
    // None is documented (FACTS 3.4).
    answer_window: None,
    // https://yandex.ru/dev/market/partner-api/doc/ru/reference/chats/sendFileToChat
    files: FileRules {
        types: &[],
        at_most: 1,
        one_limit_bytes: 5_000_000,
        all_limit_bytes: 5_000_000,
        with_text: false,
        shows_image_names: true,
    },
    reading: Reading::PerChat,
    marks_read: false,
    // https://yandex.ru/dev/market/partner-api/doc/ru/reference/chats/createChat
    starts_chats: true,
    // https://yandex.ru/dev/market/partner-api/doc/ru/push-notifications/
    pushes: true,
    // Ours: 5000 lists an hour are one in 0.72 s, and a list may have several pages.
    min_poll_interval: Duration::from_secs(2),
    // Each method's page.
    limits: &[
        hourly(Operation::ListChats, 5000),
        hourly(Operation::ReadMessages, 10_000),
        hourly(Operation::SendText, 1000),
        hourly(Operation::SendFile, 1000),
        hourly(Operation::StartChat, 1000),
    ],
    // https://yandex.ru/dev/market/partner-api/doc/ru/concepts/limits
    parallel: Some(2),
};

/// The page limits of the two methods.
const CHATS_PER_PAGE: &str = "20";
const MESSAGES_PER_PAGE: &str = "100";

/// The partner API, and the host to which `payload` of its messages points (FACTS 4.4).
const API: &str = "https://api.partner.market.yandex.ru/";
const FILES_HOST: &str = "https://files.messenger.yandex.net";

const fn hourly(operation: Operation, requests: u32) -> Limit {
    Limit {
        operation: Some(operation),
        requests,
        per: Duration::from_secs(60 * 60),
    }
}

/// The connector of Yandex Market.
pub(super) struct YandexMarket {
    client: VendorClient,
    /// Where the files of real chats lie.
    files: VendorClient,
    clock: Clock,
}

impl YandexMarket {
    pub(super) fn new(client: VendorClient, clock: Clock) -> anyhow::Result<Self> {
        // The real API's host has no files of its own; another one stands for both.
        let files = if client.own_address(API, "").is_some() {
            VendorClient::new(FILES_HOST)?
        } else {
            client.clone()
        };
        Ok(Self {
            client,
            files,
            clock,
        })
    }
}

impl Marketplace for YandexMarket {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn account_id(&self, client_id: Option<&str>, _api_key: &str) -> Result<String, VendorError> {
        business_id(client_id.unwrap_or_default()).map(str::to_owned)
    }

    fn probe<'a>(&'a self, access: &'a ShopAccess) -> BoxFuture<'a, Result<Probe, VendorError>> {
        async move {
            match self.get_chats(access, &[("limit", "1")], &json!({})).await {
                Ok(_) => Ok(may_read()),
                Err(VendorError::Forbidden { message }) => Ok(Probe {
                    capabilities: Capabilities::default(),
                    warnings: vec![warning("no_chat_access", message)],
                }),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn list_chats<'a>(
        &'a self,
        access: &'a ShopAccess,
        page: ListPage<'a>,
    ) -> BoxFuture<'a, Result<ChatPage, VendorError>> {
        async move {
            let filter = match page.scope {
                ListScope::Fresh => json!({ "statuses": [
                    "NEW", "WAITING_FOR_PARTNER", "WAITING_FOR_ARBITER", "WAITING_FOR_MARKET",
                ] }),
                ListScope::All => json!({}),
            };
            let mut query = vec![("limit", CHATS_PER_PAGE)];
            query.extend(page.cursor.map(|token| ("pageToken", token)));
            let chats = self.get_chats(access, &query, &filter).await?;
            Ok(chats.into_page(page.cursor))
        }
        .boxed()
    }

    fn read_messages<'a>(
        &'a self,
        access: &'a ShopAccess,
        from: ReadFrom<'a>,
    ) -> BoxFuture<'a, Result<MessagePage, VendorError>> {
        async move {
            let chat = from.chat.ok_or_else(|| VendorError::Rejected {
                message: "Yandex Market reads one chat at a time".to_owned(),
            })?;
            let history = self.get_chat_history(access, chat, from).await?;
            Ok(history.into_page(chat, from.page))
        }
        .boxed()
    }

    fn send_text<'a>(
        &'a self,
        access: &'a ShopAccess,
        send: TextSend<'a>,
    ) -> BoxFuture<'a, SendOutcome> {
        self.send_message_to_chat(access, send).boxed()
    }

    fn send_files<'a>(
        &'a self,
        access: &'a ShopAccess,
        send: TextSend<'a>,
        files: &'a [OutgoingFile],
    ) -> BoxFuture<'a, SendOutcome> {
        async move {
            match files {
                [_] => self.send_file_to_chat(access, send, files).await,
                _ => wire::one_file_only(),
            }
        }
        .boxed()
    }

    fn fetch_file<'a>(
        &'a self,
        access: &'a ShopAccess,
        source: &'a str,
    ) -> BoxFuture<'a, Result<FileAnswer, VendorError>> {
        self.payload_file(access, source).boxed()
    }

    fn mark_read<'a>(
        &'a self,
        _access: &'a ShopAccess,
        _chat: &'a str,
        _message: &'a str,
    ) -> BoxFuture<'a, Result<(), VendorError>> {
        let message = "Yandex Market takes no reports of reading".to_owned();
        futures::future::ready(Err(VendorError::Rejected { message })).boxed()
    }

    fn start_chat<'a>(
        &'a self,
        access: &'a ShopAccess,
        order: &'a str,
    ) -> BoxFuture<'a, Result<String, StartError>> {
        self.create_chat(access, order).boxed()
    }
}

impl YandexMarket {
    /// `https://yandex.ru/dev/market/partner-api/doc/ru/reference/chats/getChats`
    async fn get_chats(
        &self,
        access: &ShopAccess,
        query: &[(&str, &str)],
        filter: &Value,
    ) -> Result<chats::Chats, VendorError> {
        let answer = self.post("chats", query, access, filter).await?;
        result(&answer)
    }

    /// `https://yandex.ru/dev/market/partner-api/doc/ru/reference/chats/getChatHistory`
    async fn get_chat_history(
        &self,
        access: &ShopAccess,
        chat: &str,
        from: ReadFrom<'_>,
    ) -> Result<history::History, VendorError> {
        let mut query = vec![("chatId", chat), ("limit", MESSAGES_PER_PAGE)];
        query.extend(from.page.map(|token| ("pageToken", token)));
        let since = from.since.and_then(|since| since.parse::<i64>().ok());
        let body = since.map_or(json!({}), |since| json!({ "messageIdFrom": since }));
        let answer = self.post("chats/history", &query, access, &body).await?;
        result(&answer)
    }

    /// `https://yandex.ru/dev/market/partner-api/doc/ru/reference/chats/sendMessageToChat`
    async fn send_message_to_chat(&self, access: &ShopAccess, send: TextSend<'_>) -> SendOutcome {
        let body = Bytes::from(json!({ "message": send.text }).to_string());
        self.send("chats/message", access, "application/json", body, send)
            .await
    }

    /// `https://yandex.ru/dev/market/partner-api/doc/ru/reference/chats/sendFileToChat`
    async fn send_file_to_chat(
        &self,
        access: &ShopAccess,
        send: TextSend<'_>,
        file: &[OutgoingFile],
    ) -> SendOutcome {
        let form = Form::new(&[], file);
        self.send(
            "chats/file/send",
            access,
            &form.content_type,
            form.body,
            send,
        )
        .await
    }

    async fn send(
        &self,
        method: &str,
        access: &ShopAccess,
        content_type: &str,
        body: Bytes,
        send: TextSend<'_>,
    ) -> SendOutcome {
        let prepared = path(method, access).and_then(|path| Ok((path, headers(access)?)));
        let (path, headers) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                let message = error.to_string();
                return SendOutcome::NotSent(Refusal::Unauthorized { message });
            }
        };
        let call = Call {
            path: &path,
            query: &[("chatId", send.chat)],
            headers,
        };
        let sent = self
            .client
            .send_gated(call, content_type, body, send.release_before)
            .await;
        let now = self.clock.now();
        wire::outcome(
            sent,
            |answer| errors::refusal(answer, access, now),
            confirmed,
        )
    }

    /// Where `payload` of a message points: `https://yandex.ru/dev/market/partner-api/doc/ru/reference/chats/getChatHistory`
    async fn payload_file(
        &self,
        access: &ShopAccess,
        address: &str,
    ) -> Result<FileAnswer, VendorError> {
        let Some(address) = self.files.own_address(address, "/") else {
            return Ok(wire::foreign_file());
        };
        match self.files.download(address, headers(access)?).await? {
            Download::File(body) => Ok(FileAnswer::Content(body)),
            Download::Other(answer) => Err(errors::error(&answer, access, self.clock.now())),
        }
    }

    /// `https://yandex.ru/dev/market/partner-api/doc/ru/reference/chats/createChat`
    async fn create_chat(&self, access: &ShopAccess, order: &str) -> Result<String, StartError> {
        let order: u64 = order.parse().map_err(|_| StartError::OrderNotFound {
            message: "orders of Yandex Market are numbers".to_owned(),
        })?;
        let call = Call {
            path: &path("chats/new", access)?,
            query: &[],
            headers: headers(access)?,
        };
        let body = json!({ "context": { "type": "ORDER", "id": order } });
        let answer = self.client.post_json(call, &body).await;
        let answer = answer.map_err(VendorError::from)?;
        if !answer.status.is_success() {
            return Err(errors::start_error(&answer, access, self.clock.now()));
        }
        let created: Created = result(&answer)?;
        Ok(created.chat_id.0)
    }

    async fn post(
        &self,
        method: &str,
        query: &[(&str, &str)],
        access: &ShopAccess,
        body: &Value,
    ) -> Result<Answer, VendorError> {
        let call = Call {
            path: &path(method, access)?,
            query,
            headers: headers(access)?,
        };
        let answer = self.client.post_json(call, body).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(errors::error(&answer, access, self.clock.now()))
        }
    }
}

fn path(method: &str, access: &ShopAccess) -> Result<String, VendorError> {
    let business = business_id(&access.account_id)?;
    Ok(format!("/v2/businesses/{business}/{method}"))
}

/// `https://yandex.ru/dev/market/partner-api/doc/ru/concepts/authorization`
fn headers(access: &ShopAccess) -> Result<HeaderMap, VendorError> {
    let mut headers = HeaderMap::new();
    headers.insert(
        "api-key",
        wire::secret_header(access.api_key.expose_secret())?,
    );
    Ok(headers)
}

/// It becomes a part of addresses, so nothing but digits passes.
fn business_id(client_id: &str) -> Result<&str, VendorError> {
    let id = client_id.trim();
    if !id.is_empty() && id.len() <= 19 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(id);
    }
    Err(VendorError::Rejected {
        message: "the business id is missing or no number: it stands in the settings of the \
                  Market cabinet, and is not the number of a campaign"
            .to_owned(),
    })
}

/// Whether the key may write, only a refused send tells: there is no question for its scopes.
fn may_read() -> Probe {
    Probe {
        capabilities: Capabilities {
            read: true,
            send: true,
            ..Capabilities::default()
        },
        warnings: Vec::new(),
    }
}

fn result<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, VendorError> {
    let envelope: Envelope<T> = wire::parse(answer)?;
    envelope.result.ok_or_else(|| VendorError::Unexpected {
        message: "the answer has no result".to_owned(),
    })
}

fn confirmed(answer: &Answer) -> Option<SendOutcome> {
    let envelope: Envelope<Value> = wire::parse(answer).ok()?;
    (envelope.status.as_deref() == Some("OK")).then_some(SendOutcome::Sent {
        at: None,
        reply_sign: None,
        left_out: None,
    })
}

#[derive(Deserialize)]
struct Envelope<T> {
    status: Option<String>,
    result: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    chat_id: Id,
}
