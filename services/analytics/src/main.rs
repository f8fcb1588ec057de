//! `storepulse-analytics`: exact, live aggregates of a shop's events.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    storepulse_analytics::cli::main().await
}
