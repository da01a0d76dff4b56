//! Until when a chat wants to be answered, by the tenant's rules and hours.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::db::business_hours;
use crate::db::chats::Chat;
use crate::db::messages;
use crate::db::sla_rules;
use crate::domain::business_hours::{BusinessHours, Walk};
use crate::domain::deadlines::Obligation;
use crate::domain::sla_rules::{Facts, Judgement, SlaRule, judge, pick};
use crate::ids::{BusinessHoursId, TenantId};

/// A tenant's rules, with the hours they count by.
#[derive(Debug, Default)]
pub struct Rules {
    pub rules: Vec<SlaRule>,
    hours: BTreeMap<BusinessHoursId, Hours>,
}

/// Hours and their name.
#[derive(Clone, Debug)]
pub struct Hours {
    pub id: BusinessHoursId,
    pub name: String,
    pub hours: BusinessHours,
}

/// How an obligation came about.
#[derive(Debug)]
pub struct Computed<'a> {
    pub obligation: Obligation,
    /// None: the default.
    pub rule: Option<&'a SlaRule>,
    /// The hours that were counted; none: the wall clock.
    pub hours: Option<(&'a Hours, Walk)>,
    /// The rule's hours do not open for so long that the wall clock counts instead.
    pub never_opens: bool,
}

impl Rules {
    /// Reads the tenant's rules and hours.
    pub async fn load(conn: &mut AsyncPgConnection, tenant: TenantId) -> QueryResult<Self> {
        let rows = sla_rules::all(conn, tenant).await?;
        let rules: Vec<SlaRule> = rows.iter().map(sla_rules::SlaRuleRow::rule).collect();
        Self::with(conn, tenant, rules).await
    }

    /// The given rules, with the tenant's hours.
    pub async fn with(
        conn: &mut AsyncPgConnection,
        tenant: TenantId,
        rules: Vec<SlaRule>,
    ) -> QueryResult<Self> {
        let mut hours = BTreeMap::new();
        for id in rules.iter().filter_map(|rule| rule.business_hours) {
            if hours.contains_key(&id) {
                continue;
            }
            let Some(row) = business_hours::find(conn, tenant, id).await? else {
                continue;
            };
            // What is stored was checked when it came in.
            if let Ok(read) = BusinessHours::try_from(row.spec.0) {
                let name = row.name;
                hours.insert(
                    id,
                    Hours {
                        id,
                        name,
                        hours: read,
                    },
                );
            }
        }
        Ok(Self { rules, hours })
    }

    /// Whether some rule asks what buyers wrote.
    fn asks_for_words(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.is_active && rule.conditions.keyword.is_some())
    }

    /// The obligation of a chat in which an answer is owed since `since`.
    pub async fn oblige(
        &self,
        conn: &mut AsyncPgConnection,
        chat: &Chat,
        since: DateTime<Utc>,
    ) -> QueryResult<Computed<'_>> {
        let texts = self.texts(conn, chat).await?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        Ok(match pick(&self.rules, &facts(chat, &texts)) {
            Some(rule) => self.by_rule(rule, since),
            None => Computed {
                obligation: Obligation::by_default(since),
                rule: None,
                hours: None,
                never_opens: false,
            },
        })
    }

    /// Why each rule does or does not match a chat.
    pub async fn judge_all(
        &self,
        conn: &mut AsyncPgConnection,
        chat: &Chat,
    ) -> QueryResult<Vec<(&SlaRule, Judgement)>> {
        let texts = self.texts(conn, chat).await?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let facts = facts(chat, &texts);
        let judged = self.rules.iter().map(|rule| (rule, judge(rule, &facts)));
        Ok(judged.collect())
    }

    async fn texts(&self, conn: &mut AsyncPgConnection, chat: &Chat) -> QueryResult<Vec<String>> {
        if !self.asks_for_words() {
            return Ok(Vec::new());
        }
        messages::unanswered_texts(conn, chat.tenant_id, chat.id).await
    }

    fn by_rule<'a>(&'a self, rule: &'a SlaRule, since: DateTime<Utc>) -> Computed<'a> {
        let span = TimeDelta::seconds(rule.answer_within_s.into());
        let before_risk = match rule.at_risk_s {
            Some(seconds) => (span - TimeDelta::seconds(seconds.into())).max(TimeDelta::zero()),
            None => span - span / 4,
        };
        let hours = rule.business_hours.and_then(|id| self.hours.get(&id));
        let counted = hours.and_then(|hours| {
            let walk = hours.hours.walk(since, span)?;
            let at_risk_at = hours.hours.add(since, before_risk)?;
            Some((hours, walk, at_risk_at))
        });
        let never_opens = hours.is_some() && counted.is_none();
        let (due_at, at_risk_at) = match &counted {
            Some((_, walk, at_risk_at)) => (walk.due, *at_risk_at),
            None => (since + span, since + before_risk),
        };
        Computed {
            obligation: Obligation {
                due_at,
                at_risk_at: Some(at_risk_at),
                rule_id: Some(rule.id),
                rule_name: Some(rule.name.clone()),
                ..Obligation::by_default(since)
            },
            rule: Some(rule),
            hours: counted.map(|(hours, walk, _)| (hours, walk)),
            never_opens,
        }
    }
}

fn facts<'a>(chat: &'a Chat, texts: &'a [&'a str]) -> Facts<'a> {
    Facts {
        marketplace: chat.channel,
        seller: chat.seller_id,
        chat_type: chat.context.0.chat_type.as_deref(),
        intent: chat.suggestion().and_then(|it| it.intent.as_deref()),
        texts,
    }
}
