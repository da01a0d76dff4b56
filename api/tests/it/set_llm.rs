//! The switch of the model from the command line, beside a running api.

use api::set_llm::{SetLlm, set_llm};
use clap::Parser;
use common::config::Env;
use common::db::users::Role;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::support::TestApp;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    options: SetLlm,
}

/// What `scripts/set_llm_runtime` does with these options; the key of the sandbox's model is given.
async fn run(app: &TestApp, key: &str, options: &[&str]) -> Result<(), String> {
    let line = [&["set-llm"], options].concat();
    let options = CommandLine::try_parse_from(line).map_err(|problem| problem.to_string())?;
    let url = app.sandbox.llm_url();
    let env = Env::of([
        (
            "DATABASE_URL",
            app.state.config.database_url.expose_secret(),
        ),
        ("DEEPSEEK_API_URL", url.as_str()),
        ("DEEPSEEK_API_KEY", key),
    ]);
    let done = set_llm(&env, options.options).await;
    done.map_err(|problem| format!("{problem:#}"))
}

#[tokio::test]
async fn the_running_api_follows_at_once() {
    let app = TestApp::start().await;
    let key = app.sandbox.llm_key();
    let operator = app.person("operators", "otto", Role::Admin).await;
    let shown = async || operator.get("/api/settings/llm").await.expect(200).clone();
    let all = [
        "--provider",
        "deepseek",
        "--model",
        "deepseek-chat",
        "--enabled",
        "true",
    ];
    run(&app, key, &all).await.unwrap();
    assert_eq!(shown().await["model"], "deepseek-chat");
    assert_eq!(
        app.sandbox.llm_calls()["calls"],
        1,
        "it was asked for a word"
    );
    run(&app, key, &["--door", "site", "--provider", "rules"])
        .await
        .unwrap();
    assert_eq!(shown().await["doors"]["site"]["provider"], "rules");
    assert_eq!(shown().await["provider"], "deepseek");
    run(&app, key, &["--enabled", "false"]).await.unwrap();
    assert_eq!(shown().await["enabled"], json!(false));
    run(&app, key, &["--show"]).await.unwrap();
    let log = app.dump("audit_log").await;
    assert_eq!(log.matches("scripts/set_llm_runtime").count(), 3);
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let app = TestApp::start().await;
    let key = app.sandbox.llm_key();
    let refused = run(&app, key, &["--provider", "gpt"]).await.unwrap_err();
    assert!(refused.contains("there is no provider gpt"), "{refused}");
    let refused = run(&app, "wrong", &["--provider", "deepseek"])
        .await
        .unwrap_err();
    assert!(refused.contains("--no-probe"), "{refused}");
    let refused = run(&app, key, &["--provider", "compatible"])
        .await
        .unwrap_err();
    assert!(refused.contains("--model"), "{refused}");
    let refused = run(&app, key, &[]).await.unwrap_err();
    assert!(refused.contains("nothing to change"), "{refused}");
    assert_eq!(app.dump("runtime_settings").await, "");
    // Without asking, a wrong key is nobody's business yet.
    run(&app, "wrong", &["--provider", "deepseek", "--no-probe"])
        .await
        .unwrap();
    assert!(app.dump("runtime_settings").await.contains("deepseek"));
}
