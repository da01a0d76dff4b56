//! Makes a draft of the answer that a chat waits for, checks it, and stores it if it still fits.
//!
//! The caller claimed the wish for a draft. It is stored only while the chat's last buyer message is
//! the one it was made for and nobody asked for another one: that is the fence.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::{Value, json};

use super::refresh_chat::refresh_chat;
use super::{Context, FlowError};
use crate::db::chats::{self, Chat, StoredSuggestion};
use crate::db::messages::{self, Author, Message, ThreadPart};
use crate::db::suggestions::{self, NewSuggestion, StoredUsage, Suggestion};
use crate::db::{runtime_settings, sellers};
use crate::domain::checks::{self, Finding, Subject, is_sendable};
use crate::domain::prompt::{self, Conversation, Draft, Line};
use crate::domain::suggestions::{ChatSuggestion, SuggestionState};
use crate::feed::Event;
use crate::ids::MessageId;
use crate::llm::{Choice, Completed, Completion, Door, LlmError, LlmSettings, PromptMessage};
use crate::marketplaces::profile;

/// How long a claimed wish is ahead; longer than a provider may take.
pub const DRAFT_CLAIM: TimeDelta = TimeDelta::seconds(60);
/// A provider that fails is asked so often in all.
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const MAX_TOKENS: u32 = 1200;

/// A draft as it came, with where it came from.
struct Made {
    draft: Draft,
    findings: Vec<Finding>,
    completed: Completed,
    model: String,
    latency: Duration,
}

/// Makes the draft that a claimed chat wants.
pub async fn suggest_reply(ctx: &Context, claimed: &Chat) -> Result<(), FlowError> {
    let Some(for_message) = claimed.last_buyer_message_id else {
        return give_up(ctx, claimed, SuggestionState::None).await;
    };
    let choice = choose(ctx).await?;
    if !choice.enabled {
        return give_up(ctx, claimed, SuggestionState::None).await;
    }
    match make(ctx, claimed, &choice).await? {
        Ok(made) => store(ctx, claimed, for_message, &choice, made).await,
        Err(problem) => put_off(ctx, claimed, &problem).await,
    }
}

async fn choose(ctx: &Context) -> Result<Choice, FlowError> {
    let mut conn = ctx.pool.get().await?;
    let settings = settings(&mut conn).await?;
    Ok(settings.choose(Door::Desk, ctx.providers.defaults()))
}

/// The settings as they stand now.
pub async fn settings(conn: &mut AsyncPgConnection) -> Result<LlmSettings, FlowError> {
    let rows = runtime_settings::all(conn).await?;
    Ok(LlmSettings::of(
        rows.into_iter().map(|row| (row.key, row.value)),
    ))
}

async fn make(
    ctx: &Context,
    chat: &Chat,
    choice: &Choice,
) -> Result<Result<Made, LlmError>, FlowError> {
    let Some(model) = choice.model.clone() else {
        let message = "no model is chosen".to_owned();
        return Ok(Err(LlmError::Rejected { message }));
    };
    let mut conn = ctx.pool.get().await?;
    let (tenant, id) = (chat.tenant_id, chat.id);
    let limit = i64::try_from(prompt::MESSAGES).unwrap_or(i64::MAX);
    let mut thread = messages::thread(&mut conn, tenant, id, ThreadPart::Newest, limit).await?;
    thread.reverse();
    let seller = sellers::find(&mut conn, tenant, chat.seller_id).await?;
    drop(conn);
    let shop = seller.map(|seller| seller.name).unwrap_or_default();
    let conversation = conversation(chat, shop, &thread);
    let request = request(&conversation, model.clone());
    let began = Instant::now();
    let completed = ctx.providers.get(choice.provider).complete(&request).await;
    let completed = match completed {
        Ok(completed) => completed,
        Err(problem) => return Ok(Err(problem)),
    };
    let Some(draft) = prompt::read_draft(&completed.text) else {
        let message = "the answer has another form than asked for".to_owned();
        return Ok(Err(LlmError::Unexpected { message }));
    };
    let findings = check(chat, &conversation, &thread, &draft.text);
    Ok(Ok(Made {
        draft,
        findings,
        completed,
        model,
        latency: began.elapsed(),
    }))
}

/// This chat's own messages, product and limit: nothing else is ever shown to a model.
fn conversation(chat: &Chat, shop: String, thread: &[Message]) -> Conversation {
    let context = &chat.context.0;
    let product = match (&context.product_name, &context.product_sku) {
        (Some(name), Some(sku)) => Some(format!("{name} (артикул {sku})")),
        (Some(name), None) => Some(name.clone()),
        (None, sku) => sku.clone(),
    };
    let line = |message: &Message| Line {
        from: match message.author {
            Author::Buyer => "buyer",
            Author::Agent | Author::Bot => "seller",
            Author::System => "system",
        },
        text: message.text.clone(),
    };
    Conversation {
        shop,
        product,
        order: context.order_id.clone(),
        max_chars: profile(chat.channel).text_limit_chars,
        messages: thread.iter().map(line).collect(),
    }
}

fn request(conversation: &Conversation, model: String) -> Completion {
    let message = |role, content| PromptMessage { role, content };
    let question = conversation.messages.iter().rev();
    let question: Vec<&str> = question
        .take_while(|line| line.from != "seller")
        .filter(|line| line.from == "buyer")
        .map(|line| line.text.as_str())
        .collect();
    Completion {
        model,
        messages: vec![
            message("system", prompt::instructions()),
            message("user", prompt::question(conversation)),
        ],
        json: true,
        max_tokens: MAX_TOKENS,
        question: question.into_iter().rev().collect::<Vec<_>>().join("\n"),
    }
}

fn check(chat: &Chat, conversation: &Conversation, thread: &[Message], text: &str) -> Vec<Finding> {
    let ours = thread
        .iter()
        .filter(|message| message.author == Author::Agent)
        .map(|message| message.text.as_str());
    let facts: Vec<&str> = ours.chain(conversation.product.as_deref()).collect();
    checks::check(&Subject {
        text,
        marketplace: chat.channel,
        length: text.chars().count(),
        max_length: conversation.max_chars,
        facts: &facts,
        made_by: checks::Author::Model,
    })
}

async fn store(
    ctx: &Context,
    claimed: &Chat,
    for_message: MessageId,
    choice: &Choice,
    made: Made,
) -> Result<(), FlowError> {
    let now = ctx.clock.now();
    let row = row(claimed, for_message, choice, made, now);
    let mut conn = ctx.pool.get().await?;
    let stored = conn
        .transaction(async |conn| {
            let Some(mut chat) = chats::lock_with_draft(conn, claimed).await? else {
                return Ok(None);
            };
            // Switched off meanwhile: then it was not made.
            if !settings(conn)
                .await?
                .choose(Door::Desk, ctx.providers.defaults())
                .enabled
            {
                return Ok(None);
            }
            suggestions::retire(conn, chat.tenant_id, chat.id, now).await?;
            let suggestion = suggestions::insert(conn, &row).await?;
            chat.suggest_at = None;
            chat.suggestion = Some(StoredSuggestion(ChatSuggestion::settled(
                Some(suggestion.id),
                suggestion.state,
                suggestion.intent.clone(),
            )));
            // Its intent may call for another rule.
            let chat = refresh_chat(conn, &chat, false, now).await?;
            Ok::<_, FlowError>(Some((suggestion, chat)))
        })
        .await?;
    drop(conn);
    match stored {
        Some((suggestion, chat)) => {
            tell(ctx, &suggestion, &chat).await;
            Ok(())
        }
        // Nobody wants it any more, or it was switched off.
        None => give_up(ctx, claimed, SuggestionState::None).await,
    }
}

async fn tell(ctx: &Context, suggestion: &Suggestion, chat: &Chat) {
    if suggestion.state == SuggestionState::Ready {
        ctx.publish_suggestion(Event::SuggestionReady, suggestion)
            .await;
    }
    ctx.publish_chat(chat).await;
}

fn row(
    chat: &Chat,
    for_message: MessageId,
    choice: &Choice,
    made: Made,
    now: DateTime<Utc>,
) -> NewSuggestion {
    let Made {
        draft, findings, ..
    } = made;
    NewSuggestion {
        tenant_id: chat.tenant_id,
        chat_id: chat.id,
        for_message_id: for_message,
        state: if is_sendable(&findings) {
            SuggestionState::Ready
        } else {
            SuggestionState::Held
        },
        text: draft.text,
        intent: Some(draft.intent),
        sentiment: draft.sentiment,
        urgency: draft.urgency,
        needs_human: draft.needs_human,
        reason: draft.reason,
        checks: findings.iter().map(finding_json).collect(),
        sources: draft.sources.into(),
        provider: choice.provider.to_string(),
        model: made.model,
        prompt_version: prompt::VERSION.to_owned(),
        usage: made.completed.usage.map(|usage| StoredUsage {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
        }),
        latency_ms: i32::try_from(made.latency.as_millis()).unwrap_or(i32::MAX),
        created_at: now,
    }
}

/// A finding as it is kept and shown.
pub fn finding_json(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule.as_str(),
        "verdict": finding.verdict.as_str(),
        "span": finding.span.map(|(start, end)| [start, end]),
        "source": finding.source,
        "message": finding.message,
    })
}

/// The provider failed: it is asked again later, but not for ever.
async fn put_off(ctx: &Context, claimed: &Chat, problem: &LlmError) -> Result<(), FlowError> {
    let failures = claimed.suggestion().map_or(0, |it| it.failures) + 1;
    tracing::warn!(tenant = %claimed.tenant_id, chat = %claimed.id, %problem, failures, "no draft");
    if !problem.is_retryable() || failures >= TRIES {
        return give_up(ctx, claimed, SuggestionState::Failed).await;
    }
    let told = match problem {
        LlmError::RateLimited { retry_after } => *retry_after,
        _ => None,
    };
    let pause = told.unwrap_or(FIRST_PAUSE * failures).min(LONGEST_PAUSE);
    let now = ctx.clock.now();
    let wish = claimed
        .suggestion()
        .cloned()
        .map(|before| ChatSuggestion { failures, ..before });
    end_wish(ctx, claimed, Some(now + pause), wish).await
}

/// No draft is made of this wish.
async fn give_up(ctx: &Context, claimed: &Chat, state: SuggestionState) -> Result<(), FlowError> {
    let intent = claimed.suggestion().and_then(|it| it.intent.clone());
    let suggestion = ChatSuggestion::settled(None, state, intent);
    end_wish(ctx, claimed, None, Some(suggestion)).await
}

async fn end_wish(
    ctx: &Context,
    claimed: &Chat,
    again: Option<DateTime<Utc>>,
    suggestion: Option<ChatSuggestion>,
) -> Result<(), FlowError> {
    let now = ctx.clock.now();
    let mut conn = ctx.pool.get().await?;
    let ended = conn
        .transaction(async |conn| {
            let Some(chat) = chats::lock_with_draft(conn, claimed).await? else {
                return Ok(None);
            };
            let chat = chats::want_draft(conn, &chat, again, suggestion, now).await?;
            Ok::<_, FlowError>(Some(chat))
        })
        .await?;
    drop(conn);
    if let Some(chat) = ended {
        ctx.publish_chat(&chat).await;
    }
    Ok(())
}
