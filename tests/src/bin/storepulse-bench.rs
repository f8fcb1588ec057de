//! `storepulse-bench`: see `--help`.

use std::process::ExitCode;

use clap::Parser;
use storepulse_tests::bench;

fn main() -> ExitCode {
    match bench::run(&bench::options::Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("storepulse-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
