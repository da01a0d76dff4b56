//! What a rule would change, before it is kept.

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::db::chats;
use common::db::sla_rules;
use common::domain::deadlines::Obligation;
use common::flows::obligations::Rules;
use common::ids::{ChatId, SlaRuleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::terms::RuleBody;
use crate::access::Admin;
use crate::http::{ApiResult, Json, Problems, Validate, codes};
use crate::openapi::examples;
use crate::state::AppState;

/// So many open chats are looked at, the most urgent first.
const CHATS: i64 = 500;

/// A change of the rules to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewBody {
    /// The rule that would be replaced; null: one more.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    id: Option<SlaRuleId>,
    /// The rule as it would be; null with an `id`: it would be deleted.
    #[serde(default)]
    rule: Option<RuleBody>,
}

impl Validate for PreviewBody {
    fn validate(&self, problems: &mut Problems) {
        match &self.rule {
            Some(rule) => rule.validate(problems),
            None => problems.require(self.id.is_some(), "rule", "is needed without an id"),
        }
    }
}

/// What would change.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// The chats whose obligation would be another one.
    changes: Vec<PreviewChange>,
    /// How many open chats were looked at, the most urgent first; at most 500.
    looked_at: usize,
    /// Whether there are more open chats than were looked at.
    has_more: bool,
}

/// One chat whose obligation would be another one.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewChange {
    #[schema(value_type = i64)]
    chat_id: ChatId,
    before: PreviewDeadline,
    after: PreviewDeadline,
}

/// When the answer is due.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewDeadline {
    at: DateTime<Utc>,
    /// The rule that says so; null: the default, or the new rule.
    #[schema(value_type = Option<i64>)]
    rule: Option<SlaRuleId>,
    rule_name: Option<String>,
}

impl From<&Obligation> for PreviewDeadline {
    fn from(obligation: &Obligation) -> Self {
        Self {
            at: obligation.due_at,
            rule: obligation.rule_id.filter(|id| *id != NEW),
            rule_name: obligation.rule_name.clone(),
        }
    }
}

/// The id of a rule that is not kept yet: behind all others.
const NEW: SlaRuleId = SlaRuleId(i64::MAX);

/// Shows which open chats a rule would change and how; nothing is kept.
#[utoipa::path(
    post, path = "/api/sla-rules/preview", tag = "rules", security(("bearer" = [])),
    request_body(content = PreviewBody, example = json!({"rule": examples::new_sla_rule()})),
    responses(
        (status = 200, description = "what would change", body = Preview, example = json!(examples::preview())),
        (status = 404, description = "`sla_rule_not_found`"),
    )
)]
pub async fn preview_sla_rule(
    State(state): State<AppState>,
    admin: Admin,
    Json(body): Json<PreviewBody>,
) -> ApiResult<Json<Preview>> {
    let (tenant, now) = (admin.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let rows = sla_rules::all(&mut conn, tenant).await?;
    if body
        .id
        .is_some_and(|id| rows.iter().all(|row| row.id != id))
    {
        return Err(codes::SLA_RULE_NOT_FOUND.into());
    }
    let kept = rows.iter().filter(|row| Some(row.id) != body.id);
    let mut rules: Vec<_> = kept.map(sla_rules::SlaRuleRow::rule).collect();
    if let Some(rule) = &body.rule {
        rule.check_references(&mut conn, tenant).await?;
        rules.push(rule.terms(now).rule(body.id.unwrap_or(NEW)));
    }
    let rules = Rules::with(&mut conn, tenant, rules).await?;
    let mut open = chats::owing(&mut conn, tenant, CHATS + 1).await?;
    let has_more = crate::paging::cut(&mut open, CHATS);
    let mut changes = Vec::new();
    for chat in &open {
        let Some((since, before)) = chat.owed_since.zip(chat.obligation()) else {
            continue;
        };
        let after = rules.oblige(&mut conn, chat, since).await?.obligation;
        if after.due_at != before.due_at || after.rule_id != before.rule_id {
            changes.push(PreviewChange {
                chat_id: chat.id,
                before: before.into(),
                after: (&after).into(),
            });
        }
    }
    Ok(Json(Preview {
        changes,
        looked_at: open.len(),
        has_more,
    }))
}
