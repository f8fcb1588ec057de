//! The instances of analytics, looked after as a supervisor would: one that ends by itself is started again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;

use super::memory::{Role, Watch};
use super::plan::SESSION_TIMEOUT_MS;
use crate::{Ended, Pipeline, Service, Spec, wait};

/// Partitions of the event topic, and of the delta topic.
const PARTITIONS: f64 = 12.0;
/// Between the end of an instance that failed and its next start.
const PAUSE: Duration = Duration::from_secs(1);
/// For a process to be gone after a SIGKILL, or to stop after a SIGTERM.
const END: Duration = Duration::from_secs(20);
/// The variable that arms a program with fail points.
const FAILPOINTS: &str = "FAILPOINTS";

/// How instances are started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the store is, as far as they know.
    pub store: String,
    /// A switch of `storepulse-analytics-failpoints` that breaks exactness.
    pub broken: Option<String>,
    /// Mebibytes of documents kept in memory.
    pub cache_megabytes: u32,
    /// Further variables.
    pub environment: Vec<(String, String)>,
}

/// The instances.
#[derive(Debug)]
pub struct Fleet {
    settings: Settings,
    slots: Vec<Slot>,
    /// Instances that ended by themselves with exit code 1, which says that a restart may help.
    pub restarts: usize,
    /// Armed instances that have killed themselves.
    pub strikes: usize,
    /// What no instance may do.
    pub problems: Vec<String>,
}

#[derive(Debug, Default)]
struct Slot {
    service: Option<Service>,
    /// Not before this is it started again.
    pause: Option<Instant>,
    /// It was armed to kill itself; nobody starts it again before that is seen.
    armed: bool,
    /// It stays away until somebody says otherwise.
    away: bool,
}

impl Fleet {
    /// No instances yet.
    pub const fn new(settings: Settings) -> Self {
        Self { settings, slots: Vec::new(), restarts: 0, strikes: 0, problems: Vec::new() }
    }

    /// How many there are to be.
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are to be none.
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn spec(&self, pipeline: &Pipeline, point: Option<(&str, u64)>) -> Spec {
        let strike = point.map(|(point, passes)| match passes {
            0 => format!("{point}=return(kill)"),
            passes => format!("{point}={passes}*off->return(kill)"),
        });
        let armed: Vec<String> =
            self.settings.broken.iter().map(|switch| format!("{switch}=on")).chain(strike).collect();
        let mut spec = pipeline
            .analytics_spec()
            .set("FIRESTORE_EMULATOR_HOST", &self.settings.store)
            .set("DOCUMENT_CACHE_MEGABYTES", self.settings.cache_megabytes.to_string())
            // The part of a recovery that is mere waiting for documents to be due should be small.
            .set("COLD_FLUSH_INTERVAL_MS", "2000")
            .set("KAFKA_SESSION_TIMEOUT_MS", SESSION_TIMEOUT_MS.to_string())
            .set("KAFKA_TRANSACTION_TIMEOUT_MS", SESSION_TIMEOUT_MS.to_string())
            .environment(self.settings.environment.clone());
        // With the newer protocol it is the brokers' own setting, and the same one on this cluster.
        if self.settings.environment.iter().any(|(name, value)| name == "KAFKA_GROUP_PROTOCOL" && value == "consumer") {
            spec = spec.without("KAFKA_SESSION_TIMEOUT_MS");
        }
        if !armed.is_empty() {
            spec.name = "analytics-failpoints".to_owned();
            spec = spec.set(FAILPOINTS, armed.join(";"));
        }
        spec
    }

    fn start(&mut self, pipeline: &mut Pipeline, watch: &Watch, slot: usize) -> anyhow::Result<()> {
        self.start_armed(pipeline, watch, slot, None)
    }

    fn start_armed(
        &mut self,
        pipeline: &mut Pipeline,
        watch: &Watch,
        slot: usize,
        point: Option<(&str, u64)>,
    ) -> anyhow::Result<()> {
        let service = pipeline.start(&self.spec(pipeline, point))?;
        watch.add(Role::Analytics, service.group());
        let armed = point.is_some();
        self.slots[slot] = Slot { service: Some(service), armed, ..Slot::default() };
        Ok(())
    }

    /// Starts or stops instances until there are so many. Stopping is graceful, the last started goes first.
    ///
    /// # Errors
    /// When one does not start.
    pub fn scale(&mut self, pipeline: &mut Pipeline, watch: &Watch, to: usize) -> anyhow::Result<()> {
        while self.slots.len() < to {
            self.slots.push(Slot::default());
            self.start(pipeline, watch, self.slots.len() - 1)?;
        }
        while self.slots.len() > to {
            if let Some(service) = self.slots.pop().and_then(|slot| slot.service) {
                self.stop_gracefully(service)?;
            }
        }
        Ok(())
    }

    /// Looks after all: those that ended by themselves are started again.
    ///
    /// # Errors
    /// When one does not start.
    pub fn tend(&mut self, pipeline: &mut Pipeline, watch: &Watch) -> anyhow::Result<()> {
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if slot.away {
                continue;
            }
            if let Some(service) = slot.service.take_if(Service::has_ended) {
                let was_armed = slot.armed;
                let ended = service.wait(END)?;
                let killed = ended.signal() == Some(Signal::SIGKILL as i32);
                self.strikes += usize::from(was_armed && killed);
                self.judge(&ended, was_armed && killed);
                let slot = &mut self.slots[index];
                slot.armed = false;
                slot.pause = Some(Instant::now() + PAUSE);
            }
            let slot = &self.slots[index];
            if slot.service.is_none() && slot.pause.is_none_or(|pause| Instant::now() >= pause) {
                self.start(pipeline, watch, index)?;
            }
        }
        Ok(())
    }

    /// An instance may end by itself with exit code 1 (a restart may help), and in no other way.
    fn judge(&mut self, ended: &Ended, expected: bool) {
        let log = ended.log.display();
        if ended.stderr.contains("panicked at") {
            self.problems.push(format!("an instance of analytics panicked, see {log}"));
        } else if ended.code() == Some(1) {
            self.restarts += 1;
        } else if !expected {
            self.problems.push(format!("an instance of analytics ended with {}, see {log}", ended.status));
        }
    }

    /// Takes an instance out of a slot that is to stay empty; `None` when it has just ended by itself.
    fn take(&mut self, index: usize) -> anyhow::Result<Option<Service>> {
        let slot = self.slots.get_mut(index).with_context(|| format!("there is no instance {}", index + 1))?;
        slot.away = true;
        let Some(mut service) = slot.service.take() else { return Ok(None) };
        if service.has_ended() {
            let ended = service.wait(END)?;
            self.judge(&ended, false);
            return Ok(None);
        }
        Ok(Some(service))
    }

    /// SIGKILL. It stays away until [`Self::give_back`].
    ///
    /// # Errors
    /// When there is no such instance.
    pub fn kill(&mut self, index: usize) -> anyhow::Result<()> {
        if let Some(service) = self.take(index)? {
            service.signal(Signal::SIGKILL);
            let ended = service.wait(END)?;
            self.judge(&ended, true);
        }
        Ok(())
    }

    /// SIGTERM, and waits for the end. It stays away until [`Self::give_back`].
    ///
    /// # Errors
    /// When there is no such instance.
    pub fn stop(&mut self, index: usize) -> anyhow::Result<()> {
        match self.take(index)? {
            Some(service) => self.stop_gracefully(service),
            None => Ok(()),
        }
    }

    fn stop_gracefully(&mut self, service: Service) -> anyhow::Result<()> {
        service.signal(Signal::SIGTERM);
        let ordered = Instant::now();
        let ended = service.wait(END)?;
        let log = ended.log.display();
        if ended.code() != Some(0) && ended.code() != Some(1) {
            self.problems.push(format!("told to stop, an instance ended with {}, see {log}", ended.status));
        }
        if ordered.elapsed() > Duration::from_secs(10) {
            let took = ordered.elapsed().as_secs_f64();
            self.problems.push(format!("an instance took {took:.1} s to stop instead of 10 at most, see {log}"));
        }
        Ok(())
    }

    /// Starts what was taken away from a slot.
    ///
    /// # Errors
    /// When it does not start.
    pub fn give_back(&mut self, pipeline: &mut Pipeline, watch: &Watch, index: usize) -> anyhow::Result<()> {
        if self.slots.get(index).is_some_and(|slot| slot.away) {
            self.start(pipeline, watch, index)?;
        }
        Ok(())
    }

    /// Replaces an instance, which is told to stop, by one that will kill itself at a point.
    ///
    /// # Errors
    /// When it does not start.
    pub fn arm(
        &mut self,
        pipeline: &mut Pipeline,
        watch: &Watch,
        index: usize,
        point: (&str, u64),
    ) -> anyhow::Result<()> {
        self.stop(index)?;
        self.start_armed(pipeline, watch, index, Some(point))
    }

    /// Whether an armed instance has ended, and was replaced by [`Self::tend`]: see [`Self::strikes`] for how.
    pub fn is_disarmed(&self, index: usize) -> bool {
        self.slots.get(index).is_none_or(|slot| !slot.armed)
    }

    /// Whether an instance has partitions of both stages.
    pub fn has_partitions(&self, index: usize) -> bool {
        let Some(service) = self.slots.get(index).and_then(|slot| slot.service.as_ref()) else { return false };
        let metrics = service.metrics();
        STAGES.iter().all(|stage| metrics.sum_where("storepulse_analytics_partitions_assigned", stage) > 0.0)
    }

    /// Sends SIGSTOP or SIGCONT.
    ///
    /// # Errors
    /// When there is no such instance.
    pub fn freeze(&mut self, index: usize, freeze: bool) -> anyhow::Result<()> {
        let slot = self.slots.get(index).with_context(|| format!("there is no instance {}", index + 1))?;
        if let Some(service) = &slot.service {
            service.signal(if freeze { Signal::SIGSTOP } else { Signal::SIGCONT });
        }
        Ok(())
    }

    /// Whether all are ready, and have all partitions among them. Says what is missing.
    ///
    /// # Errors
    /// What is missing.
    pub fn is_whole(&self) -> Result<(), String> {
        let mut assigned = [0.0; STAGES.len()];
        for (index, slot) in self.slots.iter().enumerate() {
            let name = format!("instance {}", index + 1);
            let service = slot.service.as_ref().ok_or_else(|| format!("{name} does not run"))?;
            match service.page("/readyz") {
                Some((200, _)) => {}
                Some((_, why)) => return Err(format!("{name}: {}", why.trim())),
                None => return Err(format!("{name} does not answer")),
            }
            let metrics = service.metrics();
            for (sum, stage) in assigned.iter_mut().zip(STAGES) {
                *sum += metrics.sum_where("storepulse_analytics_partitions_assigned", stage);
            }
        }
        match assigned == [PARTITIONS; STAGES.len()] {
            true => Ok(()),
            false => Err(format!("the instances have {} and {} partitions", assigned[0], assigned[1])),
        }
    }

    /// Stops all, and looks into their logs for panics.
    ///
    /// # Errors
    /// When one does not end.
    pub fn end(&mut self) -> anyhow::Result<()> {
        for slot in std::mem::take(&mut self.slots) {
            let Some(service) = slot.service else { continue };
            service.signal(Signal::SIGCONT);
            service.signal(Signal::SIGTERM);
            let ended = service.wait(END)?;
            let log = ended.log.display();
            if ended.code() != Some(0) || ended.stderr.contains("panicked at") {
                self.problems.push(format!("at the end, an instance ended with {}, see {log}", ended.status));
            }
        }
        Ok(())
    }

    /// Waits until all are ready for the first time.
    ///
    /// # Errors
    /// When they are not within the limit.
    pub fn until_whole(&mut self, pipeline: &mut Pipeline, watch: &Watch, limit: Duration) -> anyhow::Result<()> {
        let mut failed = None;
        let outcome = wait::until("all instances of analytics are ready", limit, || {
            failed = self.tend(pipeline, watch).err();
            if failed.is_some() { Ok(()) } else { self.is_whole() }
        });
        failed.map_or(outcome, Err)?;
        ensure!(self.problems.is_empty(), "{}", self.problems.join("; "));
        Ok(())
    }
}

const STAGES: [&str; 2] = ["stage=\"aggregate\"", "stage=\"materialise\""];
