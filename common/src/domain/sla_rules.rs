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

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts<'static> = Facts {
        marketplace: Marketplace::Ozon,
        seller: SellerId(7),
        chat_type: Some("buyer_seller"),
        intent: Some("return"),
        texts: &["Здравствуйте", "Хочу оформить возврат"],
    };

    fn rule(id: i64, priority: i32, conditions: Conditions) -> SlaRule {
        SlaRule {
            id: SlaRuleId(id),
            name: format!("rule {id}"),
            priority,
            is_active: true,
            conditions,
            answer_within_s: 3600,
            at_risk_s: None,
            business_hours: None,
            source: "ours".to_owned(),
        }
    }

    fn everything() -> Conditions {
        Conditions {
            matches_everything: true,
            ..Conditions::default()
        }
    }

    fn ozon() -> Conditions {
        Conditions {
            marketplace: Some(Marketplace::Ozon),
            ..Conditions::default()
        }
    }

    fn seller(id: i64) -> Conditions {
        Conditions {
            seller: Some(SellerId(id)),
            ..Conditions::default()
        }
    }

    fn intent(intent: &str) -> Conditions {
        Conditions {
            intent: Some(intent.to_owned()),
            ..Conditions::default()
        }
    }

    fn keyword(keyword: &str) -> Conditions {
        Conditions {
            keyword: Some(keyword.to_owned()),
            ..Conditions::default()
        }
    }

    fn chat_type(chat_type: &str) -> Conditions {
        Conditions {
            chat_type: Some(chat_type.to_owned()),
            ..Conditions::default()
        }
    }

    fn picked(rules: &[SlaRule]) -> Option<i64> {
        pick(rules, &FACTS).map(|rule| rule.id.0)
    }

    #[test]
    fn each_condition_is_judged() {
        let wildberries = Conditions {
            marketplace: Some(Marketplace::Wildberries),
            ..Conditions::default()
        };
        for (conditions, judgement) in [
            (Conditions::default(), Judgement::NoConditions),
            (everything(), Judgement::Matches),
            (ozon(), Judgement::Matches),
            (wildberries, Judgement::WrongMarketplace),
            (seller(7), Judgement::Matches),
            (seller(8), Judgement::WrongSeller),
            (intent("return"), Judgement::Matches),
            (intent("delivery"), Judgement::WrongIntent),
            (keyword("возврат*"), Judgement::Matches),
            (keyword("возвра"), Judgement::NoKeyword),
            (keyword("здравствуйте хочу"), Judgement::NoKeyword),
            (keyword(" "), Judgement::NoKeyword),
            (chat_type("buyer_seller"), Judgement::Matches),
            (chat_type("support"), Judgement::WrongChatType),
        ] {
            let rule = rule(1, 0, conditions);
            assert_eq!(judge(&rule, &FACTS), judgement, "{:?}", rule.conditions);
        }
    }

    #[test]
    fn all_conditions_must_hold() {
        let mut both = ozon();
        both.intent = Some("delivery".to_owned());
        both.matches_everything = true;
        assert_eq!(judge(&rule(1, 0, both), &FACTS), Judgement::WrongIntent);
    }

    #[test]
    fn what_is_unknown_matches_no_condition() {
        let unknown = Facts {
            chat_type: None,
            intent: None,
            texts: &[],
            ..FACTS
        };
        let judged = |conditions| judge(&rule(1, 0, conditions), &unknown);
        assert_eq!(judged(intent("return")), Judgement::WrongIntent);
        assert_eq!(judged(chat_type("buyer_seller")), Judgement::WrongChatType);
        assert_eq!(judged(keyword("возврат")), Judgement::NoKeyword);
        assert_eq!(judged(everything()), Judgement::Matches);
    }

    #[test]
    fn an_inactive_rule_counts_for_nothing() {
        let mut inactive = rule(1, 9, everything());
        inactive.is_active = false;
        assert_eq!(judge(&inactive, &FACTS), Judgement::Inactive);
        assert_eq!(picked(&[inactive, rule(2, 0, everything())]), Some(2));
    }

    #[test]
    fn the_highest_priority_counts_then_the_more_specific_then_the_oldest() {
        let both = Conditions {
            intent: Some("return".to_owned()),
            ..ozon()
        };
        for (rules, expected) in [
            (vec![], None),
            (vec![rule(1, 5, Conditions::default())], None),
            (
                vec![rule(1, 0, both.clone()), rule(2, 1, everything())],
                Some(2),
            ),
            (vec![rule(1, -1, ozon()), rule(2, -2, ozon())], Some(1)),
            (vec![rule(1, 0, everything()), rule(2, 0, ozon())], Some(2)),
            (vec![rule(1, 0, ozon()), rule(2, 0, both)], Some(2)),
            (vec![rule(1, 0, ozon()), rule(2, 0, seller(7))], Some(2)),
            (
                vec![rule(4, 0, ozon()), rule(3, 0, intent("return"))],
                Some(3),
            ),
            (
                vec![rule(3, 0, intent("return")), rule(4, 0, ozon())],
                Some(3),
            ),
            (
                vec![rule(1, 9, seller(8)), rule(2, 0, everything())],
                Some(2),
            ),
        ] {
            assert_eq!(picked(&rules), expected, "{rules:?}");
        }
    }
}
