//! `storepulse-pki`: certificates and passwords of a deployment.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use storepulse_pki::{Error, Options, Rotate};

/// Makes the certificates and passwords of a storepulse deployment.
#[derive(Parser)]
#[command(name = "storepulse-pki", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make what is missing, keep what is sound, renew what --rotate names.
    Init(Init),
}

#[derive(Args)]
struct Init {
    /// Directory of the certificates (made with mode 0700).
    #[arg(long, env = "STOREPULSE_CERTS_DIR", default_value = "certs/generated")]
    dir: PathBuf,
    /// File of the passwords (mode 0600; other lines in it are kept).
    #[arg(long, env = "STOREPULSE_ENV_FILE", default_value = ".env")]
    env_file: PathBuf,
    /// Comma-separated groups to renew: ca, brokers, clients, attackers, passwords, all.
    #[arg(long, value_delimiter = ',')]
    rotate: Vec<Rotate>,
    /// A further DNS name or IP address of the brokers; may be repeated or comma-separated.
    #[arg(long = "san", value_delimiter = ',')]
    sans: Vec<String>,
}

fn main() -> ExitCode {
    let Command::Init(args) = Cli::parse().command;
    let mut options = Options::new(args.dir, args.env_file);
    options.rotate = args.rotate.into_iter().collect();
    options.extra_sans = args.sans;
    match storepulse_pki::init(&options) {
        Ok(report) => {
            print!("{report}");
            if [Rotate::Ca, Rotate::Brokers, Rotate::Clients, Rotate::Passwords]
                .iter()
                .any(|group| options.rotates(*group))
            {
                println!("Restart the cluster and the services, so that they use what was renewed.");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("storepulse-pki: {error}");
            ExitCode::from(if matches!(error, Error::BadName { .. }) { 2 } else { 1 })
        }
    }
}
