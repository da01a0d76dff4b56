//! Works out anew what follows from a chat's messages: whose turn it is, its clocks, its draft.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::db::chats::{self, Chat, Standing, StoredObligation, StoredSuggestion};
use crate::db::messages::{self, ChatFacts};
use crate::db::obligations::{self, EndCause};
use crate::db::suggestions;
use crate::domain::deadlines::{ChatStatus, Obligation, Owed, clocks};
use crate::domain::suggestions::{ChatSuggestion, SuggestionState, due_at};
use crate::flows::obligations::Rules;
use crate::marketplaces::profile;
use crate::text::preview;

/// The length of the last message's preview in characters.
const PREVIEW_CHARS: usize = 120;

/// Brings a locked chat up to date with its messages, and gives it a new version. What the caller
/// changed in `chat` (its status, its rest, its draft) is taken as what a person wants.
///
/// A closed chat stays closed unless `reopen`.
pub async fn refresh_chat(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    reopen: bool,
    now: DateTime<Utc>,
) -> QueryResult<Chat> {
    let tenant = chat.tenant_id;
    let facts = messages::facts(conn, tenant, chat.id).await?;
    let status = match (chat.status, facts.owed_since) {
        (ChatStatus::Closed, _) if !reopen => ChatStatus::Closed,
        (_, Some(_)) => ChatStatus::Open,
        (_, None) => ChatStatus::Waiting,
    };
    let owed_since = facts.owed_since.filter(|_| status == ChatStatus::Open);
    let buyer_wrote = facts.last_buyer_message_id != chat.last_buyer_message_id;
    let obligation = renew_obligation(conn, chat, owed_since, status, now).await?;
    let owed = Owed {
        since: facts.owed_since,
        last_buyer_at: facts.last_buyer_at,
    };
    // A buyer who writes wakes the chat.
    let snoozed_until = chat.snoozed_until.filter(|_| !buyer_wrote);
    let window = profile(chat.channel).answer_window;
    let clocks = clocks(owed, obligation.as_ref(), window, snoozed_until);
    let (suggest_at, suggestion) =
        renew_suggestion(conn, chat, owed_since.is_some(), buyer_wrote, now).await?;
    let standing = Standing {
        status,
        unread_count: facts.unread_count,
        last_message_preview: last_preview(&facts),
        last_message_at: facts.last_message_at,
        last_message_direction: facts.last_direction,
        queue_at: clocks.queue_at,
        owed_since: facts.owed_since,
        last_buyer_at: facts.last_buyer_at,
        last_buyer_message_id: facts.last_buyer_message_id,
        window_closes_at: clocks.window_closes_at,
        at_risk_at: clocks.at_risk_at(obligation.as_ref()),
        obligation: obligation.map(StoredObligation),
        alarm_at: clocks.alarm_at,
        snoozed_until: clocks.snoozed_until,
        suggest_at,
        suggestion: suggestion.map(StoredSuggestion),
        updated_at: now,
    };
    chats::store_standing(conn, tenant, chat.id, &standing).await
}

fn last_preview(facts: &ChatFacts) -> Option<String> {
    facts
        .last_text
        .as_deref()
        .map(|text| preview(text, PREVIEW_CHARS))
}

/// The obligation in force; one that is over is ended.
async fn renew_obligation(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    owed_since: Option<DateTime<Utc>>,
    status: ChatStatus,
    now: DateTime<Utc>,
) -> QueryResult<Option<Obligation>> {
    let tenant = chat.tenant_id;
    let over = chat
        .obligation()
        .filter(|before| Some(before.started_at) != owed_since);
    if let Some(id) = over.and_then(|over| over.id) {
        let cause = match status {
            ChatStatus::Closed => EndCause::Closed,
            ChatStatus::Open | ChatStatus::Waiting => EndCause::Answered,
        };
        obligations::end(conn, tenant, id, cause, now).await?;
    }
    let Some(since) = owed_since else {
        return Ok(None);
    };
    let rules = Rules::load(conn, tenant).await?;
    let computed = rules.oblige(conn, chat, since).await?.obligation;
    let row = obligations::upsert(conn, tenant, chat.id, &computed).await?;
    let going_on = chat
        .obligation()
        .filter(|before| before.started_at == since);
    Ok(Some(Obligation {
        id: Some(row.id),
        warned_at: row.warned_at,
        breached_at: row.breached_at,
        untold: going_on.is_some_and(|before| before.untold),
        ..computed
    }))
}

/// When the next draft is to be made, and where the newest one stands.
async fn renew_suggestion(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    is_owed: bool,
    buyer_wrote: bool,
    now: DateTime<Utc>,
) -> QueryResult<(Option<DateTime<Utc>>, Option<ChatSuggestion>)> {
    let before = chat.suggestion();
    if is_owed && !buyer_wrote {
        return Ok((chat.suggest_at, before.cloned()));
    }
    let is_shown = before.is_some_and(|it| it.id.is_some());
    if is_shown {
        suggestions::retire(conn, chat.tenant_id, chat.id, now).await?;
    }
    if !is_owed {
        return Ok((None, None));
    }
    let wanted_since = before
        .filter(|before| before.state == SuggestionState::Wanted)
        .and_then(|before| before.wanted_since)
        .unwrap_or(now);
    let suggestion = ChatSuggestion {
        id: None,
        state: SuggestionState::Wanted,
        intent: before.and_then(|it| it.intent.clone()),
        wanted_since: Some(wanted_since),
        failures: 0,
    };
    Ok((Some(due_at(now, wanted_since)), Some(suggestion)))
}
