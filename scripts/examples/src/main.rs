//! Sends every example of the OpenAPI document to a running demo, holds each answer against it, and runs the guide.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use api_examples::asking::Asking;
use api_examples::demo::Demo;
use api_examples::document::Document;
use api_examples::{guide, moments};
use clap::Parser;
use tokio::time::timeout;

/// Longer than a start and all requests ever take.
const WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Parser)]
#[command(about = "Answers every example of the OpenAPI document by a running demo")]
struct Options {
    /// run.json of a demo that runs already; without it one is started, and ended afterwards.
    #[arg(long)]
    run_json: Option<PathBuf>,
}

// One thread: the demo is told of the death of the thread that started it, and this one lives longest.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let checked = timeout(WITHIN, check(&options)).await;
    match checked.map_err(anyhow::Error::from).flatten() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "error: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn check(options: &Options) -> Result<()> {
    // The client insists on a provider although nothing here is encrypted.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let demo = match &options.run_json {
        Some(file) => Demo::of(file)?,
        None => Demo::start().await?,
    };
    let outcome = check_demo(&demo).await;
    demo.end().await;
    let problems = outcome?;
    for problem in &problems {
        writeln!(std::io::stderr(), "{problem}")?;
    }
    match problems.len() {
        0 => Ok(()),
        count => bail!("{count} examples are not answered as documented"),
    }
}

/// Operations whose example fits no demo as it stands, and where they are tried instead.
const NOT_ASKED: [(&str, &str); 5] = [
    (
        "accept_invite",
        "the token is shown once (api/tests/it/access/invites.rs)",
    ),
    (
        "update_member",
        "it would take the demo's people away (api/tests/it/access/team.rs)",
    ),
    (
        "create_chat",
        "an order of the sandbox is needed (api/tests/it/desk/chat_starts.rs)",
    ),
    (
        "get_chat_start",
        "it is only there while a chat begins (api/tests/it/desk/chat_starts.rs)",
    ),
    (
        "get_file",
        "a file has to be there first (api/tests/it/desk/files.rs)",
    ),
];

async fn check_demo(demo: &Demo) -> Result<Vec<String>> {
    let document = Document::fetch(demo).await?;
    let mut problems = document.examples_that_do_not_fit();
    let mut asking = Asking::new(&document, demo);
    let (mut answered, mut streams) = (0, 0);
    for operation in document.operations() {
        if operation.is_stream() {
            streams += 1;
            continue;
        }
        if let Some((_, why)) = NOT_ASKED.iter().find(|(id, _)| *id == operation.id) {
            writeln!(std::io::stdout(), "not asked: {}: {why}", operation.name())?;
            continue;
        }
        match asking.ask(operation).await {
            Ok(()) => answered += 1,
            Err(problem) => problems.push(format!("{}: {problem:#}", operation.name())),
        }
    }
    problems.extend(moments::unused(&document));
    if let Err(problem) = guide::run(demo).await {
        problems.push(format!("{problem:#}"));
    }
    let line = format!("{answered} operations answered as documented, {streams} streams not asked");
    writeln!(std::io::stdout(), "{line}")?;
    Ok(problems)
}
