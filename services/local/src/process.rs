//! Processes that outlive this one, recognised without mistaking a stranger for them.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::error::{Error, FileContext, Result};

/// How often a dying process is looked at.
const POLL: Duration = Duration::from_millis(25);

/// A process, told apart from a later one with the same number by when it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    pid: i32,
    started: String,
}

impl ProcessId {
    /// The process number, for display.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Does this very process run?
    pub fn is_alive(&self) -> bool {
        start_of(self.pid).is_some_and(|started| started == self.started)
    }

    /// Sends a signal to the process and its descendants in its group; a dead one is left alone.
    pub fn signal(&self, signal: Signal) {
        if self.is_alive() {
            // It may end between the look and the signal; nobody else can take over a group number that soon.
            let _ = killpg(Pid::from_raw(self.pid), signal);
        }
    }

    /// Kills the process at once and waits until it is gone.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
        let start = Instant::now();
        while self.is_alive() && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(POLL);
        }
        self.reap();
    }

    /// Asks the process to stop, and kills it when it has not within `patience`.
    pub async fn stop(&self, patience: Duration) -> Stopped {
        if !self.is_alive() {
            return Stopped::WasDead;
        }
        self.signal(Signal::SIGTERM);
        let gracefully = self.wait(patience).await;
        if !gracefully {
            self.signal(Signal::SIGKILL);
            self.wait(Duration::from_secs(10)).await;
        }
        self.reap();
        if gracefully { Stopped::Gracefully } else { Stopped::Killed }
    }

    /// Takes note of a dead child, so that it does not linger in the process table. Not ours: someone else's business.
    fn reap(&self) {
        if !self.is_alive() {
            let _ = waitpid(Pid::from_raw(self.pid), Some(WaitPidFlag::WNOHANG));
        }
    }

    async fn wait(&self, patience: Duration) -> bool {
        let start = Instant::now();
        while self.is_alive() {
            if start.elapsed() > patience {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }
}

/// How a process ended when it was told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It was not running.
    WasDead,
    /// It stopped when asked.
    Gracefully,
    /// It had to be killed.
    Killed,
}

/// Starts a program that keeps running when this one ends, detached from the terminal, its output appended to `output`.
///
/// It gets a process group of its own, so that a Ctrl-C in the terminal does not reach it.
pub(crate) fn spawn_detached(mut command: Command, output: &Path) -> Result<ProcessId> {
    let log = open_log(output)?;
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command
        .stdin(Stdio::null())
        .stdout(log.try_clone().file("open", output)?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .file("start", Path::new(&program))?;
    identify(child.id()).ok_or_else(|| Error::Process {
        name: program,
        what: "ended at once".to_owned(),
        cause: format!("see {}", output.display()),
    })
}

/// Opens a log for appending; only this user can read a new one.
pub(crate) fn open_log(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).file("open", path)
}

/// The identity of a child just started: it can be gone, but its number can't be anyone else's yet.
pub(crate) fn identify(pid: u32) -> Option<ProcessId> {
    let pid = i32::try_from(pid).ok()?;
    let started = start_of(pid)?;
    Some(ProcessId { pid, started })
}

/// When a running process started, in a form only fit for comparison; `None` for a dead one or a zombie.
#[cfg(target_os = "linux")]
fn start_of(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold spaces and parentheses; fields 3 (state) and 22 (start time) follow it.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    let ticks = fields.nth(18)?;
    // Ticks count from the boot, and numbers repeat after one.
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{ticks}@{}", boot.trim()))
}

/// When a running process started, in a form only fit for comparison; `None` for a dead one or a zombie.
#[cfg(not(target_os = "linux"))]
fn start_of(pid: i32) -> Option<String> {
    let output = Command::new("ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).output().ok()?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let (state, started) = line.split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_number_is_a_stranger() {
        let mut own = identify(std::process::id()).unwrap();
        assert!(own.is_alive());
        own.started.push('0');
        assert!(!own.is_alive());
    }

    #[tokio::test]
    async fn a_process_that_ignores_sigterm_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; echo armed; while :; do sleep 0.05; done"]);
        let output = dir.path().join("out");
        let process = spawn_detached(command, &output).unwrap();
        while std::fs::read_to_string(&output).unwrap().is_empty() {
            std::thread::sleep(POLL);
        }
        let stopped = process.stop(Duration::from_millis(200)).await;
        assert_eq!(stopped, Stopped::Killed);
        assert_eq!(process.stop(Duration::ZERO).await, Stopped::WasDead);
    }

    #[tokio::test]
    async fn a_stopped_process_takes_its_children_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & echo $!; wait"]);
        let output = dir.path().join("out");
        let process = spawn_detached(command, &output).unwrap();
        let grandchild = loop {
            let text = std::fs::read_to_string(&output).unwrap();
            if text.ends_with('\n') {
                break identify(text.trim().parse().unwrap()).unwrap();
            }
            std::thread::sleep(POLL);
        };
        assert_eq!(process.stop(Duration::from_secs(5)).await, Stopped::Gracefully);
        assert!(grandchild.wait(Duration::from_secs(2)).await);
    }
}
