//! The command line: what `storepulse-dashboard` can do.

use std::io::{IsTerminal, Read};

use clap::{Parser, Subcommand};
use storepulse_platform::probe::ProbeArgs;
use storepulse_platform::{Failure, Secret, exit, probe, telemetry};

use crate::auth::users;
use crate::config::{DEFAULT_HTTP_ADDRESS, RunArgs};
use crate::service;

/// The longest password, in bytes.
const LONGEST: u64 = 1_024;

/// The shop's figures, live, in a browser.
#[derive(Parser)]
#[command(
    name = "storepulse-dashboard",
    version,
    after_help = "Exit codes: 0 success, 1 failure, 2 configuration error."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the dashboard until stopped
    Run(Box<RunArgs>),
    /// Ask the instance that runs here how it is; exits 0 when it is well
    Health(ProbeArgs),
    /// Read a password from standard input, and print its hash for DASHBOARD_USERS_FILE
    HashPassword,
}

/// Does what the arguments say, and ends the process. Must be called inside a Tokio runtime.
pub async fn main() -> ! {
    let cli = Cli::parse();
    exit::leave("storepulse-dashboard", run(cli.command).await)
}

async fn run(command: Command) -> Result<(), Failure> {
    // It fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match command {
        Command::Run(args) => {
            telemetry::init(&args.logs).map_err(Failure::config)?;
            service::run(*args).await
        }
        Command::Health(args) => probe::run(&args, DEFAULT_HTTP_ADDRESS).await,
        Command::HashPassword => hash_password(),
    }
}

fn hash_password() -> Result<(), Failure> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("Type the password (it is shown), and end with Enter and Ctrl-D:");
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    input.by_ref().take(LONGEST + 1).read_to_string(&mut text).map_err(Failure::runtime)?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() || password.len() as u64 > LONGEST || password.contains(['\n', '\r']) {
        return Err(Failure::config(format!(
            "standard input is no password: allowed is one line of 1 to {LONGEST} bytes"
        )));
    }
    println!("{}", users::hash(&Secret::new(password)).map_err(Failure::runtime)?);
    Ok(())
}
