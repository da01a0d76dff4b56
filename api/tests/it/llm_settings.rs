//! The switch of the model: operators only, at once, with an entry of the audit log.

use common::db::users::Role;
use diesel::QueryableByName;
use diesel::sql_types::{Jsonb, Nullable};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};

use crate::support::TestApp;

const PATH: &str = "/api/settings/llm";

#[derive(QueryableByName)]
struct Switched {
    #[diesel(sql_type = Nullable<Jsonb>)]
    before: Option<Value>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    after: Option<Value>,
}

async fn switches(app: &TestApp) -> Vec<Switched> {
    diesel::sql_query(
        "SELECT before, after FROM audit_log WHERE action = 'llm.switched' ORDER BY id",
    )
    .load(&mut *app.conn().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn operators_switch_the_model_for_all_doors_or_one() {
    let app = TestApp::start().await;
    let operator = app.person("operators", "otto", Role::Admin).await;
    let first = operator.get(PATH).await;
    assert_eq!(
        first.expect(200)["provider"],
        "rules",
        "nothing is configured"
    );
    let set = json!({ "provider": "deepseek", "model": "deepseek-reasoner", "enabled": true });
    let set = operator.put(PATH, &set).await;
    assert_eq!(set.expect(200)["model"], "deepseek-reasoner");
    assert_eq!(set.body["doors"]["desk"]["model"], "deepseek-reasoner");
    // Another provider takes its usual model along.
    let door = json!({ "door": "desk", "provider": "openai" });
    let set = operator.put(PATH, &door).await;
    assert_eq!(set.expect(200)["doors"]["desk"]["model"], "gpt-5.2");
    assert_eq!(set.body["doors"]["desk"]["own"], true);
    assert_eq!(set.body["doors"]["site"]["provider"], "deepseek");
    let off = operator.put(PATH, &json!({ "enabled": false })).await;
    assert_eq!(off.expect(200)["enabled"], false);
    assert_eq!(
        off.body["model"], "deepseek-reasoner",
        "what is left out stays"
    );
    let noted = switches(&app).await;
    assert_eq!(noted.len(), 3);
    assert_eq!(noted[2].before.as_ref().unwrap()["enabled"], true);
    assert_eq!(noted[2].after.as_ref().unwrap()["enabled"], false);
}

#[tokio::test]
async fn what_cannot_be_set_changes_nothing() {
    let app = TestApp::start().await;
    let operator = app.person("operators", "otto", Role::Admin).await;
    let wrong = [
        ("provider", json!({ "provider": "gpt" })),
        ("door", json!({ "door": "back" })),
        ("model", json!({ "model": " " })),
        ("model", json!({ "provider": "compatible" })),
        ("key", json!({ "key": "x" })),
    ];
    for (field, body) in wrong {
        operator.put(PATH, &body).await.expect_field(field);
    }
    assert!(switches(&app).await.is_empty());
    assert_eq!(operator.get(PATH).await.expect(200)["provider"], "rules");
}

#[tokio::test]
async fn nobody_else_sees_or_switches_it() {
    let app = TestApp::start().await;
    let owner = app.person("demo", "olga", Role::Owner).await;
    owner.get(PATH).await.expect_error(403, "forbidden");
    let refused = owner.put(PATH, &json!({ "enabled": false })).await;
    refused.expect_error(403, "forbidden");
}
