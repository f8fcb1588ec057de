//! `storepulse-deploy`: storepulse on Kubernetes.

use std::process::ExitCode;

use clap::Parser;
use storepulse_deploy::cli;

fn main() -> ExitCode {
    // A second installation fails and changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("storepulse-deploy: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("storepulse-deploy: {error}");
            ExitCode::from(error.code())
        }
    }
}
