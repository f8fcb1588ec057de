//! `storepulse-bench`: how fast, at what cost, and how near to a bound that is measured in the same run.
//!
//! # Layout
//!
//! - [`options`]: the command line. [`run`]: brings up the cluster, measures what was asked for, reports.
//! - [`ground`]: the cluster and the programs on it, as processes of their own.
//! - [`pass`]: one pass of analytics over a full topic. [`drain`]: analytics and a bare consumer read a full topic to its end. [`bare`]: the bare consumer.
//!   [`profile`]: where its time goes.
//! - [`pure`]: what one core does without a cluster.
//! - [`topic`]: what stands in the event topic, and filling it.
//! - [`produce`]: the simulator into the cluster, and Kafka's own tool. [`documents`]: with Firestore's emulator.
//!   [`memory`]: memory, and whether the cost of an event stays the same.
//! - [`cpu`]: what a process has used. [`crate::machine`]: the machine. [`report`]: figures, bounds, and whether they reach.
//!   [`svg`] and [`markdown`]: the same for readers.
//!
//! # How it measures
//!
//! Cost is user and system time as the kernel counts it, of whole processes with all their threads, from their start to
//! the last document. A noisy machine changes it far less than rates. Every bound is measured in the same run, on the
//! same cluster and data. What is compared runs in turns, several times, after a pass that warms up the brokers' JVMs; the
//! median counts.

pub mod bare;
pub mod cpu;
pub mod documents;
pub mod drain;
pub mod ground;
pub mod markdown;
pub mod memory;
pub mod options;
pub mod pass;
pub mod plain;
pub mod produce;
pub mod profile;
pub mod pure;
pub mod report;
pub mod svg;
pub mod topic;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};

use ground::{Ground, Programs};
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
    let started = Instant::now();
    let mut report = Report::new();
    let mut programs = Programs::new()?;
    if options.wants(Part::Simulator) {
        report.take(Part::Simulator, pure::simulator(&mut programs, options));
    }
    if options.wants(Part::Decode) {
        report.take(Part::Decode, pure::decoding(&mut programs));
    }
    let wanted: Vec<Part> = Part::ON_A_CLUSTER.into_iter().filter(|part| options.wants(*part)).collect();
    if !wanted.is_empty() {
        let mut ground = Ground::up(options, programs)?;
        for part in wanted {
            let measure = match part {
                Part::Simulator | Part::Decode => continue,
                Part::Produce => produce::measure,
                Part::Drain => drain::measure,
                Part::Firestore => documents::end_to_end,
                Part::Writes => documents::writes,
                Part::Freshness => documents::freshness,
                Part::Memory => memory::measure,
            };
            report.take(part, measure(&mut ground, options));
        }
    }
    report.seconds = started.elapsed().as_secs_f64();
    print!("{report}");
    if let Some(file) = &options.json {
        write(file, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    if let Some(file) = &options.svg {
        write(file, svg::plot(&report))?;
    }
    if let Some(file) = &options.markdown {
        let before = std::fs::read_to_string(file).ok();
        write(file, markdown::page(before.as_deref(), &report))?;
    }
    ensure!(report.failures.is_empty(), "{} parts could not be measured", report.failures.len());
    Ok(())
}

fn write(file: &Path, text: String) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}

/// Says what is going on, on standard error.
pub(crate) fn say(text: impl AsRef<str>) {
    eprintln!("{}  {}", chrono::Utc::now().format("%H:%M:%S"), text.as_ref());
}
