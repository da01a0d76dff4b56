//! Table `sla_rules`: within which time which buyers are to be answered.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::sla_rules;
use crate::channel::Marketplace;
use crate::domain::sla_rules::{Conditions, SlaRule};
use crate::ids::{BusinessHoursId, SellerId, SlaRuleId, TenantId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = sla_rules)]
pub struct SlaRuleRow {
    pub tenant_id: TenantId,
    pub id: SlaRuleId,
    #[diesel(embed)]
    pub terms: RuleTerms,
    pub created_at: DateTime<Utc>,
}

/// What people say about a rule.
#[derive(Clone, Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = sla_rules, treat_none_as_null = true)]
pub struct RuleTerms {
    pub name: String,
    pub priority: i32,
    pub is_active: bool,
    pub marketplace: Option<Marketplace>,
    pub seller_id: Option<SellerId>,
    pub intent: Option<String>,
    pub keyword: Option<String>,
    pub chat_type: Option<String>,
    pub matches_everything: bool,
    pub answer_within_s: i32,
    pub at_risk_s: Option<i32>,
    pub business_hours_id: Option<BusinessHoursId>,
    pub source: String,
    pub updated_at: DateTime<Utc>,
}

impl SlaRuleRow {
    /// The rule as it is matched.
    pub fn rule(&self) -> SlaRule {
        self.terms.rule(self.id)
    }
}

impl RuleTerms {
    /// The rule that these terms make.
    pub fn rule(&self, id: SlaRuleId) -> SlaRule {
        let seconds = |seconds: i32| u32::try_from(seconds).unwrap_or(0);
        SlaRule {
            id,
            name: self.name.clone(),
            priority: self.priority,
            is_active: self.is_active,
            conditions: Conditions {
                marketplace: self.marketplace,
                seller: self.seller_id,
                intent: self.intent.clone(),
                keyword: self.keyword.clone(),
                chat_type: self.chat_type.clone(),
                matches_everything: self.matches_everything,
            },
            answer_within_s: seconds(self.answer_within_s),
            at_risk_s: self.at_risk_s.map(seconds),
            business_hours: self.business_hours_id,
            source: self.source.clone(),
        }
    }
}

/// Inserts a rule; fails if its name is taken.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    terms: &RuleTerms,
) -> QueryResult<SlaRuleRow> {
    diesel::insert_into(sla_rules::table)
        .values((
            sla_rules::tenant_id.eq(tenant),
            sla_rules::created_at.eq(terms.updated_at),
            terms,
        ))
        .returning(SlaRuleRow::as_returning())
        .get_result(conn)
        .await
}

/// One rule of the tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SlaRuleId,
) -> QueryResult<Option<SlaRuleRow>> {
    sla_rules::table
        .find((tenant, id))
        .select(SlaRuleRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// All rules of the tenant: few, as people write them.
pub async fn all(conn: &mut AsyncPgConnection, tenant: TenantId) -> QueryResult<Vec<SlaRuleRow>> {
    sla_rules::table
        .filter(sla_rules::tenant_id.eq(tenant))
        .order((sla_rules::priority.desc(), sla_rules::id))
        .select(SlaRuleRow::as_select())
        .load(conn)
        .await
}

/// Changes a rule; none if there is none with this id, an error if the name is taken.
pub async fn update(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SlaRuleId,
    terms: &RuleTerms,
) -> QueryResult<Option<SlaRuleRow>> {
    diesel::update(sla_rules::table.find((tenant, id)))
        .set(terms)
        .returning(SlaRuleRow::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Deletes a rule.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SlaRuleId,
) -> QueryResult<usize> {
    diesel::delete(sla_rules::table.find((tenant, id)))
        .execute(conn)
        .await
}
