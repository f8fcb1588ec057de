//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::audit::AuditArgs;
use crate::cluster::Cluster;
use crate::down::DownArgs;
use crate::error::Result;
use crate::probe::Probe;
use crate::rotate::RotateArgs;
use crate::status::StatusArgs;
use crate::up::UpArgs;
use crate::verify::VerifyArgs;
use crate::{audit, down, probe, rotate, status, up, verify};

/// Brings storepulse up on Kubernetes, where the Strimzi operator manages Kafka, watches it, and proves that nobody gets in.
#[derive(Debug, Parser)]
#[command(name = "storepulse-deploy", version)]
pub struct Cli {
    /// Context of the kubeconfig [default: the current one]
    #[arg(long, env = "STOREPULSE_CONTEXT", global = true)]
    context: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply the manifests and wait until everything works. Can be run again at any point
    Up(Box<UpArgs>),
    /// How each part is. Exit code 0: all are well; 1: not; 3: nothing is there
    Status(Box<StatusArgs>),
    /// Prove that nobody gets in: compare the locks with the manifests, probe the network, attack Kafka
    Verify(Box<VerifyArgs>),
    /// Compare every document with the topics
    Audit(Box<AuditArgs>),
    /// Renew passwords, client certificates, authorities or the dashboard's token, and restart those that use them
    Rotate(Box<RotateArgs>),
    /// Stop the services; with --delete-data remove Kafka and its data, too
    Down(Box<DownArgs>),
    /// Which addresses can be reached from here: what `verify` runs in its pods
    #[command(hide = true)]
    Probe {
        /// NAME=HOST:PORT=open or NAME=HOST:PORT=closed
        #[arg(required = true)]
        probes: Vec<Probe>,
    },
}

/// Runs the command.
///
/// # Errors
/// What went wrong, in a line.
pub async fn run(cli: Cli) -> Result<ExitCode> {
    let told = |good| if good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if let Command::Probe { probes } = &cli.command {
        probe::run(probes).await;
        return Ok(ExitCode::SUCCESS);
    }
    let cluster = Cluster::connect(cli.context.as_deref()).await?;
    match &cli.command {
        Command::Up(args) => up::run(&cluster, args).await.map(|()| ExitCode::SUCCESS),
        Command::Status(args) => status::run(&cluster, args).await,
        Command::Verify(args) => verify::run(&cluster, args).await.map(told),
        Command::Audit(args) => audit::run(&cluster, args).await.map(told),
        Command::Rotate(args) => rotate::run(&cluster, args).await.map(|()| ExitCode::SUCCESS),
        Command::Down(args) => down::run(&cluster, args).await.map(|()| ExitCode::SUCCESS),
        Command::Probe { .. } => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
