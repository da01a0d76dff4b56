//! What the database reads for a page of the queue: as many rows as the page has, whatever the page.

use chrono::{DateTime, Utc};
use common::clock::Clock;
use common::db::chats::{self, Assignee, Chat, ChatCursor, ChatFilter, ChatSort};
use common::domain::deadlines::ChatStatus;
use common::ids::{SellerId, TenantId, UserId};
use diesel::QueryableByName;
use diesel::connection::InstrumentationEvent;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

use crate::database::fresh_database;

const LIMIT: i64 = 51;
/// The demo's tenant, which every migrated database has.
const TENANT: TenantId = TenantId(Uuid::from_u128(0x0198_a000_0000_7000_8000_0000_0000_0001));

/// 20,000 chats of twenty shops and twenty people at random places, a third of them open.
const CHATS: &str = "
    INSERT INTO users (tenant_id, public_id, username, password_hash, role, created_at)
        SELECT id, gen_random_uuid(), 'agent-' || n, 'none', 'agent', now()
        FROM tenants, generate_series(1, 20) n WHERE slug = 'demo';
    INSERT INTO sellers (tenant_id, public_id, name, marketplace, account_id, sealed_key,
            key_fingerprint, next_sync_at, probe_at, created_at, updated_at)
        SELECT id, gen_random_uuid(), 'Shop', 'ozon', n, 'none', 'none', now(), now(), now(), now()
        FROM tenants, generate_series(1, 20) n WHERE slug = 'demo';
    WITH drawn AS MATERIALIZED (
        SELECT n, random() < 0.3 AS is_open, now() + (random() - 0.1) * interval '5 days' AS due
        FROM generate_series(1, 20000) n)
    INSERT INTO chats (tenant_id, public_id, channel, seller_id, external_id, assigned_to, status,
            queue_at, context, last_message_preview, created_at, updated_at)
        SELECT seller.tenant_id, gen_random_uuid(), 'ozon', seller.id, 'chat-' || n, person.id,
            CASE WHEN is_open THEN 'open' ELSE 'waiting' END,
            CASE WHEN is_open THEN due ELSE '9999-12-31T00:00:00Z' END,
            jsonb_build_object('buyer_name', 'Buyer ' || n, 'order_id', '0137-' || n),
            repeat('Where is my order? ', 4), now(), now()
        FROM drawn JOIN sellers seller ON seller.account_id = (1 + n % 20)::text
            JOIN users person ON person.username = 'agent-' || (1 + n / 20 % 20);
    CREATE FUNCTION explain(statement text) RETURNS text LANGUAGE plpgsql AS $$
        DECLARE plan json;
        BEGIN
            EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || statement INTO plan;
            RETURN plan::text;
        END $$";

#[derive(QueryableByName)]
struct Plan {
    #[diesel(sql_type = Text)]
    plan: String,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// A database with many chats.
struct Desk {
    conn: AsyncPgConnection,
    /// What was sent last.
    sent: Arc<Mutex<String>>,
    prepared: usize,
}

impl Desk {
    async fn open() -> Self {
        let database = fresh_database().await;
        let mut conn = AsyncPgConnection::establish(database.expose_secret())
            .await
            .unwrap();
        conn.batch_execute(CHATS).await.unwrap();
        conn.batch_execute("VACUUM ANALYZE").await.unwrap();
        let sent = Arc::<Mutex<String>>::default();
        let seen = Arc::clone(&sent);
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                *seen.lock().unwrap() = query.to_string();
            }
        });
        Self {
            conn,
            sent,
            prepared: 0,
        }
    }

    async fn id(&mut self, sql: &str) -> i64 {
        let found: Id = diesel::sql_query(sql)
            .get_result(&mut self.conn)
            .await
            .unwrap();
        found.id
    }

    async fn list(&mut self, filter: &ChatFilter, behind: Option<ChatCursor>) -> Vec<Chat> {
        let (sort, now) = (ChatSort::Deadline, Clock::default().now());
        chats::list(&mut self.conn, TENANT, filter, sort, behind, LIMIT, now)
            .await
            .unwrap()
    }

    /// The cursor behind the chat at this place of the filtered queue.
    async fn cursor(&mut self, filter: &ChatFilter, place: usize) -> ChatCursor {
        let mut behind = None;
        for _ in 0..place / 50 {
            let page = self.list(filter, behind).await;
            behind = Some(ChatCursor::behind(&page[49], ChatSort::Deadline));
        }
        behind.unwrap()
    }

    /// How the database runs the product's own statement with these values.
    async fn plan(
        &mut self,
        filter: &ChatFilter,
        behind: Option<ChatCursor>,
        values: &[String],
    ) -> Value {
        self.list(filter, behind).await;
        let sent = self.sent.lock().unwrap().clone();
        let (statement, _binds) = sent.split_once(" -- binds").unwrap();
        self.prepared += 1;
        let name = format!("page_{}", self.prepared);
        let prepare = format!("PREPARE {name} AS {statement}");
        self.conn.batch_execute(&prepare).await.unwrap();
        let explain = format!("EXECUTE {name}({})", values.join(", ")).replace('\'', "''");
        let found: Plan = diesel::sql_query(format!("SELECT explain('{explain}') AS plan"))
            .get_result(&mut self.conn)
            .await
            .unwrap();
        let plan: Value = serde_json::from_str(&found.plan).unwrap();
        plan[0]["Plan"].clone()
    }
}

fn at(time: DateTime<Utc>) -> String {
    format!("'{}'", time.to_rfc3339())
}

/// One limit over one scan of this index, which reads no more rows than are shown.
fn assert_reads_a_page(name: &str, plan: &Value, index: &str) {
    assert_eq!(plan["Node Type"], "Limit", "{name}: {plan:#}");
    let scan = &plan["Plans"][0];
    assert_eq!(scan["Index Name"], index, "{name}: {plan:#}");
    assert_eq!(scan["Actual Rows"].as_f64(), Some(LIMIT as f64), "{name}");
    let removed = scan["Rows Removed by Filter"].as_i64().unwrap_or(0);
    assert_eq!(removed, 0, "{name}: {plan:#}");
    let buffers = |kind: &str| plan[kind].as_i64().unwrap();
    let buffers = buffers("Shared Hit Blocks") + buffers("Shared Read Blocks");
    // Each row may be on a page of its own; the rest is the way down the index.
    assert!(buffers <= LIMIT + 12, "{name}: {buffers} buffers");
}

#[tokio::test]
async fn a_page_of_the_queue_reads_only_its_own_rows() {
    let mut desk = Desk::open().await;
    let seller = SellerId(desk.id("SELECT min(id) AS id FROM sellers").await);
    let person = UserId(desk.id("SELECT min(id) AS id FROM users").await);
    let of_seller = ChatFilter {
        seller: Some(seller),
        ..ChatFilter::default()
    };
    let mine = ChatFilter {
        assignee: Some(Assignee::User(person)),
        ..ChatFilter::default()
    };
    let open = ChatFilter {
        status: Some(ChatStatus::Open),
        ..ChatFilter::default()
    };
    let lists = [
        ("all", ChatFilter::default(), None, "chats_queue"),
        (
            "by seller",
            of_seller,
            Some(seller.0),
            "chats_queue_of_seller",
        ),
        ("mine", mine, Some(person.0), "chats_queue_of_assignee"),
        ("open", open, None, "chats_open"),
    ];
    for (name, filter, narrowed, index) in lists {
        let mut values = vec![format!("'{TENANT}'")];
        values.extend(narrowed.map(|id| id.to_string()));
        // Among the chats that are owed an answer: of those behind, all at one time, the planner expects none.
        let place = if narrowed.is_some() { 200 } else { 4_000 };
        let cursor = desk.cursor(&filter, place).await;
        for (page, behind) in [("first", None), ("deep", Some(cursor))] {
            let mut values = values.clone();
            values.extend(behind.map(|it| at(it.at.unwrap())));
            values.extend(behind.map(|it| it.id.0.to_string()));
            values.push(LIMIT.to_string());
            // A prepared statement is planned without its values after a while.
            for mode in ["force_custom_plan", "force_generic_plan"] {
                let set = format!("SET plan_cache_mode = {mode}");
                desk.conn.batch_execute(&set).await.unwrap();
                let plan = desk.plan(&filter, behind, &values).await;
                assert_reads_a_page(&format!("{name}, {page} page, {mode}"), &plan, index);
            }
        }
    }
}
