//! The command line: what `storepulse-analytics` can do.

use clap::{Parser, Subcommand};
use storepulse_platform::probe::ProbeArgs;
use storepulse_platform::telemetry::LogArgs;
use storepulse_platform::{Failure, exit, probe, telemetry};

use crate::config::{DEFAULT_HTTP_ADDRESS, RunArgs};
use crate::{audit, failpoint, report, service};

/// Exact, live aggregates of a shop's events in Firestore.
#[derive(Parser)]
#[command(
    name = "storepulse-analytics",
    version,
    after_help = "Exit codes: 0 success, 1 failure, 2 configuration error."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Aggregate events until stopped
    Run(Box<RunArgs>),
    /// Compute every document anew from the topics, and compare with the store
    Audit(Box<audit::AuditArgs>),
    /// Show the shop's numbers of a day
    Report(Box<report::ReportArgs>),
    /// Ask the instance that runs here how it is; exits 0 when it is well
    Health(ProbeArgs),
}

impl Command {
    fn logs(&self) -> Option<&LogArgs> {
        match self {
            Self::Run(args) => Some(&args.common.logs),
            Self::Audit(args) => Some(&args.common.logs),
            Self::Report(args) => Some(&args.logs),
            // Its one line is its answer.
            Self::Health(_) => None,
        }
    }
}

/// Does what the arguments say, and ends the process. Must be called inside a Tokio runtime.
pub async fn main() -> ! {
    let cli = Cli::parse();
    exit::leave("storepulse-analytics", run(cli.command).await)
}

async fn run(command: Command) -> Result<(), Failure> {
    // It fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    if let Some(logs) = command.logs() {
        telemetry::init(logs).map_err(Failure::config)?;
    }
    failpoint::install().map_err(Failure::config)?;
    match command {
        Command::Run(args) => service::run(*args).await,
        Command::Audit(args) => audit::run(*args).await,
        Command::Report(args) => report::run(*args).await,
        Command::Health(args) => probe::run(&args, DEFAULT_HTTP_ADDRESS).await,
    }
}
