//! Conditions that diesel's language lacks: fixed texts and bind parameters. Unlike with `sql`, the
//! statements they are part of are prepared once.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate,
};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid};

use crate::ids::TenantId;

/// A condition in SQL.
#[derive(Clone, Debug)]
pub(super) struct Condition(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Sql(&'static str),
    Time(Option<DateTime<Utc>>),
    Id(i64),
    Tenant(TenantId),
    Words(String),
    Flag(bool),
}

impl Condition {
    pub(super) fn new(sql: &'static str) -> Self {
        Self(vec![Part::Sql(sql)])
    }

    pub(super) fn sql(self, sql: &'static str) -> Self {
        self.and(Part::Sql(sql))
    }

    pub(super) fn time(self, time: impl Into<Option<DateTime<Utc>>>) -> Self {
        self.and(Part::Time(time.into()))
    }

    pub(super) fn id(self, id: i64) -> Self {
        self.and(Part::Id(id))
    }

    pub(super) fn tenant(self, tenant: TenantId) -> Self {
        self.and(Part::Tenant(tenant))
    }

    pub(super) fn words(self, words: impl Into<String>) -> Self {
        self.and(Part::Words(words.into()))
    }

    pub(super) fn flag(self, flag: bool) -> Self {
        self.and(Part::Flag(flag))
    }

    fn and(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }
}

impl QueryFragment<Pg> for Condition {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for part in &self.0 {
            match part {
                Part::Sql(sql) => out.push_sql(sql),
                Part::Time(time) => out.push_bind_param::<Nullable<Timestamptz>, _>(time)?,
                Part::Id(id) => out.push_bind_param::<BigInt, _>(id)?,
                Part::Tenant(tenant) => out.push_bind_param::<Uuid, _>(tenant)?,
                Part::Words(words) => out.push_bind_param::<Text, _>(words)?,
                Part::Flag(flag) => out.push_bind_param::<Bool, _>(flag)?,
            }
        }
        Ok(())
    }
}

/// Told apart by its text.
impl QueryId for Condition {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Expression for Condition {
    type SqlType = Bool;
}

impl<GroupBy> ValidGrouping<GroupBy> for Condition {
    type IsAggregate = is_aggregate::Never;
}

impl<Source> SelectableExpression<Source> for Condition {}

impl<Source> AppearsOnTable<Source> for Condition {}
