//! How Ozon's seller API is spoken to.

mod chats;
mod errors;
mod history;
mod roles;

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire;
use super::{
    ChatPage, FileAnswer, FileRules, Limit, ListPage, ListScope, Marketplace, MessagePage,
    OutgoingFile, Probe, Profile, ReadFrom, Reading, Refusal, SendOutcome, ShopAccess, StartError,
    TextSend, VendorError,
};
use crate::clock::Clock;
use crate::http::{Answer, Call, Download, HeaderMap, HeaderValue, VendorClient};

pub(super) static PROFILE: Profile = Profile {
    // https://docs.ozon.ru/api/seller/#operation/ChatAPI_ChatSendMessage: "from 1 to 1000 symbols"
    text_limit_chars: 1000,
    // The same page: "within 48 hours from the buyer's last message".
    answer_window: Some(Duration::from_secs(48 * 60 * 60)),
    // https://docs.ozon.ru/api/seller/#operation/ChatAPI_ChatSendFile names no limits: this one is ours, of
    // what leaves within the time of a send.
    files: FileRules {
        types: &[],
        at_most: 1,
        one_limit_bytes: 10 * 1024 * 1024,
        all_limit_bytes: 10 * 1024 * 1024,
        with_text: false,
        shows_image_names: false,
    },
    reading: Reading::PerChat,
    // https://docs.ozon.ru/api/seller/#operation/ChatAPI_ChatReadV2
    marks_read: true,
    // https://docs.ozon.ru/api/seller/#operation/ChatAPI_ChatStart: FBS and rFBS only
    starts_chats: true,
    // https://docs.ozon.ru/api/seller/#tag/push_types
    pushes: true,
    // Ours: the limit below would allow more, but each poll may read many histories.
    min_poll_interval: Duration::from_secs(2),
    // https://docs.ozon.ru/api/seller/#tag/Errors: "50 requests per second per Client ID"
    limits: &[Limit {
        operation: None,
        requests: 50,
        per: Duration::from_secs(1),
    }],
    parallel: None,
};

/// The page limit of /v3/chat/list.
const CHATS_PER_PAGE: u32 = 100;
/// Of at most 1000: a usual chat needs one page, a usual poll a few messages.
const MESSAGES_PER_PAGE: u32 = 100;

/// The path under which files of messages lie.
const FILES: &str = "/v2/chat/file/";

/// The connector of Ozon.
pub(super) struct Ozon {
    client: VendorClient,
    clock: Clock,
}

impl Ozon {
    pub(super) fn new(client: VendorClient, clock: Clock) -> Self {
        Self { client, clock }
    }
}

impl Marketplace for Ozon {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn account_id(&self, client_id: Option<&str>, _api_key: &str) -> Result<String, VendorError> {
        let client_id = client_id.map(str::trim).filter(|id| !id.is_empty());
        client_id
            .map(str::to_owned)
            .ok_or_else(|| VendorError::Rejected {
                message: "the client id is missing: it stands beside the key in the settings of \
                          the Ozon cabinet"
                    .to_owned(),
            })
    }

    fn probe<'a>(&'a self, access: &'a ShopAccess) -> BoxFuture<'a, Result<Probe, VendorError>> {
        async move {
            match self.roles(access).await {
                Ok(roles) => Ok(roles::judge(roles, self.clock.now())),
                Err(error) => roles::unknown(error),
            }
        }
        .boxed()
    }

    fn list_chats<'a>(
        &'a self,
        access: &'a ShopAccess,
        page: ListPage<'a>,
    ) -> BoxFuture<'a, Result<ChatPage, VendorError>> {
        async move { Ok(self.chat_list(access, page).await?.into_page(page.cursor)) }.boxed()
    }

    fn read_messages<'a>(
        &'a self,
        access: &'a ShopAccess,
        from: ReadFrom<'a>,
    ) -> BoxFuture<'a, Result<MessagePage, VendorError>> {
        async move {
            let chat = from.chat.ok_or_else(|| VendorError::Rejected {
                message: "Ozon reads one chat at a time".to_owned(),
            })?;
            let history = self.chat_history(access, chat, from.page).await?;
            Ok(history.into_page(chat, from))
        }
        .boxed()
    }

    fn send_text<'a>(
        &'a self,
        access: &'a ShopAccess,
        send: TextSend<'a>,
    ) -> BoxFuture<'a, SendOutcome> {
        self.chat_send_message(access, send).boxed()
    }

    fn send_files<'a>(
        &'a self,
        access: &'a ShopAccess,
        send: TextSend<'a>,
        files: &'a [OutgoingFile],
    ) -> BoxFuture<'a, SendOutcome> {
        async move {
            match files {
                [file] => self.chat_send_file(access, send, file).await,
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
        self.chat_file(access, source).boxed()
    }

    fn mark_read<'a>(
        &'a self,
        access: &'a ShopAccess,
        chat: &'a str,
        message: &'a str,
    ) -> BoxFuture<'a, Result<(), VendorError>> {
        self.chat_read(access, chat, message).boxed()
    }

    fn start_chat<'a>(
        &'a self,
        access: &'a ShopAccess,
        order: &'a str,
    ) -> BoxFuture<'a, Result<String, StartError>> {
        self.chat_start(access, order).boxed()
    }
}

impl Ozon {
    /// `https://docs.ozon.ru/api/seller/#operation/AccessAPI_RolesByToken`
    async fn roles(&self, access: &ShopAccess) -> Result<roles::Roles, VendorError> {
        let answer = self.post("/v1/roles", access, &json!({})).await?;
        wire::parse(&answer)
    }

    /// `https://docs.ozon.ru/api/seller/#operation/ChatAPI_ChatListV3`
    async fn chat_list(
        &self,
        access: &ShopAccess,
        page: ListPage<'_>,
    ) -> Result<chats::ChatList, VendorError> {
        let filter = match page.scope {
            ListScope::Fresh => json!({ "unread_only": true }),
            ListScope::All => json!({ "chat_status": "ALL" }),
        };
        let mut body = json!({ "filter": filter, "limit": CHATS_PER_PAGE });
        if let Some(cursor) = page.cursor {
            body["cursor"] = cursor.into();
        }
        wire::parse(&self.post("/v3/chat/list", access, &body).await?)
    }

    /// `https://docs.ozon.ru/api/seller/#operation/ChatAPI_ChatHistoryV3`
    async fn chat_history(
        &self,
        access: &ShopAccess,
        chat: &str,
        from_message: Option<&str>,
    ) -> Result<history::ChatHistory, VendorError> {
        let mut body =
            json!({ "chat_id": chat, "direction": "Backward", "limit": MESSAGES_PER_PAGE });
        if let Some(message) = from_message {
            body["from_message_id"] = message_id(message);
        }
        wire::parse(&self.post("/v3/chat/history", access, &body).await?)
    }

    /// `https://docs.ozon.ru/api/seller/#operation/ChatAPI_ChatSendMessage`
    async fn chat_send_message(&self, access: &ShopAccess, send: TextSend<'_>) -> SendOutcome {
        let body = json!({ "chat_id": send.chat, "text": send.text });
        self.send("/v1/chat/send/message", access, &body, send)
            .await
    }

    /// `https://docs.ozon.ru/api/seller/#operation/ChatAPI_ChatSendFile`
    async fn chat_send_file(
        &self,
        access: &ShopAccess,
        send: TextSend<'_>,
        file: &OutgoingFile,
    ) -> SendOutcome {
        let content = BASE64_STANDARD.encode(&file.content);
        let body = json!({ "chat_id": send.chat, "base64_content": content, "name": file.name });
        self.send("/v1/chat/send/file", access, &body, send).await
    }

    async fn send(
        &self,
        path: &str,
        access: &ShopAccess,
        body: &Value,
        send: TextSend<'_>,
    ) -> SendOutcome {
        let call = match self.call(path, access) {
            Ok(call) => call,
            Err(error) => {
                let message = error.to_string();
                return SendOutcome::NotSent(Refusal::Unauthorized { message });
            }
        };
        let sent = self
            .client
            .send_gated(
                call,
                "application/json",
                Bytes::from(body.to_string()),
                send.release_before,
            )
            .await;
        wire::outcome(sent, |answer| errors::refusal(answer, access), confirmed)
    }

    /// Where messages say it is: documented nowhere (FACTS 1.5).
    async fn chat_file(
        &self,
        access: &ShopAccess,
        address: &str,
    ) -> Result<FileAnswer, VendorError> {
        let Some(address) = self.client.own_address(address, FILES) else {
            return Ok(wire::foreign_file());
        };
        let credentials = self.call("", access)?.headers;
        match self.client.download(address, credentials).await? {
            Download::File(body) => Ok(FileAnswer::Content(body)),
            Download::Other(answer) => Err(errors::error(&answer, access)),
        }
    }

    /// `https://docs.ozon.ru/api/seller/#operation/ChatAPI_ChatReadV2`
    async fn chat_read(
        &self,
        access: &ShopAccess,
        chat: &str,
        message: &str,
    ) -> Result<(), VendorError> {
        let body = json!({ "chat_id": chat, "from_message_id": message_id(message) });
        self.post("/v2/chat/read", access, &body).await.map(drop)
    }

    /// `https://docs.ozon.ru/api/seller/#operation/ChatAPI_ChatStart`
    async fn chat_start(&self, access: &ShopAccess, posting: &str) -> Result<String, StartError> {
        let call = self.call("/v1/chat/start", access)?;
        let body = json!({ "posting_number": posting });
        let answer = self.client.post_json(call, &body).await;
        let answer = answer.map_err(VendorError::from)?;
        if !answer.status.is_success() {
            return Err(errors::start_error(&answer, access));
        }
        let started: Started = wire::parse(&answer)?;
        Ok(started.result.chat_id)
    }

    async fn post(
        &self,
        path: &str,
        access: &ShopAccess,
        body: &Value,
    ) -> Result<Answer, VendorError> {
        let call = self.call(path, access)?;
        let answer = self.client.post_json(call, body).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(errors::error(&answer, access))
        }
    }

    /// `https://docs.ozon.ru/api/seller/#tag/Environment`
    fn call<'a>(&self, path: &'a str, access: &ShopAccess) -> Result<Call<'a>, VendorError> {
        let client_id = HeaderValue::from_str(access.account_id.trim()).map_err(|_| {
            let message = "the client id contains characters that no request can carry".to_owned();
            VendorError::Rejected { message }
        })?;
        let mut headers = HeaderMap::new();
        headers.insert("client-id", client_id);
        headers.insert(
            "api-key",
            wire::secret_header(access.api_key.expose_secret())?,
        );
        Ok(Call {
            path,
            headers,
            ..Call::default()
        })
    }
}

/// Declared as uint64, so it goes out as a number; an example of Ozon's does not fit and stays text.
fn message_id(id: &str) -> Value {
    id.parse::<u64>().map_or_else(|_| id.into(), Value::from)
}

fn confirmed(answer: &Answer) -> Option<SendOutcome> {
    let body: Confirmation = wire::parse(answer).ok()?;
    body.result
        .eq_ignore_ascii_case("success")
        .then_some(SendOutcome::Sent {
            at: None,
            reply_sign: None,
            left_out: None,
        })
}

#[derive(Deserialize)]
struct Confirmation {
    result: String,
}

#[derive(Deserialize)]
struct Started {
    result: StartedChat,
}

#[derive(Deserialize)]
struct StartedChat {
    chat_id: String,
}
