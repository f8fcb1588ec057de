//! `storepulse-kafka-admin`: topics, users and ACLs of a cluster.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // A second installation fails and changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("storepulse-kafka-admin: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("storepulse-kafka-admin: {error}");
            let config = matches!(error, storepulse_kafka_admin::Error::Config(_));
            ExitCode::from(if config { 2 } else { 1 })
        }
    }
}
