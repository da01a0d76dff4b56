//! What a rule may say.

use chrono::{DateTime, Utc};
use common::channel::Marketplace;
use common::db::sla_rules::{RuleTerms, SlaRuleRow};
use common::db::{business_hours, sellers};
use common::domain::keywords::is_keyword;
use common::domain::prompt::INTENTS;
use common::ids::{BusinessHoursId, SellerId, TenantId};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::http::{ApiError, ApiResult, Problems, Validate};

/// The longest time to answer: 30 days.
const LONGEST_S: i32 = 30 * 24 * 60 * 60;

/// A rule to be kept.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleBody {
    /// 1 to 100 characters, each name once.
    name: String,
    /// The highest that matches counts, -1000 to 1000; 0 if not given.
    #[serde(default)]
    priority: i32,
    /// `true` if not given.
    #[serde(default = "yes")]
    is_active: bool,
    /// Only chats of this marketplace.
    #[serde(default)]
    marketplace: Option<Marketplace>,
    /// Only chats of this shop.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    seller_id: Option<SellerId>,
    /// Only chats whose newest draft says that the buyer wants this.
    #[serde(default)]
    intent: Option<String>,
    /// Only chats in which the buyer wrote this word or phrase and was not answered; `*` behind a
    /// word makes it a stem (`возврат*`). 1 to 100 characters.
    #[serde(default)]
    keyword: Option<String>,
    /// Only chats of this kind: Ozon `buyer_seller`, `buyer_seller_select`; Yandex Market `order`,
    /// `return`, `direct`, `arbitrage`.
    #[serde(default)]
    chat_type: Option<String>,
    /// A rule without conditions matches every chat only with `true` here, else none.
    #[serde(default)]
    matches_everything: bool,
    /// In seconds, 60 to 2592000.
    answer_within_s: i32,
    /// The last so many seconds are at risk, fewer than `answer_within_s`; null: the last quarter.
    #[serde(default)]
    at_risk_s: Option<i32>,
    /// The hours to count by; null: the wall clock.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    business_hours_id: Option<BusinessHoursId>,
    /// Why this rule stands, up to 500 characters.
    #[serde(default = "ours")]
    source: String,
}

fn yes() -> bool {
    true
}

fn ours() -> String {
    "ours".to_owned()
}

impl Validate for RuleBody {
    fn validate(&self, problems: &mut Problems) {
        let chars = |text: &str| text.trim().chars().count();
        let is_named = (1..=100).contains(&chars(&self.name));
        problems.require(is_named, "name", "must be 1 to 100 characters");
        let is_decent = (-1000..=1000).contains(&self.priority);
        problems.require(is_decent, "priority", "must be -1000 to 1000");
        let is_decent = (60..=LONGEST_S).contains(&self.answer_within_s);
        problems.require(
            is_decent,
            "answer_within_s",
            "must be 60 to 2592000 seconds",
        );
        if let Some(seconds) = self.at_risk_s {
            let is_decent = (1..self.answer_within_s).contains(&seconds);
            let message = "must be at least 1 and less than answer_within_s";
            problems.require(is_decent, "at_risk_s", message);
        }
        if let Some(intent) = &self.intent {
            let message = format!("must be one of {}", INTENTS.join(", "));
            problems.require(INTENTS.contains(&intent.as_str()), "intent", &message);
        }
        if let Some(keyword) = &self.keyword {
            let is_decent = is_keyword(keyword) && chars(keyword) <= 100;
            problems.require(
                is_decent,
                "keyword",
                "must hold a word and at most 100 characters",
            );
        }
        if let Some(kind) = &self.chat_type {
            let is_decent = (1..=64).contains(&chars(kind));
            problems.require(is_decent, "chat_type", "must be 1 to 64 characters");
        }
        let is_decent = chars(&self.source) <= 500;
        problems.require(is_decent, "source", "must be at most 500 characters");
    }
}

impl RuleBody {
    /// The body that makes a stored rule.
    pub(super) fn of(row: &SlaRuleRow) -> Self {
        let terms = row.terms.clone();
        Self {
            name: terms.name,
            priority: terms.priority,
            is_active: terms.is_active,
            marketplace: terms.marketplace,
            seller_id: terms.seller_id,
            intent: terms.intent,
            keyword: terms.keyword,
            chat_type: terms.chat_type,
            matches_everything: terms.matches_everything,
            answer_within_s: terms.answer_within_s,
            at_risk_s: terms.at_risk_s,
            business_hours_id: terms.business_hours_id,
            source: terms.source,
        }
    }

    pub(super) fn terms(&self, now: DateTime<Utc>) -> RuleTerms {
        RuleTerms {
            name: self.name.trim().to_owned(),
            priority: self.priority,
            is_active: self.is_active,
            marketplace: self.marketplace,
            seller_id: self.seller_id,
            intent: self.intent.clone(),
            keyword: self.keyword.clone(),
            chat_type: self
                .chat_type
                .as_ref()
                .map(|kind| kind.trim().to_lowercase()),
            matches_everything: self.matches_everything,
            answer_within_s: self.answer_within_s,
            at_risk_s: self.at_risk_s,
            business_hours_id: self.business_hours_id,
            source: self.source.trim().to_owned(),
            updated_at: now,
        }
    }

    pub(super) fn json(&self) -> Value {
        json!(self)
    }

    /// Whether the shop and the hours are the tenant's.
    pub(super) async fn check_references(
        &self,
        conn: &mut AsyncPgConnection,
        tenant: TenantId,
    ) -> ApiResult<()> {
        if let Some(seller) = self.seller_id
            && sellers::find(conn, tenant, seller).await?.is_none()
        {
            return Err(ApiError::of_field("seller_id", "is no shop of yours"));
        }
        if let Some(hours) = self.business_hours_id
            && business_hours::find(conn, tenant, hours).await?.is_none()
        {
            return Err(ApiError::of_field(
                "business_hours_id",
                "are no hours of yours",
            ));
        }
        Ok(())
    }
}
