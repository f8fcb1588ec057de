//! `storepulse-attacker`: every attack, with controls before and after.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use storepulse_attacker::cli::{Where, block_on};
use storepulse_attacker::{Report, run};

/// Tries to break into the cluster in every way the project knows, and proves that it can't.
///
/// Exit code 0: every attack was refused for the right reason, every control got through, and no
/// record was written or read. 1: not so; the holes are named. 2: the papers are missing.
#[derive(Parser)]
#[command(name = "storepulse-attacker", version)]
struct Cli {
    #[command(flatten)]
    place: Where,
    /// Also write the result as JSON to this file, or to standard output (instead of the table) with `-`.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    block_on(async move {
        let to_stdout = cli.json.as_deref().is_some_and(|path| path.as_os_str() == "-");
        let report = run(&cli.place.config(), |line| {
            if !to_stdout {
                println!("{line}");
            }
        })
        .await?;
        if to_stdout {
            println!("{}", json(&report));
            eprint!("{}", report.conclusion());
        } else {
            print!("\n{}", report.conclusion());
        }
        if let Some(path) = cli.json.filter(|_| !to_stdout)
            && let Err(error) = std::fs::write(&path, json(&report))
        {
            eprintln!("storepulse-attacker: cannot write {}: {error}", path.display());
            return Ok(false);
        }
        Ok(report.passed())
    })
}

fn json(report: &Report) -> String {
    // Strings, numbers and lists: this does not fail.
    serde_json::to_string_pretty(report).unwrap_or_default()
}
