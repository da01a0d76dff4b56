//! What the product needs from a marketplace, and which connector speaks to which.
//!
//! A connector is stateless and one method is one HTTP request: the flow takes the permit before
//! it. What a vendor cannot do is data ([`Profile`]), not an empty method.

mod ozon;
mod pushes;
mod wildberries;
mod wire;
mod yandex_market;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::channel;
pub use crate::channel::{Capabilities, ChatContext, VendorAttachment, Warning};
use crate::clock::Clock;
use crate::config::VendorConfig;
use crate::http::{DownloadBody, NoAnswer, VendorClient};

pub use self::pushes::{PushReply, parse_push};

/// One marketplace's buyer-chat API.
pub trait Marketplace: Send + Sync {
    /// What this marketplace can do, and within which limits.
    fn profile(&self) -> &'static Profile;

    /// The shop's own id at the marketplace, from what the seller typed in.
    fn account_id(&self, client_id: Option<&str>, api_key: &str) -> Result<String, VendorError>;

    /// Asks the marketplace what the key may do.
    fn probe<'a>(&'a self, access: &'a ShopAccess) -> BoxFuture<'a, Result<Probe, VendorError>>;

    /// One page of the shop's chats.
    fn list_chats<'a>(
        &'a self,
        access: &'a ShopAccess,
        page: ListPage<'a>,
    ) -> BoxFuture<'a, Result<ChatPage, VendorError>>;

    /// One page of messages: of one chat, or of the shop's whole stream ([`Reading`]).
    fn read_messages<'a>(
        &'a self,
        access: &'a ShopAccess,
        from: ReadFrom<'a>,
    ) -> BoxFuture<'a, Result<MessagePage, VendorError>>;

    /// Sends a text; its last byte leaves this process only before `send.release_before`.
    fn send_text<'a>(
        &'a self,
        access: &'a ShopAccess,
        send: TextSend<'a>,
    ) -> BoxFuture<'a, SendOutcome>;

    /// Fetches a file of a message by its [`VendorAttachment::source`].
    fn fetch_file<'a>(
        &'a self,
        access: &'a ShopAccess,
        source: &'a str,
    ) -> BoxFuture<'a, Result<FileAnswer, VendorError>>;

    /// Sends files, with `send.text` where [`FileRules::with_text`]; under the same gate as a text.
    fn send_files<'a>(
        &'a self,
        access: &'a ShopAccess,
        send: TextSend<'a>,
        files: &'a [OutgoingFile],
    ) -> BoxFuture<'a, SendOutcome>;

    /// Marks a message and those before it as read; only where [`Profile::marks_read`].
    fn mark_read<'a>(
        &'a self,
        access: &'a ShopAccess,
        chat: &'a str,
        message: &'a str,
    ) -> BoxFuture<'a, Result<(), VendorError>>;

    /// Begins a chat about an order, or finds the one there is; only where
    /// [`Profile::starts_chats`]. Gives the chat's external id.
    fn start_chat<'a>(
        &'a self,
        access: &'a ShopAccess,
        order: &'a str,
    ) -> BoxFuture<'a, Result<String, StartError>>;
}

/// All connectors, by marketplace.
#[derive(Clone)]
pub struct Marketplaces {
    ozon: Arc<dyn Marketplace>,
    wildberries: Arc<dyn Marketplace>,
    yandex_market: Arc<dyn Marketplace>,
}

impl Marketplaces {
    /// Connectors for the configured origins, on the system's clock.
    pub fn new(config: &VendorConfig) -> anyhow::Result<Self> {
        Self::with_clock(config, &Clock::default())
    }

    /// Connectors for the configured origins; the clock judges when keys and limits end.
    pub fn with_clock(config: &VendorConfig, clock: &Clock) -> anyhow::Result<Self> {
        let ozon = VendorClient::new(&config.ozon_base_url).context("base URL of Ozon")?;
        let wildberries =
            VendorClient::new(&config.wildberries_base_url).context("base URL of Wildberries")?;
        let yandex_market = VendorClient::new(&config.yandex_market_base_url)
            .context("base URL of Yandex Market")?;
        Ok(Self {
            ozon: Arc::new(ozon::Ozon::new(ozon, clock.clone())),
            wildberries: Arc::new(wildberries::Wildberries::new(wildberries, clock.clone())),
            yandex_market: Arc::new(yandex_market::YandexMarket::new(
                yandex_market,
                clock.clone(),
            )?),
        })
    }

    /// The connector of one marketplace.
    pub fn get(&self, marketplace: channel::Marketplace) -> &dyn Marketplace {
        match marketplace {
            channel::Marketplace::Ozon => &*self.ozon,
            channel::Marketplace::Wildberries => &*self.wildberries,
            channel::Marketplace::YandexMarket => &*self.yandex_market,
        }
    }
}

/// The profile of a marketplace, without a connector.
pub fn profile(marketplace: channel::Marketplace) -> &'static Profile {
    match marketplace {
        channel::Marketplace::Ozon => &ozon::PROFILE,
        channel::Marketplace::Wildberries => &wildberries::PROFILE,
        channel::Marketplace::YandexMarket => &yandex_market::PROFILE,
    }
}

/// What a marketplace can do, as data. Sources stand beside each value in the connectors.
#[derive(Debug)]
pub struct Profile {
    /// The longest text of one message, in Unicode characters.
    pub text_limit_chars: usize,
    /// How long after the buyer's last message an answer is still taken.
    pub answer_window: Option<Duration>,
    /// Which files a message may carry.
    pub files: FileRules,
    /// How messages are read.
    pub reading: Reading,
    /// Whether reading can be reported back.
    pub marks_read: bool,
    /// Whether a shop may begin a chat.
    pub starts_chats: bool,
    /// Whether it can push events to us.
    pub pushes: bool,
    /// The shortest time between two polls of one shop.
    pub min_poll_interval: Duration,
    /// Requests of one account: what may run within which time.
    pub limits: &'static [Limit],
    /// Requests of one account that may run at the same moment, if the marketplace says so.
    pub parallel: Option<usize>,
}

/// Which files a marketplace takes with a message.
#[derive(Debug)]
pub struct FileRules {
    /// MIME types; empty: any.
    pub types: &'static [&'static str],
    pub at_most: usize,
    pub one_limit_bytes: u64,
    pub all_limit_bytes: u64,
    /// Whether one message may carry both files and a text.
    pub with_text: bool,
    /// Whether the history shows how a picture was called when it was sent.
    pub shows_image_names: bool,
}

/// How a marketplace hands out messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A history per chat; the list tells which chats changed.
    PerChat,
    /// One stream of events over all chats of the shop.
    Stream,
}

/// Which of a connector's requests a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Probe,
    ListChats,
    ReadMessages,
    FetchFile,
    SendText,
    SendFile,
    MarkRead,
    StartChat,
}

/// At most `requests` of `operation` (none: of all together) within `per`.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub operation: Option<Operation>,
    pub requests: u32,
    pub per: Duration,
}

/// What opens a shop: held only while a request is made.
#[derive(Clone, Debug)]
pub struct ShopAccess {
    /// Ozon: client id; Yandex Market: business id; Wildberries: the token's seller id.
    pub account_id: String,
    pub api_key: SecretString,
}

/// The answer of a live probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub capabilities: Capabilities,
    pub warnings: Vec<Warning>,
}

/// Which chats to list.
#[derive(Clone, Copy, Debug)]
pub struct ListPage<'a> {
    pub scope: ListScope,
    /// `next` of the page before; none for the first.
    pub cursor: Option<&'a str>,
}

/// How much of the list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListScope {
    /// Chats where the marketplace says that the buyer waits: cheap, for each poll.
    Fresh,
    /// Every chat: for the first import and the sweep.
    All,
}

/// A page of the list of chats.
#[derive(Debug, Default)]
pub struct ChatPage {
    /// Chats with buyers only; support and notification chats are left out.
    pub chats: Vec<ChatSummary>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// A chat as the list shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatSummary {
    pub external_id: String,
    /// Changes whenever the chat gets a message; compared for equality only.
    pub newest: Option<String>,
    pub context: ChatContext,
    /// What a send must carry (Wildberries).
    pub reply_sign: Option<String>,
}

/// Which messages to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadFrom<'a> {
    /// The chat's external id; none where the shop has one stream ([`Reading::Stream`]).
    pub chat: Option<&'a str>,
    /// The oldest message wanted: its external id, or the stream's cursor. None: all there is.
    pub since: Option<&'a str>,
    /// `next` of the page before; none for the first.
    pub page: Option<&'a str>,
}

/// A page of messages. Pages may overlap: whoever stores them tells messages apart by their id.
#[derive(Debug, Default)]
pub struct MessagePage {
    pub messages: Vec<VendorMessage>,
    /// The next page; none when everything since `since` has been read.
    pub next: Option<String>,
    /// Where a later read of a stream goes on; also set on its last, empty page.
    pub resume: Option<String>,
}

/// A message as the marketplace has it, made plain.
#[derive(Clone, Debug, PartialEq)]
pub struct VendorMessage {
    pub chat: String,
    pub external_id: String,
    pub at: DateTime<Utc>,
    pub author: VendorAuthor,
    /// Plain text as a person reads it; without NUL and lone surrogates.
    pub text: String,
    pub attachments: Vec<VendorAttachment>,
    pub context: ChatContext,
    /// What a send must carry from now on (Wildberries, first event of a chat).
    pub reply_sign: Option<String>,
    /// Why the item could not be read, if so: a placeholder is stored in its place.
    pub problem: Option<String>,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VendorAuthor {
    Buyer,
    /// The shop; not said from where.
    Seller,
    /// The shop, surely by hand in the marketplace's own cabinet.
    SellerCabinet,
    /// The marketplace itself, its bots, support and couriers: starts no clock.
    System,
}

/// What a marketplace answers when it is asked for a file.
pub enum FileAnswer {
    /// Here it is.
    Content(DownloadBody),
    /// It examines the file first.
    InModeration { retry_after: Duration },
    /// It will not hand the file out, or nobody may ask it to.
    Blocked { message: String },
}

/// A text to send.
#[derive(Clone, Copy, Debug)]
pub struct TextSend<'a> {
    pub chat: &'a str,
    pub text: &'a str,
    /// The chat's current signature (Wildberries).
    pub reply_sign: Option<&'a str>,
    /// The last byte of the body is held back from this moment on.
    pub release_before: tokio::time::Instant,
}

/// A file to send.
#[derive(Clone, Debug)]
pub struct OutgoingFile {
    /// One line with an extension.
    pub name: String,
    pub content_type: String,
    pub content: Bytes,
}

/// How a send ended.
#[derive(Clone, Debug, PartialEq)]
pub enum SendOutcome {
    /// The marketplace confirmed it.
    Sent {
        /// The marketplace's own time of the message, where it tells (Wildberries).
        at: Option<DateTime<Utc>>,
        /// What the next send must carry (Wildberries).
        reply_sign: Option<String>,
        /// What of it was not taken, in the marketplace's words (Wildberries' files).
        left_out: Option<String>,
    },
    /// It surely did not take it.
    NotSent(Refusal),
    /// It may or may not have taken it: settled by reading back.
    MaybeSent { reason: String },
}

/// Why a marketplace surely did not take a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// No connection, or the request never left completely: try again.
    Unreachable { reason: String },
    /// Too many requests: try again after a while.
    RateLimited { retry_after: Option<Duration> },
    /// The chat's signature is outdated: list the chats, then try again.
    StaleSign,
    /// The key is wrong or expired.
    Unauthorized { message: String },
    /// The key may read, but not send.
    ReadOnly { message: String },
    /// The marketplace takes no more answers to this buyer.
    WindowClosed { message: String },
    /// Anything else that trying again does not mend.
    Rejected { message: String },
}

/// How a request that changes nothing failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum VendorError {
    #[error("the marketplace refuses the key: {message}")]
    Unauthorized { message: String },
    #[error("the key may not do this: {message}")]
    Forbidden { message: String },
    #[error("too many requests")]
    RateLimited { retry_after: Option<Duration> },
    #[error("the marketplace rejects the request: {message}")]
    Rejected { message: String },
    #[error("the marketplace does not answer: {message}")]
    Unavailable { message: String },
    #[error("the marketplace answers something unexpected: {message}")]
    Unexpected { message: String },
}

/// Why no chat was begun.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StartError {
    #[error("the marketplace knows no such order: {message}")]
    OrderNotFound { message: String },
    #[error("it is too late for this order: {message}")]
    TooLate { message: String },
    #[error(transparent)]
    Vendor(#[from] VendorError),
}

impl VendorError {
    /// Whether the same request may succeed later without anybody mending anything.
    pub fn is_retryable(&self) -> bool {
        !matches!(
            self,
            Self::Unauthorized { .. } | Self::Forbidden { .. } | Self::Rejected { .. }
        )
    }
}

impl From<NoAnswer> for VendorError {
    fn from(NoAnswer { reason }: NoAnswer) -> Self {
        Self::Unavailable { message: reason }
    }
}
