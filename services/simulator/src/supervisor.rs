//! Starts the workers, adds up what they report, starts again those that die, and stops them all.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::ledger::Sum;
use crate::metrics::Metrics;
use crate::protocol::Report;
use crate::rng::Rng;
use crate::settings::{Assignment, Settings};
use crate::worker::wall_clock;

/// A worker that lives shorter than this has died quickly.
const QUICK: Duration = Duration::from_secs(10);
/// Quick deaths in a row after which a finite run gives up.
const MAX_QUICK_DEATHS: u32 = 5;
/// Waiting time before the first restart; it doubles with each quick death.
const BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// How long a worker may take to stop before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(9);

/// Why a run fails.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// A worker can't be started.
    #[error("cannot start worker {worker}: {source}")]
    Start {
        /// Which, from 0.
        worker: u32,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A worker refuses the configuration; its own message says why.
    #[error("worker {0} refuses the configuration")]
    Refused(u32),
    /// A worker keeps dying.
    #[error("worker {worker} died {deaths} times in a row within {} s of its start ({last}); giving up", QUICK.as_secs())]
    Dying {
        /// Which, from 0.
        worker: u32,
        /// How often.
        deaths: u32,
        /// How it died the last time.
        last: String,
    },
}

/// How workers are started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// What a run has come to.
#[derive(Debug)]
pub struct Progress {
    sum: Mutex<Sum>,
    open: Vec<std::sync::atomic::AtomicU32>,
    metrics: Metrics,
}

impl Progress {
    /// A run with so many workers that has done nothing yet.
    pub fn new(workers: u32, metrics: Metrics) -> Self {
        Self { sum: Mutex::default(), open: (0..workers).map(|_| 0.into()).collect(), metrics }
    }

    /// What has been reported so far.
    pub fn sum(&self) -> MutexGuard<'_, Sum> {
        self.sum.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, worker: u32, report: &Report) {
        use std::sync::atomic::Ordering::Relaxed;
        self.sum().add(&report.part);
        self.metrics.count(&report.part);
        self.open[worker as usize].store(report.open_sessions, Relaxed);
        self.metrics.sessions_open.set(self.open.iter().map(|open| i64::from(open.load(Relaxed))).sum());
    }
}

/// Runs all workers until they have finished, or until `stop` is cancelled, which stops them. On an error all are
/// stopped, too.
///
/// # Errors
///
/// The first worker's error.
pub async fn run(
    settings: &Settings,
    seed: u64,
    launch: &Launch,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> Result<(), SupervisorError> {
    let started = wall_clock();
    let all = stop.child_token();
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..settings.processes {
        let assignment = Assignment {
            worker,
            seed,
            incarnation: 0,
            started,
            origin: settings.origin(started),
            skip: 0,
            skip_bytes: 0,
        };
        let keeper = Keeper {
            settings: settings.clone(),
            launch: launch.clone(),
            progress: progress.clone(),
            stop: all.clone(),
            assignment,
            finished: false,
        };
        tasks.spawn(keeper.keep());
    }
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        if let Ok(Err(error)) = ended
            && outcome.is_ok()
        {
            outcome = Err(error);
            all.cancel();
        }
    }
    outcome
}

/// Keeps one worker alive.
struct Keeper {
    settings: Settings,
    launch: Launch,
    progress: Arc<Progress>,
    stop: CancellationToken,
    assignment: Assignment,
    finished: bool,
}

impl Keeper {
    async fn keep(mut self) -> Result<(), SupervisorError> {
        let worker = self.assignment.worker;
        let mut jitter = Rng::new(wall_clock() as u64 ^ u64::from(worker) << 32);
        let mut deaths = 0;
        loop {
            let born = Instant::now();
            self.progress.metrics.workers.inc();
            let ended = self.live().await;
            self.progress.metrics.workers.dec();
            let status = ended.map_err(|source| SupervisorError::Start { worker, source })?;
            if self.finished || self.stop.is_cancelled() {
                return Ok(());
            }
            if status.code() == Some(2) {
                return Err(SupervisorError::Refused(worker));
            }
            deaths = if born.elapsed() < QUICK { deaths + 1 } else { 1 };
            if deaths >= MAX_QUICK_DEATHS && self.settings.is_finite() {
                return Err(SupervisorError::Dying { worker, deaths, last: status.to_string() });
            }
            let wait = backoff(deaths, jitter.unit());
            tracing::warn!(worker, %status, ?wait, "a worker died; starting it again");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.stop.cancelled() => return Ok(()),
            }
            self.progress.metrics.restarts.inc();
            if !self.settings.is_finite() {
                begin_anew(&mut self.assignment, wall_clock(), &self.settings);
            }
        }
    }

    /// One life of the worker, from start to end.
    async fn live(&mut self) -> std::io::Result<ExitStatus> {
        let mut child = Command::new(&self.launch.program)
            .args(&self.launch.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (mut input, output) = (child.stdin.take(), child.stdout.take());
        if let Some(input) = &mut input {
            let mut line = serde_json::to_vec(&self.assignment)?;
            line.push(b'\n');
            // If the worker is dead already, its exit status says more than a broken pipe.
            let _ = input.write_all(&line).await;
        }
        if let Some(output) = output {
            let mut lines = BufReader::with_capacity(1 << 16, output).lines();
            let mut deadline = None;
            loop {
                let limit = deadline.unwrap_or_else(|| tokio::time::Instant::now() + Duration::from_secs(3600));
                tokio::select! {
                    line = lines.next_line() => match line {
                        Ok(Some(line)) => self.heard(&line),
                        Ok(None) | Err(_) => break,
                    },
                    () = self.stop.cancelled(), if deadline.is_none() => {
                        deadline = Some(tokio::time::Instant::now() + STOP_LIMIT);
                        input = None;
                    }
                    () = tokio::time::sleep_until(limit), if deadline.is_some() => {
                        tracing::warn!(worker = self.assignment.worker, "a worker does not stop; killing it");
                        child.start_kill()?;
                        break;
                    }
                }
            }
        }
        drop(input);
        end(&mut child).await
    }

    fn heard(&mut self, line: &str) {
        match serde_json::from_str::<Report>(line) {
            Ok(report) => {
                self.progress.report(self.assignment.worker, &report);
                follow(&mut self.assignment, &report, &self.settings);
                self.finished |= report.finished;
            }
            Err(error) => tracing::error!(%error, "a worker's report can't be understood"),
        }
    }
}

/// Waits for the end of a process that has closed its output, and kills it if it does not come.
async fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    match tokio::time::timeout(Duration::from_secs(5), child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            child.start_kill()?;
            child.wait().await
        }
    }
}

/// Where the worker's next life would go on, after this report. In a finite run it repeats its first life and sends
/// nothing that is settled.
fn follow(assignment: &mut Assignment, report: &Report, settings: &Settings) {
    assignment.skip_bytes = assignment.skip_bytes.max(report.file_bytes);
    if settings.is_finite() {
        assignment.skip += report.part.messages;
    } else if settings.from.is_some() || settings.pace == crate::settings::Pace::FlatOut {
        assignment.origin = report.clock.unwrap_or(assignment.origin);
    }
}

/// Gives a worker of an endless run new random numbers, and lets it go on from now (in simulated time from where it was).
fn begin_anew(assignment: &mut Assignment, now: i64, settings: &Settings) {
    assignment.incarnation += 1;
    assignment.started = now;
    if settings.origin(now) == now {
        assignment.origin = now;
    }
}

/// Half to all of the doubled waiting time.
fn backoff(deaths: u32, jitter: f64) -> Duration {
    let full = BACKOFF.saturating_mul(1 << deaths.saturating_sub(1).min(16)).min(MAX_BACKOFF);
    full.mul_f64(0.5 + jitter / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_a_limit() {
        assert_eq!(backoff(1, 1.0), BACKOFF);
        assert_eq!(backoff(2, 1.0), BACKOFF * 2);
        assert_eq!(backoff(2, 0.0), BACKOFF);
        assert_eq!(backoff(60, 1.0), MAX_BACKOFF);
    }
}
