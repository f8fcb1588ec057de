//! `storepulse-local`: the secured cluster, and everything on it, on one machine.

mod cli;
mod commands;
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use storepulse_local::{Context, Error, Progress};
use tokio_util::sync::CancellationToken;

/// What shells report for a program ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("storepulse-local: could not start the async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        let context = Context { progress: Progress::stderr(), cancel: CancellationToken::new() };
        signals::cancel_on_signals(&context.cancel).context("at start")?;
        commands::execute(cli, &context).await
    });
    // A thread inside librdkafka must not hold us up.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match result {
        Ok(code) => code,
        Err(error) if matches!(error.downcast_ref(), Some(Error::Interrupted)) => {
            eprintln!("storepulse-local: interrupted; nothing that was being started is left running");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("storepulse-local: {error:#}");
            ExitCode::FAILURE
        }
    }
}
