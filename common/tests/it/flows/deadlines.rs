//! Deadlines by the tenant's rules: warned once, breached once, ended by an answer, brought back by a
//! failed send.

use std::time::Duration;

use chrono::{DateTime, Datelike, TimeDelta, TimeZone, Utc};
use chrono_tz::Europe::Moscow;
use common::channel::Marketplace;
use common::db::business_hours::{self, HoursTerms, StoredHours};
use common::db::chats::{self, Chat};
use common::db::sellers::Seller;
use common::db::sla_rules::{self, RuleTerms, SlaRuleRow};
use common::domain::deadlines::{ChatStatus, DeadlineClock, NEVER};
use common::flows::watch_chat::{ALARM_CLAIM, watch_chat};
use common::ids::ChatId;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::world::World;

const HOUR: Duration = Duration::from_secs(3600);

impl World {
    /// Looks at every chat whose alarm rings; how many there were.
    async fn watch(&self) -> usize {
        let mut rung = 0;
        for marketplace in Marketplace::ALL {
            let now = self.now();
            let mut conn = self.conn().await;
            let claimed = chats::claim_alarms_across_tenants(
                &mut conn,
                marketplace,
                now,
                now + ALARM_CLAIM,
                100,
            )
            .await
            .unwrap();
            drop(conn);
            rung += claimed.len();
            for chat in claimed {
                watch_chat(&self.ctx, &chat).await.unwrap();
            }
        }
        rung
    }

    async fn rule(&self, change: impl FnOnce(&mut RuleTerms)) -> SlaRuleRow {
        let mut terms = RuleTerms {
            name: "Все".to_owned(),
            priority: 0,
            is_active: true,
            marketplace: None,
            seller_id: None,
            intent: None,
            keyword: None,
            chat_type: None,
            matches_everything: true,
            answer_within_s: 3600,
            at_risk_s: None,
            business_hours_id: None,
            source: "ours".to_owned(),
            updated_at: self.now(),
        };
        change(&mut terms);
        let mut conn = self.conn().await;
        sla_rules::insert(&mut conn, self.tenant, &terms)
            .await
            .unwrap()
    }

    async fn obligations(&self, chat: ChatId) -> Vec<Noted> {
        diesel::sql_query(
            "SELECT started_at, due_at, warned_at, breached_at, breach_cause, end_cause \
             FROM obligations WHERE tenant_id = $1 AND chat_id = $2 ORDER BY started_at",
        )
        .bind::<diesel::sql_types::Uuid, _>(self.tenant)
        .bind::<BigInt, _>(chat)
        .load(&mut *self.conn().await)
        .await
        .unwrap()
    }

    /// A shop with one open chat.
    async fn asked(&self, marketplace: Marketplace, text: &str) -> (Seller, Chat) {
        let seller = self.connect(marketplace).await;
        let external = self.buyer_writes(marketplace, None, text);
        self.sync(&seller).await.unwrap();
        let chat = self.chat(&seller, &external).await.unwrap();
        (seller, chat)
    }

    async fn again(&self, seller: &Seller, chat: &Chat) -> Chat {
        self.chat(seller, &chat.external_id).await.unwrap()
    }
}

#[derive(Debug, QueryableByName)]
struct Noted {
    #[diesel(sql_type = Timestamptz)]
    started_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    due_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    warned_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    breached_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    breach_cause: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    end_cause: Option<String>,
}

#[tokio::test]
async fn an_hour_from_friday_evening_ends_on_monday_while_the_window_runs_on() {
    let world = World::start().await;
    // The next Friday, 16:30 in Moscow.
    let now = world.now().with_timezone(&Moscow);
    let days = (4 + 7 - i64::from(now.weekday().num_days_from_monday())) % 7 + 7;
    let friday = now.date_naive() + TimeDelta::days(days);
    let friday = Moscow
        .from_local_datetime(&friday.and_hms_opt(16, 30, 0).unwrap())
        .unwrap();
    world.pass((friday.to_utc() - world.now()).to_std().unwrap());
    let week = serde_json::json!({"zone": "Europe/Moscow", "week": {
        "mon": [{"from": "09:00", "to": "17:00"}], "tue": [{"from": "09:00", "to": "17:00"}],
        "wed": [{"from": "09:00", "to": "17:00"}], "thu": [{"from": "09:00", "to": "17:00"}],
        "fri": [{"from": "09:00", "to": "17:00"}]}});
    let terms = HoursTerms {
        name: "Офис".to_owned(),
        spec: StoredHours(serde_json::from_value(week).unwrap()),
        updated_at: world.now(),
    };
    let mut conn = world.conn().await;
    let hours = business_hours::insert(&mut conn, world.tenant, &terms)
        .await
        .unwrap();
    drop(conn);
    world
        .rule(|rule| rule.business_hours_id = Some(hours.id))
        .await;
    let (_, chat) = world.asked(Marketplace::Ozon, "Где заказ?").await;
    let since = chat.owed_since.unwrap();
    let monday = friday.date_naive() + TimeDelta::days(3);
    let monday = Moscow
        .from_local_datetime(&monday.and_hms_opt(9, 30, 0).unwrap())
        .unwrap();
    let due = chat.obligation().unwrap().due_at;
    // The buyer wrote a moment after half past four.
    assert_eq!(due - monday.to_utc(), since - friday.to_utc());
    assert_eq!(chat.window_closes_at, Some(since + TimeDelta::hours(48)));
    // Sunday afternoon comes before Monday morning.
    assert_eq!(chat.nearer().unwrap().clock, DeadlineClock::Window);
    assert_eq!(chat.queue_at, since + TimeDelta::hours(48));
}

#[tokio::test]
async fn a_deadline_warns_once_and_is_breached_once() {
    let world = World::start().await;
    world.rule(|_| {}).await;
    let (seller, chat) = world
        .asked(Marketplace::Wildberries, "Есть ли размер?")
        .await;
    let obligation = chat.obligation().unwrap().clone();
    assert_eq!(
        obligation.due_at,
        obligation.started_at + TimeDelta::hours(1)
    );
    assert_eq!(world.watch().await, 0);
    world.pass(Duration::from_secs(46 * 60));
    assert_eq!((world.watch().await, world.watch().await), (1, 0));
    let [warned] = &world.obligations(chat.id).await[..] else {
        panic!("one obligation");
    };
    assert!(warned.warned_at.is_some() && warned.breached_at.is_none());
    world.pass(Duration::from_secs(20 * 60));
    assert_eq!((world.watch().await, world.watch().await), (1, 0));
    world.pass(HOUR * 24);
    assert_eq!(world.watch().await, 0);
    let [breached] = &world.obligations(chat.id).await[..] else {
        panic!("one obligation");
    };
    assert_eq!(breached.warned_at, warned.warned_at);
    assert_eq!(breached.breach_cause.as_deref(), Some("no_answer"));
    assert_eq!(breached.due_at, obligation.due_at);
    let late = world.again(&seller, &chat).await;
    assert_eq!(late.queue_at, obligation.due_at);
    assert_eq!(late.at_risk_at, None, "it is no longer counted as at risk");
}

#[tokio::test]
async fn whoever_dies_before_telling_is_taken_over() {
    let world = World::start().await;
    world.rule(|_| {}).await;
    let (seller, chat) = world
        .asked(Marketplace::Wildberries, "Есть ли размер?")
        .await;
    world.pass(Duration::from_secs(46 * 60));
    // A worker notes the warning and dies before it tells anybody: what it leaves behind.
    world.watch().await;
    let noted = world.again(&seller, &chat).await;
    let now = world.now();
    diesel::sql_query(
        "UPDATE chats SET alarm_at = $2, obligation = obligation || '{\"untold\": true}' \
         WHERE tenant_id = $1",
    )
    .bind::<diesel::sql_types::Uuid, _>(world.tenant)
    .bind::<Timestamptz, _>(now)
    .execute(&mut *world.conn().await)
    .await
    .unwrap();
    assert_eq!((world.watch().await, world.watch().await), (1, 0));
    let told = world.again(&seller, &chat).await;
    assert!(!told.obligation().unwrap().untold);
    assert_eq!(told.alarm_at, noted.alarm_at);
}

#[tokio::test]
async fn an_answer_ends_the_obligation_and_a_new_message_begins_another() {
    let world = World::start().await;
    world.rule(|_| {}).await;
    let (seller, chat) = world.asked(Marketplace::YandexMarket, "Где заказ?").await;
    world.pass(Duration::from_secs(600));
    world.reply(&chat, "Уже едет").await;
    world.deliver(chat.id).await;
    let answered = world.again(&seller, &chat).await;
    assert_eq!(answered.status, ChatStatus::Waiting);
    assert_eq!((answered.queue_at, answered.alarm_at), (NEVER, None));
    world.pass(HOUR * 2);
    world.buyer_writes(Marketplace::YandexMarket, Some(&chat.external_id), "И где?");
    world.sync(&seller).await.unwrap();
    let noted = world.obligations(chat.id).await;
    assert_eq!(noted.len(), 2);
    assert_eq!(noted[0].end_cause.as_deref(), Some("answered"));
    assert!(noted[0].breached_at.is_none() && noted[1].end_cause.is_none());
    assert!(noted[1].started_at > noted[0].started_at);
}

#[tokio::test]
async fn a_failed_send_leaves_the_obligation_as_it_was() {
    let world = World::start().await;
    world.rule(|_| {}).await;
    let (seller, chat) = world.asked(Marketplace::Ozon, "Где заказ?").await;
    world.reply(&chat, "Уже едет").await;
    let fault = serde_json::json!({
        "target": "ozon:/v1/chat/send/message", "kind": "status", "value": 400, "times": 1,
    });
    let fault = serde_json::from_value(fault).unwrap();
    world.sandbox.fault(fault).unwrap();
    world.deliver(chat.id).await;
    let after = world.again(&seller, &chat).await;
    assert_eq!(after.status, ChatStatus::Open);
    assert_eq!(after.obligation(), chat.obligation());
    world.pass(HOUR * 2);
    // Ozon's list is read once more before a breach is declared.
    world.watch().await;
    world.sync(&seller).await.unwrap();
    world.pass(Duration::from_secs(3));
    world.watch().await;
    let [noted] = &world.obligations(chat.id).await[..] else {
        panic!("one obligation");
    };
    assert_eq!(noted.breach_cause.as_deref(), Some("send_failed"));
}

#[tokio::test]
async fn an_answer_in_the_cabinet_is_found_before_a_breach_is_declared() {
    let world = World::start().await;
    world.rule(|_| {}).await;
    let (seller, chat) = world.asked(Marketplace::Ozon, "Где заказ?").await;
    world.pass(Duration::from_secs(59 * 60));
    world.sync(&seller).await.unwrap();
    world.somebody_answers_in_the_cabinet(Marketplace::Ozon, &chat.external_id, "Едет");
    world.pass(Duration::from_secs(90));
    assert_eq!(world.watch().await, 1);
    world.sync(&seller).await.unwrap();
    world.pass(Duration::from_secs(3));
    world.watch().await;
    let [noted] = &world.obligations(chat.id).await[..] else {
        panic!("one obligation");
    };
    assert_eq!(noted.end_cause.as_deref(), Some("answered"));
    assert!(noted.breached_at.is_none());
}

#[tokio::test]
async fn a_changed_rule_moves_the_deadlines_of_open_chats() {
    let world = World::start().await;
    let (seller, chat) = world
        .asked(Marketplace::Ozon, "Хочу оформить возврат")
        .await;
    assert_eq!(chat.obligation().unwrap().rule_id, None);
    let rule = world
        .rule(|rule| {
            rule.matches_everything = false;
            rule.keyword = Some("возврат*".to_owned());
            rule.answer_within_s = 7200;
        })
        .await;
    let now = world.now();
    chats::ring_all(&mut *world.conn().await, world.tenant, now)
        .await
        .unwrap();
    world.watch().await;
    let moved = world.again(&seller, &chat).await;
    let obligation = moved.obligation().unwrap();
    assert_eq!(obligation.rule_id, Some(rule.id));
    assert_eq!(
        obligation.due_at,
        obligation.started_at + TimeDelta::hours(2)
    );
    assert_eq!(moved.queue_at, obligation.due_at);
    assert_eq!(world.obligations(chat.id).await.len(), 1);
}

#[tokio::test]
async fn a_rule_may_ask_for_the_kind_of_chat() {
    let world = World::start().await;
    let rule = world
        .rule(|rule| {
            rule.matches_everything = false;
            rule.chat_type = Some("buyer_seller".to_owned());
        })
        .await;
    let (seller, chat) = world.asked(Marketplace::Ozon, "Где заказ?").await;
    world.watch().await;
    let chat = world.again(&seller, &chat).await;
    assert_eq!(chat.obligation().unwrap().rule_id, Some(rule.id));
}
