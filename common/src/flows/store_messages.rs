//! Stores what a marketplace's history shows of one chat: each message once, echoes of ours bound to
//! the message that was sent.

use std::cmp::Ordering;
use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::channel::Marketplace;
use crate::db::chats::{self, Chat, StoredContext};
use crate::db::files::{self, FileState, NewFile};
use crate::db::messages::{self, Author, Direction, Message, NewMessage, StoredAttachments};
use crate::domain::deadlines::FIRST_IMPORT_WINDOW;
use crate::domain::delivery::MessageState;
use crate::domain::echoes::{ECHO_WITHIN, FileMark, Origin, Shown, Unbound, attribute, is_picture};
use crate::files::{FileStore, clean_name};
use crate::flows::refresh_chat::refresh_chat;
use crate::ids::{SellerId, TenantId, new_public_id};
use crate::marketplaces::{Profile, VendorAuthor, VendorMessage, profile};
use crate::text::{canonical, clean_text};

/// The shop whose messages are stored, and how.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub tenant: TenantId,
    pub seller: SellerId,
    pub marketplace: Marketplace,
    /// What was there before the shop was connected starts no clock once it is past its window.
    pub first_import: bool,
    pub now: DateTime<Utc>,
}

/// What storing changed.
#[derive(Debug)]
pub struct Stored {
    pub chat: Chat,
    pub created: Vec<Message>,
    /// Messages of ours whose echo was found.
    pub bound: Vec<Message>,
    /// A message of ours is being sent right now and one shown here may be its echo: read again.
    pub unclear: bool,
}

impl Stored {
    /// Whether anything is different from before.
    pub fn changed(&self) -> bool {
        !self.created.is_empty() || !self.bound.is_empty()
    }

    /// When the buyer last wrote, if that is news.
    pub fn buyer_wrote_at(&self) -> Option<DateTime<Utc>> {
        self.created
            .iter()
            .filter(|message| message.author == Author::Buyer)
            .map(|message| message.at)
            .max()
    }
}

/// Stores the messages of one chat inside the caller's transaction, and locks the chat until its end.
pub async fn store_messages(
    conn: &mut AsyncPgConnection,
    source: &Source,
    external_chat: &str,
    shown: &[VendorMessage],
) -> QueryResult<Stored> {
    let Source { tenant, seller, .. } = *source;
    let chat = chats::lock_or_create(
        conn,
        tenant,
        seller,
        source.marketplace,
        external_chat,
        source.now,
    )
    .await?;
    let mut stored = Stored {
        chat,
        created: Vec::new(),
        bound: Vec::new(),
        unclear: false,
    };
    let fresh = not_yet_known(conn, &stored.chat, shown).await?;
    if !fresh.is_empty() {
        let origins = attribute_ours(conn, source, &stored.chat, &fresh).await?;
        for (message, origin) in fresh.into_iter().zip(origins) {
            store_one(conn, source, &mut stored, message, origin).await?;
        }
    }
    remember_context(conn, &mut stored, shown).await?;
    if stored.changed() {
        finish(conn, source, &mut stored).await?;
    }
    Ok(stored)
}

/// The messages that the chat does not have, oldest first, each once.
async fn not_yet_known<'a>(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    shown: &'a [VendorMessage],
) -> QueryResult<Vec<&'a VendorMessage>> {
    let ids: Vec<&str> = shown.iter().map(|it| it.external_id.as_str()).collect();
    let mut seen: HashSet<String> =
        messages::known_external_ids(conn, chat.tenant_id, chat.id, &ids)
            .await?
            .into_iter()
            .collect();
    let mut fresh: Vec<_> = shown
        .iter()
        .filter(|message| seen.insert(message.external_id.clone()))
        .collect();
    fresh.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| by_number(a, b)));
    Ok(fresh)
}

/// Of two messages of the same moment the one with the smaller number is older.
fn by_number(a: &VendorMessage, b: &VendorMessage) -> Ordering {
    let number = |message: &VendorMessage| message.external_id.parse::<u128>().ok();
    number(a).cmp(&number(b))
}

/// For each fresh message: none for others' messages, else whose of our side it is.
async fn attribute_ours(
    conn: &mut AsyncPgConnection,
    source: &Source,
    chat: &Chat,
    fresh: &[&VendorMessage],
) -> QueryResult<Vec<Option<Origin>>> {
    let is_ours = |message: &VendorMessage| {
        matches!(
            message.author,
            VendorAuthor::Seller | VendorAuthor::SellerCabinet
        )
    };
    if !fresh.iter().any(|message| is_ours(message)) {
        return Ok(vec![None; fresh.len()]);
    }
    let unbound: Vec<Unbound> = messages::awaiting_echo(conn, chat.tenant_id, chat.id)
        .await?
        .into_iter()
        .map(|row| Unbound {
            id: row.message.id,
            canonical: canonical(&row.message.text),
            files: sent_marks(&row.message),
            state: row.message.state,
            baseline_at: row.baseline_at,
            overdue: is_overdue(&row.message, source.now),
            vendor_at: row.vendor_at,
        })
        .collect();
    let shown: Vec<Shown> = fresh
        .iter()
        .filter(|message| is_ours(message))
        .map(|message| Shown {
            canonical: canonical(&message.text),
            files: shown_marks(source, message),
            at: message.at,
            by_hand: message.author == VendorAuthor::SellerCabinet,
        })
        .collect();
    let mut origins = attribute(&unbound, &shown).into_iter();
    Ok(fresh
        .iter()
        .map(|message| is_ours(message).then(|| origins.next()).flatten())
        .collect())
}

fn sent_marks(message: &Message) -> Vec<FileMark> {
    let files = message.attachments.0.iter();
    files
        .map(|file| FileMark::new(file.content_type.as_deref(), Some(&file.name)))
        .collect()
}

fn shown_marks(source: &Source, message: &VendorMessage) -> Vec<FileMark> {
    let shows_names = profile(source.marketplace).files.shows_image_names;
    let files = message.attachments.iter();
    files
        .map(|file| {
            let content_type = file.content_type.as_deref();
            let is_named = shows_names || !content_type.is_some_and(is_picture);
            FileMark::new(content_type, is_named.then_some(file.name.as_str()))
        })
        .collect()
}

fn is_overdue(message: &Message, now: DateTime<Utc>) -> bool {
    match message.state {
        MessageState::Failed => true,
        MessageState::Sent => message.sent_at.is_some_and(|at| at + ECHO_WITHIN < now),
        _ => false,
    }
}

async fn store_one(
    conn: &mut AsyncPgConnection,
    source: &Source,
    stored: &mut Stored,
    message: &VendorMessage,
    origin: Option<Origin>,
) -> QueryResult<()> {
    match origin {
        Some(Origin::NotYetClear) => stored.unclear = true,
        Some(Origin::Echo(ours)) => {
            let tenant = source.tenant;
            let bound =
                messages::bind_echo(conn, tenant, ours, &message.external_id, message.at).await?;
            stored.bound.push(bound);
        }
        Some(Origin::Elsewhere) | None => {
            let mut files = new_files(source, message);
            let row = new_row(source, &stored.chat, message, &files);
            if let Some(created) = messages::insert_new(conn, &row).await? {
                for file in &mut files {
                    file.message_id = Some(created.id);
                }
                files::insert_all(conn, &files).await?;
                stored.created.push(created);
            }
        }
    }
    Ok(())
}

/// The rows of a message's files, which the worker fetches.
fn new_files(source: &Source, message: &VendorMessage) -> Vec<NewFile> {
    let attached = message.attachments.iter().zip(0..);
    attached
        .map(|(attachment, position)| NewFile {
            tenant_id: source.tenant,
            public_id: new_public_id(),
            message_id: None,
            position,
            uploaded_by: None,
            seller_id: Some(source.seller),
            channel: Some(source.marketplace),
            source: Some(clean_text(&attachment.source)),
            // Its extension, if it has none, waits for the content.
            name: clean_name(&attachment.name, None),
            content_type: attachment.content_type.as_deref().map(clean_text),
            size_bytes: attachment.size_bytes,
            storage_key: FileStore::new_key(source.tenant),
            state: FileState::Pending,
            fetch_at: Some(source.now),
            created_at: source.now,
        })
        .collect()
}

fn new_row(source: &Source, chat: &Chat, message: &VendorMessage, files: &[NewFile]) -> NewMessage {
    let (direction, author, state) = match message.author {
        VendorAuthor::Buyer => (Direction::Incoming, Author::Buyer, MessageState::Received),
        VendorAuthor::System => (Direction::Incoming, Author::System, MessageState::Received),
        VendorAuthor::Seller | VendorAuthor::SellerCabinet => {
            (Direction::Outgoing, Author::Agent, MessageState::Sent)
        }
    };
    NewMessage {
        tenant_id: source.tenant,
        public_id: new_public_id(),
        chat_id: chat.id,
        external_id: Some(message.external_id.clone()),
        client_message_id: None,
        direction,
        author,
        user_id: None,
        text: message.text.clone(),
        attachments: StoredAttachments(files.iter().map(Into::into).collect()),
        state,
        error_code: message.problem.as_ref().map(|_| "unreadable".to_owned()),
        error_message: message.problem.clone(),
        starts_clock: starts_clock(source, message.at),
        send_before: None,
        at: message.at,
        sent_at: Some(message.at),
        created_at: source.now,
        suggestion_id: None,
    }
}

fn starts_clock(source: &Source, at: DateTime<Utc>) -> bool {
    let Profile { answer_window, .. } = profile(source.marketplace);
    let window = answer_window.unwrap_or(FIRST_IMPORT_WINDOW);
    let window = TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX);
    !source.first_import || source.now - at < window
}

/// Takes over what the messages tell about the buyer, the order, and how to answer.
async fn remember_context(
    conn: &mut AsyncPgConnection,
    stored: &mut Stored,
    shown: &[VendorMessage],
) -> QueryResult<()> {
    let mut context = stored.chat.context.clone();
    let mut vendor_state = stored.chat.vendor_state.clone();
    for message in shown {
        context.0.merge(message.context.clone());
        if message.reply_sign.is_some() && vendor_state.reply_sign.is_none() {
            vendor_state.reply_sign.clone_from(&message.reply_sign);
        }
    }
    if context == stored.chat.context && vendor_state == stored.chat.vendor_state {
        return Ok(());
    }
    let chat = &mut stored.chat;
    chats::store_vendor_facts(conn, chat.tenant_id, chat.id, &context, &vendor_state).await?;
    chat.context = StoredContext(context.0);
    chat.vendor_state = vendor_state;
    Ok(())
}

async fn finish(
    conn: &mut AsyncPgConnection,
    source: &Source,
    stored: &mut Stored,
) -> QueryResult<()> {
    let reopen = stored.buyer_wrote_at().is_some();
    stored.chat = refresh_chat(conn, &stored.chat, reopen, source.now).await?;
    if !stored.bound.is_empty() && stored.chat.deliver_at.is_some() {
        // An unknown message may just have been settled: the next one need not wait.
        let chat = &mut stored.chat;
        chat.deliver_at = Some(source.now);
        chats::schedule_delivery(conn, chat.tenant_id, chat.id, chat.deliver_at).await?;
    }
    Ok(())
}
