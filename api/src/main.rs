//! The api: serves, migrates, seeds the demo, shows keys in use, prints its document.

use std::io::Write;

use clap::{Parser, Subcommand};
use common::config::{Config, Env, LogConfig, database_url};

/// Gives memory back after peaks: glibc's keeps what each password hash took.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(version, about = "The HTTP side of Chat Center")]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Brings the database to the form that this build expects.
    Migrate,
    /// Makes the demo's people and connects the sandbox's shops; refuses APP_ENV=prod.
    SeedDemo {
        /// Where the sandbox is.
        #[arg(long)]
        sandbox: String,
    },
    /// Switches the language model while everything runs.
    SetLlm(api::set_llm::SetLlm),
    /// Shows which encryption keys the stored keys of shops are sealed with.
    Keys,
    /// Prints the OpenAPI document.
    Openapi,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let command = Options::parse().command;
    if let Some(Command::Openapi) = command {
        let document = api::routes::to_json(&api::document());
        writeln!(std::io::stdout(), "{document}")?;
        return Ok(());
    }
    let env = Env::of_process();
    if let Some(Command::Keys) = command {
        return api::show_keys(&Config::read(&env)?, std::io::stdout()).await;
    }
    let _guard = common::telemetry::start(&log_config(&env), "api")?;
    match command {
        Some(Command::Migrate) => {
            let applied = common::db::migrate(&database_url(&env)?).await?;
            tracing::info!(?applied, "the database is up to date");
            Ok(())
        }
        Some(Command::SeedDemo { sandbox }) => {
            api::seed_demo::seed_demo(Config::read(&env)?, &sandbox).await
        }
        Some(Command::SetLlm(options)) => {
            if let Err(problem) = api::set_llm::set_llm(&env, options).await {
                writeln!(std::io::stderr(), "error: {problem:#}")?;
                std::process::exit(1);
            }
            Ok(())
        }
        _ => api::serve(Config::read(&env)?).await,
    }
}

/// Only where logs go: migrating needs no secrets.
fn log_config(env: &Env) -> LogConfig {
    LogConfig {
        level: env.get("LOG_LEVEL").unwrap_or("info").to_lowercase(),
        dir: env.get("LOG_DIR").map(Into::into),
    }
}
