//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures storepulse on this machine, each figure beside a bound that is measured in the same run.
///
/// It uses the programs beside itself, so build them all, with the same profile: `make bench` does. It brings up a
/// secured cluster of its own and takes it down again.
#[derive(Clone, Debug, Parser)]
#[command(name = "storepulse-bench", version, max_term_width = 120)]
pub struct Options {
    /// What to run instead of the measurements
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Measure only these, comma-separated
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Part>,
    /// Events in the topic that is drained
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub events: u64,
    /// Measurements of each of two things that are compared, in turns; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub passes: u32,
    /// Use the cluster in this directory, with the events in its topic, and leave it running; it is made where there is
    /// none. `storepulse-local --dir DIR down` ends it
    #[arg(long, value_name = "DIR")]
    pub keep_cluster: Option<PathBuf>,
    /// A variable for analytics, such as COMMIT_INTERVAL_MS=200; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
    /// Let perf record each measured pass of analytics, into DIR/analytics-<pass>.perf
    #[arg(long, value_name = "DIR")]
    pub perf: Option<PathBuf>,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Other things that this program does.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Read the event topic to its end, and count bytes
    #[command(hide = true)]
    BareConsumer,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Analytics into a store that accepts everything, beside a bare consumer
    Drain,
}

impl Options {
    /// Whether this is to be measured.
    pub fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
