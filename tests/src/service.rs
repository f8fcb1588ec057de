//! A program of this workspace as a process.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::{Metrics, Secrets, cleanup, http, wait};

/// Where the services are given their environment from; all else of this process' own is kept from them.
const INHERITED: [&str; 6] = ["PATH", "HOME", "JAVA_HOME", "LANG", "FIRESTORE_EMULATOR_JAR", "CLOUDSDK_ROOT_DIR"];
/// How many lines of a log are shown.
const SHOWN_LINES: usize = 15;
/// For an answer that needs nothing but the process itself.
const ANSWER: Duration = Duration::from_secs(60);

/// A program and how to start it.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// Its name without `storepulse-`, and the name of its logs.
    pub name: String,
    /// Arguments.
    pub arguments: Vec<String>,
    /// Variables; a later one of the same name counts.
    pub environment: Vec<(String, String)>,
    /// Whether it starts processes outside its group, which it has to be given the time to stop.
    pub has_others: bool,
}

impl Spec {
    /// The program called `storepulse-<name>`.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// Adds or replaces variables.
    #[must_use]
    pub fn environment<K: Into<String>, V: Into<String>>(mut self, all: impl IntoIterator<Item = (K, V)>) -> Self {
        self.environment.extend(all.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn set(self, name: &str, value: impl Into<String>) -> Self {
        self.environment([(name, value)])
    }

    /// Takes a variable away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(variable, _)| variable != name);
        self
    }
}

/// Reads a variable of the environment as command lines have it: `NAME=VALUE`.
///
/// # Errors
/// When there is no `=`.
pub fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// How a process ended, and what it said.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The program.
    pub name: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Where standard error went.
    pub log: PathBuf,
    /// From the order to stop, or the start, to the end.
    pub took: Duration,
}

impl Ended {
    /// The exit code; `None` after a signal.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended it; `None` when it ended by itself.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Insists on an exit code, and on no panic whatever the code.
    ///
    /// # Errors
    /// Another code; the message has the end of the output.
    pub fn expect_code(&self, code: i32) -> anyhow::Result<&Self> {
        let said = format!("{}\n{}", last_lines(&self.stdout), last_lines(&self.stderr));
        ensure!(!self.stderr.contains("panicked at"), "{} panicked:\n{said}", self.name);
        ensure!(self.code() == Some(code), "{} ended with {}, expected {code}:\n{said}", self.name, self.status);
        Ok(self)
    }
}

/// A running process. Killed with its group when dropped.
#[derive(Debug)]
pub struct Service {
    name: String,
    child: Child,
    group: i32,
    address: String,
    stdout: PathBuf,
    stderr: PathBuf,
    started: Instant,
    has_others: bool,
    ended: Option<ExitStatus>,
    secrets: Arc<Secrets>,
}

impl Service {
    /// Starts a program. Its output goes to `logs/<number>-<name>.out` and `.log`; `HTTP_ADDRESS` is set to a free port.
    ///
    /// # Errors
    /// When the program is missing or does not start.
    pub fn start(spec: &Spec, logs: &Path, number: u32, secrets: &Arc<Secrets>) -> anyhow::Result<Self> {
        let program = program(&spec.name)?;
        let log = |ending: &str| logs.join(format!("{number:03}-{}.{ending}", spec.name));
        let (stdout, stderr) = (log("out"), log("log"));
        let create = |path: &Path| File::create(path).with_context(|| format!("creating {}", path.display()));
        let (out, err) = (create(&stdout)?, create(&stderr)?);
        let address = free_address()?;
        let mut command = Command::new(&program);
        command.env_clear();
        command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        // Names of instances are locked in the directory for temporary files: no quarrel with others of this machine.
        command.env("TMPDIR", logs).env("HTTP_ADDRESS", &address);
        command.envs(spec.environment.iter().map(|(name, value)| (name, value)));
        command.args(&spec.arguments).stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let mut child = None;
        let group = cleanup::started(|| -> anyhow::Result<i32> {
            let started = command.spawn().with_context(|| format!("starting {}", program.display()))?;
            let group = i32::try_from(started.id())?;
            child = Some(started);
            Ok(group)
        })?;
        let Some(child) = child else { bail!("no process") };
        Ok(Self {
            name: spec.name.clone(),
            child,
            group,
            address,
            stdout,
            stderr,
            started: Instant::now(),
            has_others: spec.has_others,
            ended: None,
            secrets: secrets.clone(),
        })
    }

    /// The process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its standard error goes.
    pub fn log(&self) -> &Path {
        &self.stderr
    }

    /// Asks it for a page; the answer is searched for passwords.
    pub fn page(&self, path: &str) -> Option<(u16, String)> {
        let (status, body) = http::ask("GET", &self.address, path)?;
        self.secrets.look(&format!("{path} of {}", self.name), body.as_bytes());
        Some((status, body))
    }

    /// What it says of itself now; nothing while it does not answer.
    pub fn metrics(&self) -> Metrics {
        self.page("/metrics").map(|(_, page)| Metrics::parse(&page)).unwrap_or_default()
    }

    /// Has it ended?
    pub fn has_ended(&mut self) -> bool {
        self.status().is_some()
    }

    fn status(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Waits until it says something; it must not end meanwhile.
    fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut probe: impl FnMut(&Self) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let found = wait::until(what, limit, || match self.status() {
            Some(status) => Ok(Err(status)),
            None => probe(self).map(Ok),
        })?;
        found.map_err(|status| anyhow::anyhow!("{} ended ({status}) before {what}", self.name))
    }

    /// Waits until `/readyz` says yes.
    ///
    /// # Errors
    /// When it does not within a minute, or the process ends.
    pub fn until_ready(&mut self) -> anyhow::Result<()> {
        let what = format!("{} is ready", self.name);
        self.until(&what, ANSWER, |service| match service.page("/readyz") {
            Some((200, _)) => Ok(()),
            Some((_, why)) => Err(why),
            None => Err("no answer".to_owned()),
        })
    }

    /// Waits until `/readyz` says no, for a reason with `word` in it.
    ///
    /// # Errors
    /// When it does not within a minute, or the process ends.
    pub fn until_unready(&mut self, word: &str) -> anyhow::Result<()> {
        let what = format!("{} says that there is a problem with `{word}`", self.name);
        self.until(&what, ANSWER, |service| match service.page("/readyz") {
            Some((503, why)) if why.lines().any(|line| line.starts_with("[-]") && line.contains(word)) => Ok(()),
            other => Err(format!("{other:?}")),
        })
    }

    /// Waits until the sum of a metric is at least so much.
    ///
    /// # Errors
    /// When it is not within the limit, or the process ends.
    pub fn until_at_least(&mut self, metric: &str, least: f64, limit: Duration) -> anyhow::Result<f64> {
        self.until(&format!("{metric} is {least}"), limit, |service| match service.metrics().sum(metric) {
            sum if sum >= least => Ok(sum),
            sum => Err(sum.to_string()),
        })
    }

    /// Waits until a condition on its metrics holds.
    ///
    /// # Errors
    /// When it does not within the limit, or the process ends.
    pub fn until_metrics(
        &mut self,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Metrics) -> bool,
    ) -> anyhow::Result<()> {
        self.until(what, limit, |service| {
            let metrics = service.metrics();
            if holds(&metrics) { Ok(()) } else { Err("not yet".to_owned()) }
        })
    }

    /// Kills it as a power cut would.
    ///
    /// # Errors
    /// When it had ended by itself.
    pub fn kill(mut self) -> anyhow::Result<Ended> {
        ensure!(!self.has_ended(), "{} had ended before it could be killed", self.name);
        self.signal(Signal::SIGKILL);
        let ended = self.wait(Duration::from_secs(10))?;
        ensure!(ended.signal() == Some(9), "{} ended with {}", ended.name, ended.status);
        Ok(ended)
    }

    /// Asks it to stop, and insists that it does, well, within 10 s.
    ///
    /// # Errors
    /// When it does not, or exits with another code than 0.
    pub fn stop(mut self) -> anyhow::Result<Ended> {
        ensure!(!self.has_ended(), "{} had ended before it was told to", self.name);
        self.started = Instant::now();
        self.signal(Signal::SIGTERM);
        let ended = self.wait(Duration::from_secs(10))?;
        ended.expect_code(0)?;
        Ok(ended)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not end within the limit.
    pub fn wait(mut self, limit: Duration) -> anyhow::Result<Ended> {
        let what = format!("{} has ended", self.name);
        let status = wait::until(&what, limit, || self.status().ok_or_else(|| "it runs".to_owned()))?;
        let took = self.started.elapsed();
        let read = |path: &Path| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let (stdout, stderr) = (read(&self.stdout)?, read(&self.stderr)?);
        Ok(Ended { name: self.name.clone(), status, stdout, stderr, log: self.stderr.clone(), took })
    }

    /// The number of its process group, which is its own process' number.
    pub fn group(&self) -> i32 {
        self.group
    }

    /// The processes that it has started itself and that still run.
    pub fn children(&self) -> Vec<i32> {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
        numbers.filter(|pid| runs(*pid) && stat(*pid).is_some_and(|(_, parent)| parent == self.group)).collect()
    }

    /// Waits until it stands still: SIGSTOP has reached it, whoever sent it.
    ///
    /// # Errors
    /// When it does not within the limit, or ends.
    pub fn until_frozen(&mut self, limit: Duration) -> anyhow::Result<()> {
        let what = format!("{} stands still", self.name);
        self.until(&what, limit, |service| match stat(service.group) {
            Some(('T', _)) => Ok(()),
            other => Err(format!("{other:?}")),
        })
    }

    /// Stops it where it is (SIGSTOP), or lets it go on (SIGCONT).
    pub fn pause(&self, pause: bool) {
        self.signal(if pause { Signal::SIGSTOP } else { Signal::SIGCONT });
    }

    /// Sends a signal to it and to whatever it has started.
    pub fn signal(&self, signal: Signal) {
        // Nobody else can have the number: the leader is a child of ours, and not reaped, or its group is empty.
        let _ = killpg(Pid::from_raw(self.group), signal);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.has_others && self.status().is_none() {
            self.signal(Signal::SIGTERM);
            let _ = wait::until("it stops", Duration::from_secs(60), || self.status().ok_or_else(String::new));
        }
        if self.status().is_none() {
            self.signal(Signal::SIGKILL);
            let _ = self.child.wait();
        }
        cleanup::ended(self.group);
    }
}

/// The binary of a service: it lies beside the running program, or, for a test, beside the tests' own directory.
///
/// # Errors
/// When it is not there; the message says how to get it.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding the running program")?;
    let name = format!("storepulse-{name}");
    let dirs: Vec<&Path> = own.ancestors().skip(1).take(2).collect();
    let found = dirs.iter().map(|dir| dir.join(&name)).find(|program| program.is_file());
    found.with_context(|| {
        let dir = dirs.last().map(|dir| dir.display().to_string()).unwrap_or_default();
        format!("{dir}/{name} is missing: build all binaries first, with `cargo build --workspace --bins` (`make test` does)")
    })
}

/// Whether a process runs: a dead one that nobody has taken note of does not.
pub fn runs(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

/// A process' state, a letter, and its parent (`man 5 proc`).
fn stat(pid: i32) -> Option<(char, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// An address nobody listens on now.
fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// The end of a text.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}
