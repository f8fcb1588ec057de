//! A service that `run` starts and looks after.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};

use crate::env_files::Environment;
use crate::error::{Error, FileContext, Result};
use crate::files::last_lines;
use crate::process::{ProcessId, identify, open_log};

/// Services promise to drain within 10 s; a little more, as the machine is busy.
const PATIENCE: Duration = Duration::from_secs(15);
/// How many lines of a dead service's log are shown.
const SHOWN_LINES: usize = 12;

/// A running service, its output in a log file. Killed when dropped.
#[derive(Debug)]
pub(super) struct Service {
    name: &'static str,
    child: Child,
    process: Option<ProcessId>,
    log: PathBuf,
}

impl Service {
    /// Starts `storepulse-<name>` in a process group of its own: a Ctrl-C in the terminal is for us alone.
    pub(super) fn start(
        name: &'static str,
        arguments: &[String],
        environment: &Environment,
        log: &Path,
    ) -> Result<Self> {
        let output = open_log(log)?;
        let program = program(name)?;
        let child = Command::new(&program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone().file("open", log)?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .file("start", &program)?;
        let process = child.id().and_then(identify);
        Ok(Self { name, child, process, log: log.to_owned() })
    }

    /// The name of its program.
    pub(super) fn full_name(&self) -> String {
        format!("storepulse-{}", self.name)
    }

    /// For the state file: who it is.
    pub(super) fn process(&self) -> Option<(String, ProcessId)> {
        Some((self.name.to_owned(), self.process.clone()?))
    }

    /// Its exit status, when it has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// What to say of a service that ended when it should not have.
    pub(super) fn failure(&self, status: ExitStatus) -> Error {
        let lines = last_lines(&self.log, SHOWN_LINES);
        Error::Process {
            name: self.full_name(),
            what: format!("ended ({status})"),
            cause: format!("the end of its log:\n  {}", lines.join("\n  ")),
        }
    }

    /// Asks it to stop, waits, and kills it when it does not. Returns how it ended.
    pub(super) async fn stop(&mut self) -> Option<ExitStatus> {
        if let Some(process) = &self.process {
            process.signal(Signal::SIGTERM);
        }
        if let Ok(ended) = tokio::time::timeout(PATIENCE, self.child.wait()).await {
            return ended.ok();
        }
        if let Some(process) = &self.process {
            process.signal(Signal::SIGKILL);
        }
        self.child.wait().await.ok()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // With its worker processes, which `kill_on_drop` does not know.
        if let Some(process) = &self.process {
            process.signal(Signal::SIGKILL);
        }
    }
}

/// The binary of a service: built together with this one, so it lies beside it.
pub(crate) fn program(service: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().file("find", Path::new("the running program"))?;
    let name = format!("storepulse-{service}");
    // A test's binary is in `deps`, one level down.
    let found = own.ancestors().skip(1).take(2).map(|dir| dir.join(&name)).find(|program| program.is_file());
    found.ok_or_else(|| Error::Missing {
        program: name.clone(),
        reason: format!("it is not beside {}", own.display()),
        advice: format!("Build it the same way: cargo build -p {name}, with --release if this program was"),
    })
}
