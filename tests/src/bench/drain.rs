//! Analytics reads a full topic to its end, into a store that accepts everything; and the bound, a bare consumer.
//!
//! 1. The simulator fills the event topic. That also warms up the brokers' path of writing.
//! 2. Bare consumer and analytics, uncounted: the brokers' JVMs compile the paths of reading and of transactions, and
//!    the pages of the log are in memory.
//! 3. Bare consumer and analytics in turns, each in a new process, analytics in a new group. The pass with the median
//!    cost counts.
//! 4. Where there is perf, one more pass of analytics, recorded, says where its time goes.
//!
//! The stretch of a pass of analytics goes from the start of its process to the last document: starting, joining the
//! group and logging in are in it. Intervals are those of production, apart from two that only decide how long it waits
//! once the stream has ended.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use storepulse_events::topics;

use super::cpu::{Cpu, Machine};
use super::ground::Ground;
use super::options::Options;
use super::pass::{self, Job, Pass};
use super::report::{Cost, Line, Reach, Row};
use super::{bare, profile, say, topic};
use crate::Spec;

/// Passes that do not count: in the first ones of anything the brokers' JVMs still compile.
const WARM_UPS: u32 = 2;
/// The longest that the bare consumer may take.
const BARE: Duration = Duration::from_secs(600);

/// Measures.
///
/// # Errors
/// When a program fails, or does not come to an end.
pub fn measure(ground: &mut Ground, options: &Options) -> anyhow::Result<Vec<Row>> {
    let events = topic::fill(ground, topics::EVENTS, options.events, &[])?;
    say(format!("warming up: {WARM_UPS} passes of each, uncounted"));
    for _ in 0..WARM_UPS {
        bare_pass(ground, events)?;
        analytics_pass(ground, events, options, None)?;
    }
    let (mut bare, mut analytics, mut bytes) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..options.passes {
        let (pass, mean) = bare_pass(ground, events)?;
        bytes = mean;
        bare.push(pass);
        analytics.push(analytics_pass(ground, events, options, None)?);
    }
    let (bare, analytics) = (median(bare), median(analytics));
    let idle = idle_brokers(ground)?;
    let mut row = row((events, bytes), idle, &bare, &analytics, options);
    if profile::is_possible() {
        let file = options.perf.clone().unwrap_or_else(|| ground.programs().dir().join("analytics.perf"));
        analytics_pass(ground, events, options, Some(file.clone()))?;
        let shares = profile::shares(&file)?;
        let told: Vec<String> = shares.iter().map(|(name, share)| format!("{name} {share:.0} %")).collect();
        let told = if told.is_empty() { "no samples".to_owned() } else { told.join(", ") };
        row.notes.push(format!("Where its time goes (perf, in one more pass): {told}."));
    }
    Ok(vec![row])
}

fn row((events, bytes): (u64, f64), idle: f64, bare: &Pass, analytics: &Pass, options: &Options) -> Row {
    let millions = |cpu: Cpu| cpu.per_million(events).total();
    let line = |what, measured: f64, bound: f64, unit, reach| {
        Line::new(what, measured, unit, reach).beside("a bare librdkafka consumer", bound)
    };
    let unit = "CPU s per million events";
    let sum = |name: &str| analytics.metrics.sum(&format!("storepulse_analytics_{name}"));
    let rest = "For the second rate, the last histories wait 3 s for sessions that might go on, and the last documents \
                1 s for further changes.";
    Row {
        id: "drain",
        what: "analytics into a store that accepts everything",
        lines: vec![
            line("its CPU", millions(analytics.cpu), millions(bare.cpu), unit, Reach::AtMost(4.0)),
            line("its brokers' CPU", millions(analytics.brokers), millions(bare.brokers), unit, Reach::AtMost(3.0)),
            line("its rate, until all is aggregated", analytics.rate, bare.rate, "events/s", Reach::AtLeast(150_000.0)),
            Line::new(
                "its rate, until the last document",
                events as f64 / analytics.seconds,
                "events/s",
                Reach::Nothing,
            ),
        ],
        costs: vec![
            Cost::new("analytics, no store", events, analytics.cpu, Some(analytics.brokers)),
            Cost::new("bare consumer", events, bare.cpu, Some(bare.brokers)),
        ],
        notes: vec![
            format!(
                "{events} events of {bytes:.0} bytes (mean), in the topic before the start. The median of {} passes, \
                 after {WARM_UPS} of each that do not count.",
                options.passes
            ),
            format!(
                "Other programs used {:.2} cores during this pass of analytics, and {:.2} during that of the bare \
                 consumer. The brokers use {idle:.3} cores when idle, which is in their cost.",
                analytics.others, bare.others
            ),
            format!(
                "{:.0} documents written; {:.0} transactions of {:.0} ms on average.",
                sum("documents_written_total"),
                sum("transactions_total"),
                1000.0 * sum("transaction_seconds_sum") / sum("transactions_total").max(1.0)
            ),
            rest.to_owned(),
            "A well-tuned Kafka Streams application with the same aggregates and exactly_once_v2 took 18 CPU s per \
             million events elsewhere, its brokers 6 to 9 more."
                .to_owned(),
        ],
    }
}

/// The pass with the median cost; of an even number, the cheaper of the two in the middle.
pub fn median(mut passes: Vec<Pass>) -> Pass {
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

/// A pass of the bare consumer, and the mean number of bytes of an event.
fn bare_pass(ground: &mut Ground, events: u64) -> anyhow::Result<(Pass, f64)> {
    let spec = Spec::new("bench").arguments(["bare-consumer"]).environment(ground.environment("analytics"));
    let brokers = ground.brokers();
    let (before, children, machine) = (Cpu::of_processes(&brokers)?, Cpu::of_ended_children()?, Machine::now()?);
    let ended = ground.start(&spec)?.wait(BARE)?;
    let brokers = Cpu::of_processes(&brokers)? - before;
    let cpu = Cpu::of_ended_children()? - children;
    ended.expect_code(0)?;
    let read: bare::Read = serde_json::from_str(&ended.stdout).context("what the bare consumer says")?;
    ensure!(read.messages == events, "the bare consumer read {} of {events} events", read.messages);
    let (others, rate) = (machine.others(cpu + brokers)?, read.messages as f64 / read.seconds);
    let pass = Pass { cpu, brokers, others, rate, ..Pass::default() };
    say(format!("bare consumer: {}", told(&pass, events)));
    Ok((pass, read.bytes as f64 / events as f64))
}

fn analytics_pass(ground: &mut Ground, events: u64, options: &Options, perf: Option<PathBuf>) -> anyhow::Result<Pass> {
    let mut variables = pass::production(ground);
    let more = [("STORE", "null"), ("SESSION_HISTORY_IDLE_SECONDS", "3"), ("IDLE_FLUSH_MS", "1000")];
    variables.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
    variables.extend(options.variables.clone());
    let pass = pass::run(ground, &Job { topic: topics::EVENTS.to_owned(), events, variables, perf })?;
    say(format!("analytics: {}", told(&pass, events)));
    Ok(pass)
}

/// A pass in one line.
pub fn told(pass: &Pass, events: u64) -> String {
    let (own, theirs) = (pass.cpu.per_million(events), pass.brokers.per_million(events));
    format!(
        "{:.2} CPU s per million events (user {:.2}, system {:.2}), brokers {:.2} (user {:.2}, system {:.2}), \
         {:.0} events/s, others {:.2} cores",
        own.total(),
        own.user,
        own.system,
        theirs.total(),
        theirs.user,
        theirs.system,
        pass.rate,
        pass.others
    )
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
