//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use storepulse_local::StoreChoice;
use storepulse_local::run::Options;

/// storepulse on one machine: three real Kafka nodes with every lock closed, and the Firestore emulator.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// Where the cluster keeps its state [default: .local in the repository]
    #[arg(long, global = true, env = "STOREPULSE_LOCAL_DIR", value_name = "DIRECTORY")]
    pub(crate) dir: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring the cluster up, or find it and start what it lacks
    Up(StoreArgs),
    /// Stop everything and remove its files
    Down,
    /// Say how each part is; exits 0 when all are well, 1 when not, 3 when there is no cluster
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the shell command that loads a principal's environment: eval "$(storepulse-local env analytics)"
    Env {
        /// admin, simulator, analytics or auditor
        principal: String,
    },
    /// Run the whole pipeline and watch it: cluster, analytics, simulator
    Run(RunArgs),
    /// Run the attackers against the cluster, or against one brought up for them; exits as they do
    Attack {
        /// Passed on to storepulse-attacker
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Write what the containers of docker-compose.yml are given: configurations, papers and passwords, as files
    ContainerFiles(ContainerFilesArgs),
    /// Take a broker away by hand, or give it back
    Broker {
        #[arg(value_enum)]
        action: BrokerAction,
        /// 1, 2 or 3
        id: u32,
    },
    /// Take the Firestore emulator away by hand, or give it back
    Firestore {
        #[arg(value_enum)]
        action: FirestoreAction,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct StoreArgs {
    /// Where documents go; `auto` is the Firestore emulator where there is one, else SQLite
    #[arg(long, value_enum, env = "STOREPULSE_LOCAL_STORE", default_value = "auto")]
    store: StoreArg,
}

impl StoreArgs {
    pub(crate) fn choice(self) -> StoreChoice {
        match self.store {
            StoreArg::Auto => StoreChoice::Auto,
            StoreArg::Firestore => StoreChoice::Firestore,
            StoreArg::Sqlite => StoreChoice::Sqlite,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ContainerFilesArgs {
    /// Where they go [default: secret/compose in the repository]
    #[arg(long, env = "STOREPULSE_COMPOSE_DIR", value_name = "DIRECTORY")]
    pub(crate) to: Option<PathBuf>,

    /// Numeric id of the user that containers run as [default: as in .env, or who runs this; for root, 65532]
    #[arg(long, env = "STOREPULSE_UID", value_name = "UID")]
    pub(crate) owner: Option<u32>,

    /// JSON key that reaches a real Firestore; without it, the store is the emulator
    #[arg(long, value_name = "FILE")]
    pub(crate) google_key: Option<PathBuf>,

    /// Token that the dashboard asks for, 16 to 1,024 characters in a line; without it, it asks for none
    #[arg(long, value_name = "FILE")]
    pub(crate) dashboard_token: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct RunArgs {
    /// Stop after this many events, then audit every document; endless without
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,

    /// Makes the stream of events repeatable
    #[arg(long)]
    seed: Option<u64>,

    /// Events per second [default: 1000, with --events 5000]
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,

    #[command(flatten)]
    store: StoreArgs,
}

impl RunArgs {
    pub(crate) fn options(self) -> Options {
        Options { events: self.events, seed: self.seed, rate: self.rate, store: self.store.choice() }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("must be a number above 0".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StoreArg {
    Auto,
    Firestore,
    Sqlite,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum BrokerAction {
    /// Its partitions move first
    Stop,
    /// As a power cut would
    Kill,
    /// On its data, as it was
    Start,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FirestoreAction {
    /// Its documents, in memory, are lost
    Stop,
    /// Empty
    Start,
    /// Hang: keep the documents, answer nothing
    Pause,
    /// Go on after a pause
    Resume,
}
