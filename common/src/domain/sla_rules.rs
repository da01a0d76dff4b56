//! Which of a tenant's rules says within what time a buyer is answered.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::keywords::has_keyword;
use crate::channel::Marketplace;
use crate::ids::{BusinessHoursId, SellerId, SlaRuleId};
use crate::words::words;

/// Within what time the buyers it matches are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlaRule {
    pub id: SlaRuleId,
    pub name: String,
    /// The highest counts.
    pub priority: i32,
    pub is_active: bool,
    pub conditions: Conditions,
    /// In seconds of its business hours.
    pub answer_within_s: u32,
    /// The last so many seconds of it are at risk; none: its last quarter.
    pub at_risk_s: Option<u32>,
    /// None: the wall clock.
    pub business_hours: Option<BusinessHoursId>,
    /// Why the rule stands: a document, or the tenant's own wish.
    pub source: String,
}

/// What a rule asks of a chat: all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    pub marketplace: Option<Marketplace>,
    pub seller: Option<SellerId>,
    pub intent: Option<String>,
    /// A word or phrase of an unanswered message, as `keywords` reads it.
    pub keyword: Option<String>,
    pub chat_type: Option<String>,
    /// Whether a rule without any of the above is meant for every chat.
    pub matches_everything: bool,
}

/// What is known of a chat that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub marketplace: Marketplace,
    pub seller: SellerId,
    pub chat_type: Option<&'a str>,
    pub intent: Option<&'a str>,
    /// The buyer's messages without an answer.
    pub texts: &'a [&'a str],
}

words! {
    /// Whether a rule matches a chat, or the first reason why not.
    Judgement {
        Matches = "matches",
        Inactive = "inactive",
        /// It asks for nothing and does not say that it means every chat.
        NoConditions = "no_conditions",
        WrongMarketplace = "wrong_marketplace",
        WrongSeller = "wrong_seller",
        WrongChatType = "wrong_chat_type",
        WrongIntent = "wrong_intent",
        NoKeyword = "no_keyword",
    }
}

/// The rule that counts: of those that match the one of the highest priority; of equals the more
/// specific, then the one with the lowest id.
pub fn pick<'a>(rules: &'a [SlaRule], facts: &Facts<'_>) -> Option<&'a SlaRule> {
    rules
        .iter()
        .filter(|rule| judge(rule, facts) == Judgement::Matches)
        .max_by_key(|rule| {
            (
                rule.priority,
                rule.conditions.specificity(),
                Reverse(rule.id),
            )
        })
}

/// Why a rule does or does not match.
pub fn judge(rule: &SlaRule, facts: &Facts<'_>) -> Judgement {
    let wanted = &rule.conditions;
    if !rule.is_active {
        return Judgement::Inactive;
    }
    if wanted.specificity() == 0 && !wanted.matches_everything {
        return Judgement::NoConditions;
    }
    let has_keyword = |keyword: &String| facts.texts.iter().any(|text| has_keyword(text, keyword));
    let is_known = |wanted: &Option<String>, known: Option<&str>| {
        wanted.is_none() || wanted.as_deref() == known
    };
    if wanted
        .marketplace
        .is_some_and(|wanted| wanted != facts.marketplace)
    {
        Judgement::WrongMarketplace
    } else if wanted.seller.is_some_and(|wanted| wanted != facts.seller) {
        Judgement::WrongSeller
    } else if !is_known(&wanted.chat_type, facts.chat_type) {
        Judgement::WrongChatType
    } else if !is_known(&wanted.intent, facts.intent) {
        Judgement::WrongIntent
    } else if !wanted.keyword.as_ref().is_none_or(has_keyword) {
        Judgement::NoKeyword
    } else {
        Judgement::Matches
    }
}

impl Conditions {
    /// How many conditions it has. A shop says its marketplace too and counts as both.
    fn specificity(&self) -> usize {
        let place = match (self.seller, self.marketplace) {
            (Some(_), _) => 2,
            (None, Some(_)) => 1,
            (None, None) => 0,
        };
        let others = [&self.intent, &self.keyword, &self.chat_type];
        place + others.iter().filter(|wanted| wanted.is_some()).count()
    }
}
