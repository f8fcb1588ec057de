//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::variable;

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
    #[arg(long, default_value_t = 4_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub events: u64,
    /// Measurements of each of two things that are compared, in turns; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub passes: u32,
    /// Seconds of stream before writes are counted: more than the longest interval, 120 s
    #[arg(long, default_value_t = 130)]
    pub warm_up_seconds: u64,
    /// Seconds of stream in which writes are counted: a multiple of the longest interval
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u64).range(5..))]
    pub stretch_seconds: u64,
    /// Seconds in which probes are sent
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(2..))]
    pub probing_seconds: u64,
    /// Use the cluster in this directory, with the events in its topic, and leave it running; it is made where there is
    /// none. `storepulse-local --dir DIR down` ends it
    #[arg(long, value_name = "DIR")]
    pub keep_cluster: Option<PathBuf>,
    /// A variable for analytics, such as COMMIT_INTERVAL_MS=200; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
    /// Where perf records one pass of analytics, where there is perf [default: among the logs]
    #[arg(long, value_name = "FILE")]
    pub perf: Option<PathBuf>,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the plot
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write the report into this page, in place of the former one
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
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
    /// The simulator into nothing, beside serialising a ready event
    Simulator,
    /// Decoding and folding, beside serde_json decoding
    Decode,
    /// The simulator into the cluster, beside Kafka's own tool
    Produce,
    /// Analytics into a store that accepts everything, beside a bare consumer
    Drain,
    /// Analytics into Firestore's emulator, from the first event to the last document
    Firestore,
    /// Documents written for each event
    Writes,
    /// From an event to its document
    Freshness,
    /// Memory, and whether the cost of an event stays the same
    Memory,
}

impl Part {
    /// Those that need a cluster.
    pub const ON_A_CLUSTER: [Self; 6] =
        [Self::Produce, Self::Drain, Self::Firestore, Self::Writes, Self::Freshness, Self::Memory];

    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

impl Options {
    /// The stream before writes are counted.
    pub fn warm_up(&self) -> Duration {
        Duration::from_secs(self.warm_up_seconds)
    }

    /// The stream in which writes are counted.
    pub fn stretch(&self) -> Duration {
        Duration::from_secs(self.stretch_seconds)
    }

    /// The time in which probes are sent.
    pub fn probing(&self) -> Duration {
        Duration::from_secs(self.probing_seconds)
    }

    /// Whether this is to be measured.
    pub fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}
