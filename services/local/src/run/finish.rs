//! The end of a finite run: the audit, and a summary.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use super::child::program;
use super::report;
use super::view::{group, money};
use super::watch::Watch;
use crate::context::Context;
use crate::env_files::Environment;
use crate::error::{Error, FileContext, Result};
use crate::paths::Paths;
use crate::process::identify;

/// How long the audit waits for the last documents.
const WAIT_SECONDS: &str = "120";

/// Compares every document with what the topic says, and with the simulator's ledger when there is one.
/// Returns whether they are equal.
pub(super) async fn audit(
    environment: &Environment,
    ledger: Option<&Path>,
    paths: &Paths,
    context: &Context,
) -> Result<bool> {
    let program = program("analytics")?;
    let mut command = Command::new(&program);
    command.args(["audit", "--wait-seconds", WAIT_SECONDS]);
    if let Some(ledger) = ledger {
        command.arg("--ledger").arg(ledger);
    }
    say("\naudit:");
    let mut child = command
        .envs(environment.iter().map(|(name, value)| (*name, value)))
        // Its words go to a person, not to a log.
        .envs([("LOG_FORMAT", "human"), ("LOG_LEVEL", "info,firestore=warn")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .file("start", &program)?;
    let process = child.id().and_then(identify);
    let log = paths.service_log("audit");
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (_, _, status) = tokio::join!(show(stdout, &log), show(stderr, &log), child.wait());
        status
    };
    let status = tokio::select! {
        status = work => status.file("wait for", &program)?,
        () = context.cancel.cancelled() => {
            if let Some(process) = process {
                process.kill();
            }
            return Err(Error::Interrupted);
        }
    };
    match status.code() {
        Some(0) => {}
        Some(1) => say("  the audit found differences (exit code 1)"),
        _ => say(&format!("  the audit could not be made ({status})")),
    }
    Ok(status.success())
}

/// Passes output on, to the user and to the log.
async fn show(output: Option<impl AsyncRead + Unpin>, log: &Path) {
    let Some(output) = output else { return };
    let mut log = OpenOptions::new().create(true).append(true).mode(0o600).open(log).ok();
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        say(&format!("  {line}"));
        if let Some(log) = &mut log {
            let _ = writeln!(log, "{line}");
        }
    }
}

/// Says in a few lines how the run went.
pub(super) async fn summarise(watch: &Watch, environment: &Environment, exact: bool) {
    let view = watch.view();
    let reading = &view.reading;
    let count = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| group(&format!("{value:.0}")));
    say("\nsummary:");
    say(&format!("  events      {} aggregated in {:.0} s", count(reading.aggregated), view.elapsed.as_secs_f64()));
    say(&format!(
        "  odd         {} duplicates, {} dead letters, {} delivery errors",
        count(reading.duplicates.or(Some(0.0))),
        count(reading.dead_letters.or(Some(0.0))),
        count(reading.delivery_errors.or(Some(0.0)))
    ));
    if let (Some(documents), Some(events)) = (reading.documents, reading.aggregated.filter(|events| *events > 0.0)) {
        let per_event = documents / events;
        say(&format!("  documents   {} written, {per_event:.4} per event", count(Some(documents))));
    }
    // Once more, as the last documents came after the last report.
    if let Some(report) = report::read(environment).await.or_else(|| view.report.clone()) {
        let revenue = money(report.revenue_minor, &report.currency);
        say(&format!("  revenue     {revenue} on {} ({} purchases)", report.day, report.purchase_count));
    }
    say(if exact {
        "  result      every document equals the reference"
    } else {
        "  result      NOT EXACT: see the audit above"
    });
}

fn say(line: &str) {
    // A reader that went away is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}
