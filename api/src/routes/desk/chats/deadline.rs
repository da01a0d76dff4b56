//! How a chat's deadline came about, step by step and in words.

use std::fmt::Write;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use common::channel::Marketplace;
use common::db::chats::Chat;
use common::domain::deadlines::{ChatStatus, DEFAULT_OBLIGATION, DeadlineClock, deadline};
use common::domain::sla_rules::Judgement;
use common::flows::obligations::{Computed, Rules};
use common::ids::{BusinessHoursId, ChatId, SlaRuleId};
use common::marketplaces::profile;
use common::views::DeadlineView;
use serde::Serialize;
use utoipa::ToSchema;

use super::find;
use crate::access::Staff;
use crate::http::{ApiResult, Json, PathId};
use crate::openapi::examples;
use crate::state::AppState;

/// How a deadline came about.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    status: ChatStatus,
    /// The nearer clock; null while nothing is owed.
    deadline: Option<DeadlineView>,
    /// Until when the answer is owed; null while none is.
    obligation: Option<ObligationView>,
    /// Until when the marketplace takes an answer; null where it has no such time.
    window: Option<WindowView>,
    snoozed_until: Option<DateTime<Utc>>,
    /// Every rule of the tenant, and why it does or does not count.
    rules: Vec<JudgedRule>,
    /// The same in sentences, in Russian.
    steps: Vec<String>,
}

/// The time in which an answer is owed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Obligation)]
pub struct ObligationView {
    /// The first buyer message without a delivered answer.
    started_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
    at_risk_at: Option<DateTime<Utc>>,
    /// In seconds, of the time that counts.
    answer_within_s: u64,
    /// Null: the default.
    #[schema(value_type = Option<i64>)]
    rule: Option<SlaRuleId>,
    rule_name: Option<String>,
    /// Why it is so long.
    source: String,
    /// Null: by the wall clock.
    business_hours: Option<CountedHours>,
    warned_at: Option<DateTime<Utc>>,
    breached_at: Option<DateTime<Utc>>,
}

/// The hours that were counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountedHours {
    #[schema(value_type = i64)]
    id: BusinessHoursId,
    name: String,
    zone: String,
    /// What was counted, in order.
    stretches: Vec<StretchView>,
}

/// Working time without a break.
#[derive(Debug, Serialize, ToSchema)]
pub struct StretchView {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    seconds: i64,
}

/// Until when the marketplace takes an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct WindowView {
    /// The buyer's last message.
    started_at: DateTime<Utc>,
    closes_at: DateTime<Utc>,
    source: &'static str,
}

/// A rule, and why it does or does not count.
#[derive(Debug, Serialize, ToSchema)]
pub struct JudgedRule {
    #[schema(value_type = i64)]
    id: SlaRuleId,
    name: String,
    priority: i32,
    verdict: Judgement,
    /// Whether it is the one that counts.
    counts: bool,
}

const DEFAULT_SOURCE: &str = "ours: no marketplace publishes a time to answer";
const OZON_WINDOW: &str = "Ozon: the seller may answer within 48 hours of the buyer's last message \
                           (description of /v1/chat/send/message)";

/// Explains a chat's deadline.
#[utoipa::path(
    get, path = "/api/chats/{id}/deadline", tag = "chats", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id")),
    responses((status = 200, description = "how it came about", body = Explanation, example = json!(examples::explanation())))
)]
pub async fn explain_deadline(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
) -> ApiResult<Json<Explanation>> {
    let now = state.ctx.clock.now();
    let chat = find(&state, staff.tenant, id).await?;
    let mut conn = state.conn().await?;
    let rules = Rules::load(&mut conn, staff.tenant).await?;
    let judged = rules.judge_all(&mut conn, &chat).await?;
    let since = chat.obligation().map(|obligation| obligation.started_at);
    let computed = match since {
        Some(since) => Some(rules.oblige(&mut conn, &chat, since).await?),
        None => None,
    };
    let counting = computed.as_ref().and_then(|it| it.rule).map(|rule| rule.id);
    let rules = judged.into_iter().map(|(rule, verdict)| JudgedRule {
        id: rule.id,
        name: rule.name.clone(),
        priority: rule.priority,
        verdict,
        counts: counting == Some(rule.id),
    });
    Ok(Json(Explanation {
        status: chat.status,
        deadline: DeadlineView::of(&chat, now),
        obligation: computed
            .as_ref()
            .map(|computed| obligation(&chat, computed)),
        window: window(&chat),
        snoozed_until: chat.snoozed_until,
        rules: rules.collect(),
        steps: steps(&chat, computed.as_ref(), now),
    }))
}

fn obligation(chat: &Chat, computed: &Computed<'_>) -> ObligationView {
    let shown = &computed.obligation;
    let noted = chat.obligation();
    let rule = computed.rule;
    let hours = computed.hours.as_ref().map(|(hours, walk)| CountedHours {
        id: hours.id,
        name: hours.name.clone(),
        zone: hours.hours.zone().name().to_owned(),
        stretches: walk
            .stretches
            .iter()
            .map(|stretch| StretchView {
                from: stretch.from,
                to: stretch.to,
                seconds: (stretch.to - stretch.from).num_seconds(),
            })
            .collect(),
    });
    ObligationView {
        started_at: shown.started_at,
        due_at: shown.due_at,
        at_risk_at: shown.at_risk_at,
        answer_within_s: rule.map_or(DEFAULT_OBLIGATION.as_secs(), |it| it.answer_within_s.into()),
        rule: shown.rule_id,
        rule_name: shown.rule_name.clone(),
        source: rule.map_or(DEFAULT_SOURCE.to_owned(), |rule| rule.source.clone()),
        business_hours: hours,
        warned_at: noted.and_then(|noted| noted.warned_at),
        breached_at: noted.and_then(|noted| noted.breached_at),
    }
}

fn window(chat: &Chat) -> Option<WindowView> {
    profile(chat.channel).answer_window?;
    Some(WindowView {
        started_at: chat.last_buyer_at?,
        closes_at: chat.window_closes_at?,
        source: match chat.channel {
            Marketplace::Ozon => OZON_WINDOW,
            Marketplace::Wildberries | Marketplace::YandexMarket => "",
        },
    })
}

/// The computation in sentences.
fn steps(chat: &Chat, computed: Option<&Computed<'_>>, now: DateTime<Utc>) -> Vec<String> {
    let Some(computed) = computed else {
        return vec![match chat.status {
            ChatStatus::Closed => "Чат закрыт: ответа никто не ждёт.".to_owned(),
            ChatStatus::Open | ChatStatus::Waiting => {
                "На последнее сообщение покупателя ответ доставлен: срок не идёт.".to_owned()
            }
        }];
    };
    let zone = computed
        .hours
        .as_ref()
        .map_or(Tz::UTC, |(hours, _)| hours.hours.zone());
    let shown = &computed.obligation;
    let mut steps = vec![format!(
        "Первое сообщение без ответа пришло {}: с него идёт срок.",
        at(shown.started_at, zone)
    )];
    steps.push(by_which_rule(computed));
    steps.extend(by_which_hours(computed, zone));
    steps.push(format!("Ответить нужно до {}.", at(shown.due_at, zone)));
    if let Some(closes_at) = chat.window_closes_at {
        steps.push(format!(
            "Площадка принимает ответ до {}: это время идёт без перерывов от последнего сообщения \
             покупателя.",
            at(closes_at, zone)
        ));
    }
    if let Some(until) = chat.snoozed_until {
        steps.push(format!(
            "Чат отложен до {}; срок при этом идёт.",
            at(until, zone)
        ));
    }
    if let Some(nearer) = chat.nearer() {
        let which = match nearer.clock {
            DeadlineClock::Obligation => "срок ответа",
            DeadlineClock::Window => "окно площадки",
        };
        let left = deadline(&nearer, now).at - now;
        steps.push(if left > TimeDelta::zero() {
            format!("Ближе {which}: осталось {}.", span(left))
        } else {
            format!("Ближе {which}: опоздание {}.", span(-left))
        });
    }
    steps
}

fn by_which_rule(computed: &Computed<'_>) -> String {
    match computed.rule {
        Some(rule) => format!(
            "Действует правило «{}»: ответить за {}.",
            rule.name,
            span(TimeDelta::seconds(rule.answer_within_s.into()))
        ),
        None => "Ни одно правило не подходит: по умолчанию ответить за 24 ч.".to_owned(),
    }
}

fn by_which_hours(computed: &Computed<'_>, zone: Tz) -> Vec<String> {
    let Some((hours, walk)) = &computed.hours else {
        return vec![if computed.never_opens {
            "В часы работы этого правила никто не работает: считается всё время подряд.".to_owned()
        } else {
            "Считается всё время подряд.".to_owned()
        }];
    };
    let mut words = format!("Считаются часы работы «{}» ({}): ", hours.name, zone.name());
    for (position, stretch) in walk.stretches.iter().enumerate() {
        if position > 0 {
            words.push_str("; ");
        }
        let (from, to) = (at(stretch.from, zone), at(stretch.to, zone));
        // Writing into a String never fails.
        write!(words, "{from} – {to} ({})", span(stretch.to - stretch.from)).ok();
    }
    words.push('.');
    vec![words]
}

fn at(time: DateTime<Utc>, zone: Tz) -> String {
    const DAYS: [&str; 7] = ["пн", "вт", "ср", "чт", "пт", "сб", "вс"];
    let local = time.with_timezone(&zone);
    let day = chrono::Datelike::weekday(&local).num_days_from_monday();
    let day = DAYS.get(day as usize).copied().unwrap_or_default();
    format!("{day} {}", local.format("%d.%m.%Y %H:%M %Z"))
}

fn span(span: TimeDelta) -> String {
    let minutes = span.num_minutes();
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let parts = [(days, "д"), (hours, "ч"), (minutes, "мин")];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    if parts.is_empty() {
        "меньше минуты".to_owned()
    } else {
        parts.join(" ")
    }
}
