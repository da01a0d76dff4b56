//! Switches the language model from the command line, beside running processes.

use std::io::Write;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use common::clock::Clock;
use common::config::{Env, database_url, llm};
use common::db::audit_log::NewEntry;
use common::db::tenants::OPERATORS;
use common::db::{self, runtime_settings, tenants};
use common::flows::suggest_reply::settings;
use common::flows::switch_llm::{Switch, merged, switch_llm};
use common::llm::{
    Choice, Completion, Door, DoorSettings, LlmSettings, PromptMessage, ProviderName, Providers,
};
use diesel_async::{AsyncConnection, AsyncPgConnection};

/// Options of `scripts/set_llm_runtime`.
#[derive(Args, Debug)]
pub struct SetLlm {
    /// Who makes replies: deepseek, openai, compatible or rules.
    #[arg(long)]
    provider: Option<String>,
    /// Which of the provider's models; another provider takes its usual one along.
    #[arg(long)]
    model: Option<String>,
    /// false: no model makes replies, and drafts stop at once.
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
    /// One door: desk, site, assistant, company or support; without it all that have no settings of
    /// their own.
    #[arg(long)]
    door: Option<String>,
    /// Show the settings and change nothing.
    #[arg(long)]
    show: bool,
    /// Do not ask the provider for a word first.
    #[arg(long)]
    no_probe: bool,
}

/// Changes the settings and prints them before and after.
pub async fn set_llm(env: &Env, options: SetLlm) -> anyhow::Result<()> {
    let provider = options.provider.as_deref().map(provider).transpose()?;
    let door = options.door.as_deref().map(known_door).transpose()?;
    let providers = Providers::new(&llm(env)?)?;
    let pool = db::connect(&database_url(env)?, 1)?;
    let mut conn = pool.get().await.context("PostgreSQL does not answer")?;
    let before = settings(&mut conn).await?;
    if options.show {
        return print("now", &before, &providers);
    }
    let change = DoorSettings {
        provider,
        model: options.model.map(|model| model.trim().to_owned()),
        enabled: options.enabled,
    };
    ensure!(
        change != DoorSettings::default(),
        "nothing to change: give --provider, --model or --enabled, or --show"
    );
    if options.enabled != Some(false) && !options.no_probe {
        let wanted = merged(&before, door, change.clone(), providers.defaults());
        let settled = LlmSettings::of(wanted.rows(None));
        probe(&providers, settled.common(providers.defaults())).await?;
    }
    let after = store(&mut conn, door, change, &providers).await?;
    print("before", &before, &providers)?;
    print("after", &after, &providers)
}

fn provider(word: &str) -> anyhow::Result<ProviderName> {
    let known = ProviderName::ALL.map(ProviderName::as_str).join(", ");
    word.parse()
        .map_err(|_| anyhow::anyhow!("there is no provider {word}: choose one of {known}"))
}

fn known_door(word: &str) -> anyhow::Result<Door> {
    let known = Door::ALL.map(Door::as_str).join(", ");
    word.parse()
        .map_err(|_| anyhow::anyhow!("there is no door {word}: choose one of {known}"))
}

async fn store(
    conn: &mut AsyncPgConnection,
    door: Option<Door>,
    change: DoorSettings,
    providers: &Providers,
) -> anyhow::Result<LlmSettings> {
    let now = Clock::default().now();
    let operators = tenants::find_by_slug(conn, OPERATORS).await?;
    let operators = operators.context("the database has no tenant of operators: migrate first")?;
    let target = door.map_or("all".to_owned(), |door| door.to_string());
    let entry = NewEntry {
        tenant_id: operators.id,
        actor_tenant_id: None,
        actor_user_id: None,
        actor: "scripts/set_llm_runtime".to_owned(),
        action: "llm.switched",
        target: format!("llm:{target}"),
        ip: None,
        user_agent: None,
        before: None,
        after: None,
        at: now,
    };
    let after = conn
        .transaction(async |conn| {
            runtime_settings::lock(conn).await?;
            let before = settings(conn).await?;
            let defaults = providers.defaults();
            let settings = merged(&before, door, change, defaults);
            switch_llm(conn, &Switch { door, settings }, defaults, entry, now).await
        })
        .await?;
    Ok(after)
}

/// Asks the provider for a word.
async fn probe(providers: &Providers, choice: Choice) -> anyhow::Result<()> {
    let Some(model) = choice.model else {
        bail!("the provider compatible has no usual model: give --model");
    };
    let request = Completion {
        model,
        messages: vec![PromptMessage {
            role: "user",
            content: "Ответь одним словом: готово".to_owned(),
        }],
        json: false,
        max_tokens: 16,
        question: "привет".to_owned(),
    };
    let answer = providers.get(choice.provider).complete(&request).await;
    answer.map(|_| ()).with_context(|| {
        format!(
            "{} gives no reply (--no-probe switches without asking it)",
            choice.provider
        )
    })
}

fn print(title: &str, settings: &LlmSettings, providers: &Providers) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let line = |who: &str, choice: &Choice| {
        let model = choice.model.as_deref().unwrap_or("-");
        let state = if choice.enabled {
            "enabled"
        } else {
            "disabled"
        };
        format!("{title}: {who}: {} {model} {state}", choice.provider)
    };
    let defaults = providers.defaults();
    writeln!(out, "{}", line("all doors", &settings.common(defaults)))?;
    for door in Door::ALL {
        if settings.of_door(Some(door)) != DoorSettings::default() {
            let choice = settings.choose(door, defaults);
            writeln!(out, "{}", line(door.as_str(), &choice))?;
        }
    }
    Ok(())
}
