//! The stream of events: one simulator after another, and what they say that they have sent.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value as Json;

use super::memory::{Role, Watch};
use crate::random::Random;
use crate::{Metrics, Pipeline, Reckoning, Run, Service};

/// For a process to be gone.
const END: Duration = Duration::from_secs(20);
/// Between the end of a simulator that failed and its next start.
const PAUSE: Duration = Duration::from_secs(1);

/// What the stream is like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Events a second.
    pub rate: u32,
    /// Where simulators' seeds come from. Two with the same seed would send the same events.
    pub seed: u64,
}

/// The stream.
#[derive(Debug)]
pub struct Stream {
    settings: Settings,
    seeds: Random,
    run: Option<Run>,
    /// What the running simulator said last.
    last: Metrics,
    /// Events of those before it.
    before: u64,
    away: bool,
    pause: Option<Instant>,
    /// What must be in the topic at least: all that was acknowledged to those that have ended.
    pub acknowledged: Reckoning,
    /// Whether nothing else can be in the topic: nobody was killed between an acknowledgement and its entry.
    pub is_exact: bool,
    /// Ledgers that were written.
    pub ledgers: usize,
    /// What no simulator may do.
    pub problems: Vec<String>,
}

impl Stream {
    /// No stream yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            seeds: Random::new(settings.seed ^ 0x5f0e),
            settings,
            run: None,
            last: Metrics::default(),
            before: 0,
            away: false,
            pause: None,
            acknowledged: Reckoning::default(),
            is_exact: true,
            ledgers: 0,
            problems: Vec::new(),
        }
    }

    /// Starts a simulator.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&mut self, pipeline: &mut Pipeline, watch: &Watch) -> anyhow::Result<()> {
        let (rate, seed) = (format!("--rate={}", self.settings.rate), format!("--seed={}", self.seeds.number() >> 1));
        let disorder =
            ["--late=0.02", "--late-by-seconds=5", "--duplicates=0.02", "--out-of-order=0.05", "--malformed=0.003"];
        let run = pipeline.simulate(&[&[rate.as_str(), &seed], &disorder[..]].concat())?;
        watch.add(Role::Simulator, run.simulator.group());
        self.run = Some(run);
        self.away = false;
        self.pause = None;
        Ok(())
    }

    /// Events that were acknowledged so far, as far as is known.
    pub fn sent(&mut self) -> u64 {
        if let Some(run) = &self.run {
            let now = run.simulator.metrics();
            if now.sum(SENT) >= self.last.sum(SENT) {
                self.last = now;
            }
        }
        self.before + self.last.sum(SENT) as u64
    }

    /// Starts a simulator again that has ended by itself.
    ///
    /// # Errors
    /// When it does not start.
    pub fn tend(&mut self, pipeline: &mut Pipeline, watch: &Watch) -> anyhow::Result<()> {
        if self.away {
            return Ok(());
        }
        if let Some(run) = self.run.take_if(|run| run.simulator.has_ended()) {
            let ended = run.simulator.wait(END)?;
            self.problems.push(format!("the simulator ended with {}, see {}", ended.status, ended.log.display()));
            self.settle();
            self.pause = Some(Instant::now() + PAUSE);
        }
        if self.run.is_none() && self.pause.is_none_or(|pause| Instant::now() >= pause) {
            self.start(pipeline, watch)?;
        }
        Ok(())
    }

    /// Takes the last word of a simulator without a ledger for what it has sent at least.
    fn settle(&mut self) {
        let last = std::mem::take(&mut self.last);
        self.before += last.sum(SENT) as u64;
        self.acknowledged.events += last.sum(SENT) as u64;
        self.acknowledged.duplicates += last.sum("storepulse_simulator_duplicates_total") as u64;
        self.acknowledged.rejected += last.sum("storepulse_simulator_malformed_total") as u64;
        self.is_exact = false;
    }

    /// SIGKILL to a worker; the supervisor starts another one.
    ///
    /// # Errors
    /// When there is none.
    pub fn kill_worker(&mut self, worker: usize) -> anyhow::Result<()> {
        let run = self.run.as_ref().context("there is no simulator")?;
        let mut workers = run.simulator.children();
        workers.sort_unstable();
        let worker = workers.get(worker % workers.len().max(1)).context("the simulator has no workers")?;
        kill(Pid::from_raw(*worker), Signal::SIGKILL)?;
        // What was acknowledged since its last report is in the topic, and in no ledger.
        self.is_exact = false;
        Ok(())
    }

    /// SIGKILL to the simulator, alone or with its workers. It stays away until [`Self::start`].
    ///
    /// # Errors
    /// When there is none.
    pub fn kill(&mut self, with_workers: bool) -> anyhow::Result<()> {
        self.sent();
        let run = self.run.take().context("there is no simulator")?;
        self.away = true;
        if with_workers {
            run.simulator.signal(Signal::SIGKILL);
        } else {
            kill(Pid::from_raw(run.simulator.group()), Signal::SIGKILL)?;
        }
        run.simulator.wait(END)?;
        self.settle();
        Ok(())
    }

    /// Ends the stream: the simulator is told to stop, delivers what is in flight, and writes its ledger.
    ///
    /// # Errors
    /// When there is no simulator, or it leaves no ledger.
    pub fn end(&mut self) -> anyhow::Result<()> {
        self.sent();
        let Some(run) = self.run.take() else { return Ok(()) };
        self.away = true;
        run.simulator.signal(Signal::SIGTERM);
        let ended = run.simulator.wait(END)?;
        let ledger: Json = serde_json::from_slice(&std::fs::read(&run.ledger)?)
            .with_context(|| format!("the ledger of the simulator, see {}", ended.log.display()))?;
        if ended.code() != Some(0) {
            let errors = &ledger["delivery_errors"];
            self.problems.push(format!(
                "the simulator ended with {} and {errors} delivery errors, see {}",
                ended.status,
                ended.log.display()
            ));
            self.is_exact = false;
        }
        let before = self.acknowledged.events;
        self.acknowledged.add_ledger(&ledger)?;
        self.before += self.acknowledged.events - before;
        self.last = Metrics::default();
        self.ledgers += 1;
        Ok(())
    }

    /// The simulator, while there is one.
    pub fn simulator(&mut self) -> Option<&mut Service> {
        self.run.as_mut().map(|run| &mut run.simulator)
    }
}

/// Events that the simulator has sent and had acknowledged.
const SENT: &str = "storepulse_simulator_events_produced_total";
