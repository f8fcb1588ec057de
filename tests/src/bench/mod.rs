//! `storepulse-bench`: how fast, at what cost, and how near to a bound that is measured in the same run.
//!
//! # Layout
//!
//! - [`options`]: the command line. [`run`]: brings up the cluster, measures what was asked for, reports.
//! - [`ground`]: the cluster and the programs on it, as processes of their own.
//! - [`drain`]: analytics and a bare consumer read a full topic to its end. [`bare`]: the bare consumer.
//! - [`topic`]: what stands in the event topic, and filling it.
//! - [`cpu`]: what a process has used. [`report`]: figures, bounds, and whether they reach.
//!
//! # How it measures
//!
//! Cost is user and system time as the kernel counts it, of whole processes with all their threads, from their start to
//! the last document. A noisy machine changes it far less than rates. Every bound is measured in the same run, on the
//! same cluster and data. What is compared runs in turns, several times, after a pass that warms up the brokers' JVMs; the
//! median counts.

pub mod bare;
pub mod cpu;
pub mod drain;
pub mod ground;
pub mod options;
pub mod report;
pub mod topic;

use std::path::Path;

use anyhow::Context as _;

use ground::Ground;
use options::{Command, Options, Part};
use report::Report;

/// Runs the program.
///
/// # Errors
/// When something can't be measured. That a figure does not reach its bound is no error; the report says so.
pub fn run(options: &Options) -> anyhow::Result<()> {
    if let Some(Command::BareConsumer) = options.command {
        return bare::run();
    }
    let mut report = Report::new(options);
    if options.wants(Part::Drain) {
        let mut ground = Ground::up(options)?;
        report.rows.extend(drain::measure(&mut ground, options)?);
    }
    print!("{report}");
    if let Some(file) = &options.json {
        write(file, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(())
}

fn write(file: &Path, text: String) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

/// Says what is going on, on standard error.
pub(crate) fn say(text: impl AsRef<str>) {
    eprintln!("{}  {}", chrono::Utc::now().format("%H:%M:%S"), text.as_ref());
}
