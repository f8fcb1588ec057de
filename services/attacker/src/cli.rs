//! What the binaries have in common.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::attacks::Attack;
use crate::error::Result;
use crate::world::Config;

/// Where the attackers find the cluster and their papers.
#[derive(Debug, Clone, Args)]
pub struct Where {
    /// Directory of the principals' <principal>.env files.
    #[arg(long, env = "STOREPULSE_ENV_DIR", default_value = ".local")]
    env_dir: PathBuf,
    /// Directory of the certificates, the attackers' among them.
    #[arg(long, env = "STOREPULSE_CERTS_DIR", default_value = "certs/generated")]
    certs: PathBuf,
    /// The longest a single step of a connection may take, in milliseconds.
    #[arg(long, env = "STOREPULSE_ATTACK_TIMEOUT_MS", default_value_t = 5_000,
          value_parser = clap::value_parser!(u64).range(100..=60_000))]
    time_limit_ms: u64,
    /// The cluster has the user `viewer`, and its permissions are part of the plan.
    #[arg(long, env = "STOREPULSE_VIEWER", value_parser = clap::builder::BoolishValueParser::new())]
    viewer: bool,
    /// The papers of admin.env are an observer's, who may look and change nothing: where an operator manages users.
    #[arg(long, env = "STOREPULSE_ATTACK_OBSERVER")]
    observer: bool,
    /// Attacks to leave out, comma-separated, for want of the certificates that they need.
    #[arg(long, value_delimiter = ',', value_parser = Attack::from_id)]
    without: Vec<Attack>,
}

impl Where {
    /// The library's configuration.
    pub fn config(&self) -> Config {
        Config {
            env_dir: self.env_dir.clone(),
            certs: self.certs.clone(),
            time_limit: Duration::from_millis(self.time_limit_ms),
            viewer: self.viewer,
            observer: self.observer,
            without: self.without.clone(),
        }
    }
}

/// Runs a program to its exit code: 0 held, 1 did not, 2 could not start.
pub fn block_on(work: impl Future<Output = Result<bool>>) -> ExitCode {
    // A second installation fails and changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("storepulse-attacker: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(work) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("storepulse-attacker: {error}");
            ExitCode::from(2)
        }
    }
}
