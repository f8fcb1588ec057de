//! One pass of analytics over a topic that is full before it starts.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::cpu::{Cpu, Machine, peak_memory};
use super::ground::Ground;
use super::profile::Recording;
use super::{say, topic};
use crate::{Metrics, Service, Spec};

/// The longest that a pass may take.
const PASS: Duration = Duration::from_secs(1200);
/// Between two looks at a running pass.
const LOOK: Duration = Duration::from_millis(100);
/// No document for so long, with nothing waiting: that was the last one.
const REST: Duration = Duration::from_secs(2);

/// What analytics is to do.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// The topic to read, from its beginning.
    pub topic: String,
    /// How many events are in it, all of them good.
    pub events: u64,
    /// Variables on top of those of the principal.
    pub variables: Vec<(String, String)>,
    /// Where perf is to record it.
    pub perf: Option<PathBuf>,
}

/// What a pass came to.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    /// CPU seconds of analytics, from its start to the last document.
    pub cpu: Cpu,
    /// CPU seconds of the brokers meanwhile.
    pub brokers: Cpu,
    /// Cores that other programs used meanwhile, on average.
    pub others: f64,
    /// Events a second, from the first to the last that was aggregated.
    pub rate: f64,
    /// Seconds from the first event to the last document, and its offset committed.
    pub seconds: f64,
    /// What analytics said of itself at the end.
    pub metrics: Metrics,
    /// The most memory it had, in bytes.
    pub peak_memory: u64,
    /// The most sessions that were open, and that were known, at a look.
    pub most_open: f64,
    /// See [`Self::most_open`].
    pub most_known: f64,
    /// What it had used when: events aggregated, CPU seconds.
    pub course: Vec<(f64, f64)>,
}

/// A name that no other group has.
pub fn new_group() -> String {
    format!("analytics-bench-{}", chrono::Utc::now().timestamp_millis())
}

/// The variables of analytics with the intervals of production, in place of those for people who watch.
pub fn production(ground: &Ground) -> Vec<(String, String)> {
    let of_people = |name: &str| name.contains("_FLUSH_INTERVAL_") || name == "SESSION_HISTORY_IDLE_SECONDS";
    ground.environment("analytics").into_iter().filter(|(name, _)| !of_people(name)).collect()
}

/// Has a new analytics, in a new group, read a topic to its end.
///
/// # Errors
/// When it fails, or does not come to an end.
pub fn run(ground: &mut Ground, job: &Job) -> anyhow::Result<Pass> {
    let group = new_group();
    topic::skip_former_changes(ground, &group)?;
    let spec = Spec::new("analytics")
        .arguments(["run"])
        .environment(job.variables.clone())
        .set("KAFKA_EVENT_TOPIC", &job.topic)
        .set("KAFKA_GROUP_ID", &group);
    let brokers = ground.brokers();
    let (before, machine) = (Cpu::of_processes(&brokers)?, Machine::now()?);
    let mut service = ground.start(&spec)?;
    say(format!("analytics is process {}", service.id()));
    if job.perf.is_some() {
        // perf follows the threads that it finds and those that they start, and misses what begins while it looks.
        service.until_ready()?;
    }
    let perf = job.perf.as_deref().map(|file| Recording::start(service.id(), file)).transpose()?;
    let mut pass = watch(&mut service, job.events, &brokers)?;
    pass.brokers = pass.brokers - before;
    pass.others = machine.others(pass.cpu + pass.brokers)?;
    if let Some(perf) = perf {
        perf.stop()?;
    }
    service.stop()?;
    Ok(pass)
}

/// Looks at analytics until all is aggregated and written.
fn watch(service: &mut Service, events: u64, brokers: &[u32]) -> anyhow::Result<Pass> {
    let started = Instant::now();
    let mut pass = Pass::default();
    let mut looked = started;
    let mut first: Option<Instant> = None;
    let mut last: Option<(Instant, f64)> = None;
    loop {
        ensure!(!service.has_ended(), "analytics ended; its log is {}", service.log().display());
        ensure!(started.elapsed() < PASS, "analytics did not finish within {} s", PASS.as_secs());
        std::thread::sleep(LOOK);
        let before = std::mem::replace(&mut looked, Instant::now());
        let metrics = service.metrics();
        let sum = |name: &str| metrics.sum(&format!("storepulse_analytics_{name}"));
        let aggregated = sum("events_aggregated_total");
        if aggregated == 0.0 {
            continue;
        }
        // The look before, when there was none yet: rather too early than too late.
        let first = *first.get_or_insert(before);
        let known = sum("sessions");
        pass.most_known = pass.most_known.max(known);
        let open = metrics.sum_where("storepulse_analytics_sessions", "state=\"open\"");
        pass.most_open = pass.most_open.max(open);
        if last.is_none() {
            pass.course.push((aggregated, Cpu::of_process(service.id())?.total()));
        }
        if aggregated < events as f64 {
            continue;
        }
        ensure!(aggregated == events as f64, "{aggregated} events were aggregated, {events} are in the topic");
        if pass.rate == 0.0 {
            pass.rate = aggregated / looked.duration_since(first).as_secs_f64();
        }
        let documents = sum("documents_written_total");
        // The marker of the last transaction is the end of each partition, and nobody reads it.
        let unread =
            (sum("lag_deltas") - metrics.sum_where("storepulse_analytics_partitions_assigned", "materialise")).max(0.0);
        let waiting = sum("documents_dirty") + unread + sum("stories_pending");
        if last.is_none_or(|(_, before)| documents > before) {
            last = Some((Instant::now(), documents));
            pass.cpu = Cpu::of_process(service.id())?;
            pass.brokers = Cpu::of_processes(brokers)?;
            pass.metrics = metrics;
            pass.seconds = 0.0;
        } else if waiting == 0.0 {
            if pass.seconds == 0.0 {
                pass.seconds = first.elapsed().as_secs_f64();
            }
            if last.is_some_and(|(since, _)| since.elapsed() >= REST) {
                pass.peak_memory = peak_memory(service.id())?;
                return Ok(pass);
            }
        }
    }
}
