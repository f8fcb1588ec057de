//! The four attackers with a binary of their own.

use std::process::ExitCode;

use clap::Parser;

use crate::attacks::Attack;
use crate::cli::Where;
use crate::controls::Control;
use crate::error::Result;
use crate::report::{Line, Report};
use crate::runner::{attack_line, control_line};
use crate::world::{Config, World};

/// An attacker with a binary of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// `producer-bad-cert`.
    ProducerBadCert,
    /// `producer-bad-credentials`.
    ProducerBadCredentials,
    /// `consumer-bad-cert`.
    ConsumerBadCert,
    /// `consumer-bad-credentials`.
    ConsumerBadCredentials,
}

impl Named {
    /// The attempt with this project's client, then with librdkafka.
    fn attacks(self) -> [Attack; 2] {
        match self {
            Self::ProducerBadCert => [Attack::ProducerBadCert, Attack::ProducerBadCertLibrdkafka],
            Self::ProducerBadCredentials => [Attack::ProducerBadCredentials, Attack::ProducerBadCredentialsLibrdkafka],
            Self::ConsumerBadCert => [Attack::ConsumerBadCert, Attack::ConsumerBadCertLibrdkafka],
            Self::ConsumerBadCredentials => [Attack::ConsumerBadCredentials, Attack::ConsumerBadCredentialsLibrdkafka],
        }
    }

    fn control(self) -> Control {
        match self {
            Self::ProducerBadCert | Self::ProducerBadCredentials => Control::SimulatorWrites,
            Self::ConsumerBadCert | Self::ConsumerBadCredentials => Control::AnalyticsReads,
        }
    }
}

/// Runs one attacker, after a control with good papers.
///
/// # Errors
/// As [`run`](crate::run).
pub async fn attempt_named(named: Named, config: &Config, mut progress: impl FnMut(&Line)) -> Result<Report> {
    let world = World::load(config)?;
    let mut lines = vec![control_line(named.control(), "", &world).await];
    progress(&lines[0]);
    for attack in named.attacks() {
        let line = attack_line(attack, &world).await;
        progress(&line);
        lines.push(line);
    }
    Ok(Report::conclude(lines))
}

/// Tries to break in, once with this project's Kafka client and once with librdkafka. Exits 0 when
/// refused for the right reason and a control with good papers gets through.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    place: Where,
}

/// The whole of one of the four binaries.
pub fn main(named: Named) -> ExitCode {
    let cli = Cli::parse();
    crate::cli::block_on(async move {
        attempt_named(named, &cli.place.config(), |line| println!("{line}")).await.map(|report| {
            print!("{}", named_conclusion(&report));
            report.passed()
        })
    })
}

fn named_conclusion(report: &Report) -> String {
    if report.passed() { "refused, as it should be\n".to_owned() } else { report.conclusion() }
}
