//! `verify`: proves, inside the cluster, that nobody gets in.
//!
//! 1. [`drift`]: everything that locks is there, and as the manifests have it.
//! 2. [`network`]: pods of several roles try to reach what they must, and must not.
//! 3. [`attackers`]: Kafka clients with forged and stolen papers.

mod attackers;
mod drift;
mod network;
mod papers;

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::job::container_of;
use crate::manifests::{ManifestArgs, Manifests};
use crate::object::text;

/// What `verify` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// Parts to run, comma-separated [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Also write the result as JSON to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A part of the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Compare what is there with the manifests.
    Drift,
    /// Probe the network policies.
    Network,
    /// Attack Kafka.
    Attackers,
}

/// What follows from a look or an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Held,
    /// Open.
    Hole,
    /// Could not be tried, or somebody with good papers was locked out.
    Unproven,
}

/// One line of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `drift`, `network` or `attackers`.
    pub part: &'static str,
    /// What was looked at.
    pub name: String,
    /// What was seen.
    pub seen: String,
    /// What follows.
    pub verdict: Verdict,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Held => "ok",
            Verdict::Hole => "HOLE",
            Verdict::Unproven => "NOT PROVEN",
        };
        write!(f, "{word:<11} {:<10} {:<58} {}", self.part, self.name, self.seen)
    }
}

/// Runs the parts; says whether everything held.
///
/// # Errors
/// It could not be run at all.
pub async fn run(cluster: &Cluster, args: &VerifyArgs) -> Result<bool> {
    let manifests = Manifests::render(&args.manifests)?;
    let image = text(&container_of(cluster, &manifests.namespace, "analytics").await?, "/image").to_owned();
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);
    let mut lines = Vec::new();
    let mut show = |line: Line| {
        println!("{line}");
        lines.push(line);
    };
    if wanted(Part::Drift) {
        for line in drift::look(cluster, &manifests).await? {
            show(line);
        }
    }
    if wanted(Part::Network) {
        for line in network::probe(cluster, &manifests, &image).await? {
            show(line);
        }
    }
    if wanted(Part::Attackers) {
        let (log, line) = attackers::attack(cluster, &manifests, &image).await?;
        print!("{log}");
        show(line);
    }
    println!("\n{}", conclusion(&lines));
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&lines).unwrap_or_default();
        std::fs::write(path, json).map_err(|error| {
            Error::Setting(format!("--json is {}, which can't be written: {error}", path.display()))
        })?;
    }
    Ok(passed(&lines))
}

fn passed(lines: &[Line]) -> bool {
    !lines.is_empty() && lines.iter().all(|line| line.verdict == Verdict::Held)
}

fn conclusion(lines: &[Line]) -> String {
    let mut text: String = lines
        .iter()
        .filter_map(|line| match line.verdict {
            Verdict::Held => None,
            Verdict::Hole => Some(format!("HOLE: {}: {}\n", line.name, line.seen)),
            Verdict::Unproven => Some(format!("NOT PROVEN: {}: {}\n", line.name, line.seen)),
        })
        .collect();
    if passed(lines) {
        text += "Everything that locks is in place, and nobody got in.";
    } else {
        text += "`storepulse-deploy up` puts back what the manifests have.";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_only_when_everything_held() {
        let line = |verdict| Line { part: "drift", name: "a policy".into(), seen: "gone".into(), verdict };
        assert!(passed(&[line(Verdict::Held)]));
        assert!(!passed(&[]));
        for bad in [Verdict::Hole, Verdict::Unproven] {
            let lines = [line(Verdict::Held), line(bad)];
            assert!(!passed(&lines) && conclusion(&lines).contains("a policy: gone"));
        }
    }
}
