//! `storepulse-analytics-failpoints`: the same program, with fail points (see [`storepulse_analytics::failpoint`]). For
//! tests only.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    storepulse_analytics::cli::main().await
}
