//! What every long operation needs: someone to tell, and a way to be told to stop.

use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, FileContext, Result};
use crate::progress::Progress;

/// How much of a failed program's output is shown.
const SHOWN_LINES: usize = 12;

/// Progress display and cancellation.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where progress is shown.
    pub progress: Progress,
    /// Cancelled by Ctrl-C and SIGTERM.
    pub cancel: CancellationToken,
}

impl Context {
    /// Shows nothing, is never cancelled: for tests.
    pub fn quiet() -> Self {
        Self { progress: Progress::hidden(), cancel: CancellationToken::new() }
    }

    /// Waits, unless told to stop.
    pub(crate) async fn sleep(&self, duration: Duration) -> Result<()> {
        self.unless_cancelled(tokio::time::sleep(duration)).await
    }

    /// Does the work, unless told to stop first.
    pub(crate) async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            done = work => Ok(done),
            () = self.cancel.cancelled() => Err(Error::Interrupted),
        }
    }

    /// Runs a helper program to its end, and takes it and its children down when told to stop.
    pub(crate) async fn run(&self, what: &str, command: std::process::Command) -> Result<Output> {
        let program = command.get_program().to_owned();
        let mut command = tokio::process::Command::from(command);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .file("start", program.as_ref())?;
        let group = child.id().and_then(|pid| i32::try_from(pid).ok());
        let mut wait = Box::pin(child.wait_with_output());
        let output = tokio::select! {
            output = &mut wait => output.file("run", program.as_ref())?,
            () = self.cancel.cancelled() => {
                for signal in [Signal::SIGTERM, Signal::SIGKILL] {
                    // Not reaped yet, so the number is still this child's.
                    if let Some(group) = group {
                        let _ = killpg(Pid::from_raw(group), signal);
                    }
                    if tokio::time::timeout(Duration::from_secs(2), &mut wait).await.is_ok() {
                        break;
                    }
                }
                return Err(Error::Interrupted);
            }
        };
        if output.status.success() {
            return Ok(output);
        }
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty() && !is_stack_frame(line)).collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        Err(Error::Command {
            what: what.to_owned(),
            status: output.status.to_string(),
            output: shown.iter().flat_map(|line| ["\n  ", line]).collect(),
        })
    }
}

/// A line of a Java stack trace, which says nothing to a user.
fn is_stack_frame(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("at ") && line.ends_with(')')
}
