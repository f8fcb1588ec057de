//! Analytics reads a full topic to its end, into a store that accepts everything; and the bound, a bare consumer.
//!
//! 1. The simulator fills the event topic. That also warms up the brokers' path of writing.
//! 2. The bare consumer reads it once, uncounted: the brokers' JVMs compile their path of reading, and the pages of the
//!    log are in memory. Analytics runs once, uncounted, for the path of transactions.
//! 3. Bare consumer and analytics in turns, each in a new process, analytics in a new group. The pass with the median
//!    cost counts.
//!
//! The stretch of a pass of analytics goes from the start of its process to the last document: starting, joining the
//! group and logging in are in it. Intervals are those of production, apart from two that only decide how long it waits
//! once the stream has ended.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::bare;
use super::cpu::{Cpu, Machine};
use super::ground::Ground;
use super::options::Options;
use super::report::{Cost, Line, Reach, Row};
use super::{say, topic};
use crate::{Metrics, Service, Spec};

/// The longest that a pass may take.
const PASS: Duration = Duration::from_secs(1200);
/// Between two looks at a running pass.
const LOOK: Duration = Duration::from_millis(100);
/// No document for so long, with nothing waiting: that was the last one.
const REST: Duration = Duration::from_secs(2);

/// One pass over the topic.
#[derive(Clone, Debug, Default)]
struct Pass {
    /// Of the program.
    cpu: Cpu,
    /// Of the brokers.
    brokers: Cpu,
    /// Cores that others used meanwhile, on average.
    others: f64,
    /// Events a second.
    rate: f64,
    bytes: u64,
    documents: f64,
    transactions: f64,
    transaction_seconds: f64,
}

/// Measures.
///
/// # Errors
/// When a program fails, or does not come to an end.
pub fn measure(ground: &mut Ground, options: &Options) -> anyhow::Result<Vec<Row>> {
    let events = topic::fill(ground, options.events)?;
    let idle = idle_brokers(ground)?;
    say("warming up: one pass of each, uncounted");
    bare_pass(ground, events)?;
    analytics_pass(ground, events, options, None)?;
    let (mut bare, mut analytics) = (Vec::new(), Vec::new());
    for number in 1..=options.passes {
        bare.push(bare_pass(ground, events)?);
        analytics.push(analytics_pass(ground, events, options, Some(number))?);
    }
    let (bare, analytics) = (median(bare), median(analytics));
    let row = row(events, idle, &bare, &analytics, options);
    Ok(vec![row])
}

fn row(events: u64, idle: f64, bare: &Pass, analytics: &Pass, options: &Options) -> Row {
    let millions = |cpu: Cpu| cpu.per_million(events).total();
    let line = |what, measured: f64, bound: f64, unit, reach| Line {
        what,
        measured,
        bound: Some(bound),
        bound_is: "bare librdkafka consumer",
        unit,
        reach,
    };
    Row {
        id: "drain",
        what: "analytics into a store that accepts everything",
        lines: vec![
            line(
                "its CPU",
                millions(analytics.cpu),
                millions(bare.cpu),
                "CPU s per million events",
                Reach::AtMost(4.0),
            ),
            line(
                "its brokers' CPU",
                millions(analytics.brokers),
                millions(bare.brokers),
                "CPU s per million events",
                Reach::AtMost(3.0),
            ),
            line("its rate", analytics.rate, bare.rate, "events/s", Reach::AtLeast(150_000.0)),
        ],
        costs: vec![
            Cost::new("analytics", events, analytics.cpu, Some(analytics.brokers)),
            Cost::new("bare consumer", events, bare.cpu, Some(bare.brokers)),
        ],
        notes: vec![
            format!(
                "{events} events of {:.0} bytes, in the topic before the start. The median of {} passes, after one of \
                 each that does not count.",
                bare.bytes as f64 / events as f64,
                options.passes
            ),
            format!(
                "Other programs used {:.2} of the cores during this pass of analytics, and {:.2} during that of the \
                 bare consumer. The brokers use {idle:.3} cores when idle, which is in their cost.",
                analytics.others, bare.others
            ),
            format!(
                "{:.0} documents written in {:.0} transactions of {:.0} ms on average.",
                analytics.documents,
                analytics.transactions,
                1000.0 * analytics.transaction_seconds / analytics.transactions.max(1.0)
            ),
        ],
    }
}

/// The pass with the median cost; of an even number, the cheaper of the two in the middle.
fn median(mut passes: Vec<Pass>) -> Pass {
    passes.sort_by(|a, b| a.cpu.total().total_cmp(&b.cpu.total()));
    let middle = passes.len().saturating_sub(1) / 2;
    passes.into_iter().nth(middle).unwrap_or_default()
}

/// The cores that brokers use when nobody asks anything of them.
fn idle_brokers(ground: &Ground) -> anyhow::Result<f64> {
    const STRETCH: Duration = Duration::from_secs(5);
    let brokers = ground.brokers();
    let (before, start) = (Cpu::of_processes(&brokers)?, Instant::now());
    std::thread::sleep(STRETCH);
    Ok((Cpu::of_processes(&brokers)? - before).total() / start.elapsed().as_secs_f64())
}

fn bare_pass(ground: &mut Ground, events: u64) -> anyhow::Result<Pass> {
    let spec = Spec::new("bench").arguments(["bare-consumer"]).environment(ground.environment("analytics"));
    let brokers = ground.brokers();
    let (before, children, machine) = (Cpu::of_processes(&brokers)?, Cpu::of_ended_children()?, Machine::now()?);
    let ended = ground.start(&spec)?.wait(PASS)?;
    let brokers = Cpu::of_processes(&brokers)? - before;
    let cpu = Cpu::of_ended_children()? - children;
    ended.expect_code(0)?;
    let read: bare::Read = serde_json::from_str(&ended.stdout).context("what the bare consumer says")?;
    ensure!(read.messages == events, "the bare consumer read {} of {events} events", read.messages);
    let others = machine.others(cpu + brokers)?;
    let rate = read.messages as f64 / read.seconds;
    say(format!("bare consumer: {}, {rate:.0} events/s, others {others:.2} cores", costs(events, cpu, brokers)));
    Ok(Pass { cpu, brokers, others, rate, bytes: read.bytes, ..Pass::default() })
}

fn analytics_pass(ground: &mut Ground, events: u64, options: &Options, number: Option<u32>) -> anyhow::Result<Pass> {
    let group = format!("analytics-bench-{}", chrono::Utc::now().timestamp_millis());
    topic::skip_former_changes(ground, &group)?;
    // The file is for people who watch; production's defaults hold here.
    let of_production = |(name, _): &(String, String)| !name.contains("_FLUSH_INTERVAL_");
    let spec = Spec::new("analytics")
        .arguments(["run"])
        .environment(ground.environment("analytics").into_iter().filter(of_production))
        .environment([("STORE", "null"), ("SESSION_HISTORY_IDLE_SECONDS", "3"), ("IDLE_FLUSH_MS", "1000")])
        .set("KAFKA_GROUP_ID", &group)
        .environment(options.variables.clone());
    let brokers = ground.brokers();
    let (before, machine) = (Cpu::of_processes(&brokers)?, Machine::now()?);
    let mut service = ground.start(&spec)?;
    let perf = match (&options.perf, number) {
        (Some(dir), Some(number)) => Some(Perf::start(service.id(), dir, number)?),
        _ => None,
    };
    let seen = watch(&mut service, events, &brokers)?;
    let (cpu, brokers) = (seen.cpu, seen.brokers - before);
    let others = machine.others(cpu + brokers)?;
    if let Some(perf) = perf {
        perf.stop()?;
    }
    service.stop()?;
    let rate = seen.rate;
    let counted = if number.is_some() { "" } else { " (warm-up)" };
    say(format!("analytics{counted}: {}, {rate:.0} events/s, others {others:.2} cores", costs(events, cpu, brokers)));
    Ok(Pass {
        cpu,
        brokers,
        others,
        rate,
        bytes: 0,
        documents: seen.metrics.sum("storepulse_analytics_documents_written_total"),
        transactions: seen.metrics.sum("storepulse_analytics_transactions_total"),
        transaction_seconds: seen.metrics.sum("storepulse_analytics_transaction_seconds_sum"),
    })
}

fn costs(events: u64, cpu: Cpu, brokers: Cpu) -> String {
    let (own, theirs) = (cpu.per_million(events), brokers.per_million(events));
    format!(
        "{:.2} CPU s per million events (user {:.2}, system {:.2}), brokers {:.2} (user {:.2}, system {:.2})",
        own.total(),
        own.user,
        own.system,
        theirs.total(),
        theirs.user,
        theirs.system
    )
}

/// What was used up to the last document.
struct Seen {
    cpu: Cpu,
    brokers: Cpu,
    rate: f64,
    metrics: Metrics,
}

/// Looks at analytics until all is aggregated and written.
fn watch(service: &mut Service, events: u64, brokers: &[u32]) -> anyhow::Result<Seen> {
    say(format!("analytics is process {}", service.id()));
    let started = Instant::now();
    let mut first: Option<(Instant, f64)> = None;
    let mut rate = None;
    let mut last: Option<(Instant, f64, Seen)> = None;
    loop {
        ensure!(!service.has_ended(), "analytics ended; its log is {}", service.log().display());
        ensure!(started.elapsed() < PASS, "analytics did not finish within {} s", PASS.as_secs());
        std::thread::sleep(LOOK);
        let metrics = service.metrics();
        let sum = |name: &str| metrics.sum(&format!("storepulse_analytics_{name}"));
        let aggregated = sum("events_aggregated_total");
        if aggregated > 0.0 && first.is_none() {
            first = Some((Instant::now(), aggregated));
        }
        let Some((begun, already)) = first else { continue };
        if aggregated < events as f64 {
            continue;
        }
        let rate = *rate.get_or_insert_with(|| (aggregated - already) / begun.elapsed().as_secs_f64());
        let documents = sum("documents_written_total");
        // The marker of the last transaction is the end of each partition, and nobody reads it.
        let unread = (sum("lag_deltas") - sum("partitions_assigned")).max(0.0);
        let waiting = sum("documents_dirty") + unread + sum("stories_pending");
        if last.as_ref().is_none_or(|(_, before, _)| documents > *before) {
            let (cpu, brokers) = (Cpu::of_process(service.id())?, Cpu::of_processes(brokers)?);
            last = Some((Instant::now(), documents, Seen { cpu, brokers, rate, metrics }));
        } else if waiting == 0.0
            && let Some((_, _, seen)) = last.take_if(|(since, _, _)| since.elapsed() >= REST)
        {
            ensure!(aggregated == events as f64, "{aggregated} events were aggregated, {events} are in the topic");
            return Ok(seen);
        }
    }
}

/// A running `perf record`.
struct Perf(Child);

impl Perf {
    fn start(pid: u32, dir: &std::path::Path, number: u32) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let file = dir.join(format!("analytics-{number}.perf"));
        let mut command = Command::new("perf");
        command.args(["record", "--quiet", "--freq=499", "--call-graph=fp", "--pid"]).arg(pid.to_string());
        command.arg("--output").arg(&file).stdin(Stdio::null());
        say(format!("perf records into {}", file.display()));
        Ok(Self(command.spawn().context("starting perf")?))
    }

    fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.0.id())?), Signal::SIGINT)?;
        self.0.wait()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pass_with_the_median_cost_counts() {
        let pass = |user| Pass { cpu: Cpu { user, system: 0.0 }, ..Pass::default() };
        assert_eq!(median(vec![pass(3.0), pass(1.0), pass(2.0)]).cpu.user, 2.0);
        assert_eq!(median(vec![pass(3.0), pass(1.0)]).cpu.user, 1.0);
        assert_eq!(median(Vec::new()).cpu.user, 0.0);
    }
}
