//! Logs: JSON lines with ids only, to standard output and, if asked, to a daily file.

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogConfig;

/// Starts logging; the guard writes out what is still buffered when it is dropped.
pub fn start(config: &LogConfig, file: &str) -> anyhow::Result<Option<WorkerGuard>> {
    // HTTP client libraries log addresses with ids of people in them.
    let filter = EnvFilter::try_new(format!("{},hyper=warn,reqwest=warn", config.level))?;
    let (file_layer, guard) = match &config.dir {
        Some(dir) => {
            let appender = rolling::Builder::new()
                .rotation(rolling::Rotation::DAILY)
                .filename_prefix(file)
                .max_log_files(7)
                .build(dir)?;
            let (writer, guard) = tracing_appender::non_blocking(appender);
            let layer = tracing_subscriber::fmt::layer().json().with_writer(writer);
            (Some(layer), Some(guard))
        }
        None => (None, None),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(
            tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false),
        )
        .with(file_layer)
        .try_init()?;
    Ok(guard)
}
