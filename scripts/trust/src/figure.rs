//! What a figure is asked, and the one line it answers.

use std::io::{Write, stderr, stdout};

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// How a figure is to be run.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Options {
    /// The smaller size: the healthy figure, then the planted defect.
    #[arg(long)]
    pub quick: bool,
    /// With the planted defect: the figure must turn red.
    #[arg(long)]
    pub plant: bool,
    /// Repeats the run of this seed as far as the outside allows.
    #[arg(long)]
    pub seed: Option<u64>,
}

impl Options {
    /// The seed asked for, or one from the clock.
    pub fn seed_or_new(&self) -> u64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        self.seed.unwrap_or_else(|| {
            now.map_or(1, |since| {
                u64::from(since.subsec_nanos()) + since.as_secs() % 1000
            })
        })
    }
}

/// Tells on standard error how far a run is.
pub fn say(text: &str) {
    // Nobody may be listening; the figure does not depend on it.
    writeln!(stderr().lock(), "{text}").ok();
}

/// One figure of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub id: &'static str,
    /// How often the rule was broken.
    pub value: f64,
    pub goal: String,
    pub pass: bool,
    /// The size of the run.
    pub n: u64,
    pub seed: u64,
    pub secs: f64,
}

/// A figure and what else its line tells.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub figure: Figure,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl From<Figure> for Report {
    fn from(figure: Figure) -> Self {
        Self {
            figure,
            more: Map::new(),
        }
    }
}

impl Report {
    /// Adds the fields of an object to the line.
    pub fn add(&mut self, fields: Value) {
        if let Value::Object(fields) = fields {
            self.more.extend(fields);
        }
    }

    /// What stands in the line if the run broke off: no value, and not passed.
    pub fn none(id: &'static str, error: &str) -> Self {
        let mut report = Self::from(Figure {
            id,
            value: f64::NAN,
            goal: String::new(),
            pass: false,
            n: 0,
            seed: 0,
            secs: 0.0,
        });
        report.add(json!({"error": error}));
        report
    }

    /// Writes the line to standard output.
    pub fn print(&self) -> anyhow::Result<()> {
        let mut out = stdout().lock();
        writeln!(out, "{}", serde_json::to_string(self)?)?;
        Ok(out.flush()?)
    }
}
