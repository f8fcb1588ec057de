//! Memory, and whether an event costs the same in the beginning and in the end.
//!
//! Analytics reads a stream of more than 10,000 sessions that are open at once, over a catalog so wide that more than a
//! million documents are touched, into a store that accepts everything; so its cache overflows all the time.
//!
//! Its bound is what its settings allow: see [`Bound`].

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use storepulse_analytics::document::{DeltaBatch, DocumentId};
use storepulse_events::topics;

use super::ground::Ground;
use super::options::Options;
use super::pass::{self, Job};
use super::report::{Cost, Line, Reach, Row};
use super::{drain, say, topic};
use crate::by_hand::client_config;

/// Shoppers in each of the two workers; four or five in ten are in a session at any time.
const SHOPPERS: &str = "--sessions=12500";
/// Products: with 41 countries and two grains each, several million documents of which the popular ones are touched.
const PRODUCTS: &str = "--products=100000";
/// How many documents are to be touched.
const DOCUMENTS: f64 = 1_000_000.0;
/// How many sessions are to be open.
const SESSIONS: f64 = 10_000.0;
const MIB: f64 = 1024.0 * 1024.0;
/// One part in so many of a run, its first, is to warm up. An event is counted when its transaction is committed; what was
/// done by then for events that are still under way would make the first tenth dear.
const WARM_UP_SHARE: u64 = 12;

/// The most memory that analytics may take with its settings.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// `DOCUMENT_CACHE_MEGABYTES`.
    pub cache_mib: u32,
    /// `SESSION_LIFETIME_RECORDS` of all partitions: each session that is known has had a record among them.
    pub sessions: u32,
    /// Partitions of the event topic and of the topic of changes.
    pub partitions: u32,
}

impl Bound {
    /// In MiB: the program, its libraries and threads; 4 MiB read ahead of each partition of both topics; a transaction's
    /// records, once in the making and once in the producer's hands; the documents in the cache; 2.5 KiB for each session,
    /// which is its ids and its story.
    pub fn mib(self) -> f64 {
        const PROGRAM: f64 = 96.0;
        const READ_AHEAD: f64 = 4.0;
        const TRANSACTION: f64 = 64.0;
        PROGRAM
            + READ_AHEAD * f64::from(self.partitions)
            + TRANSACTION
            + f64::from(self.cache_mib)
            + 2.5 * f64::from(self.sessions) / 1024.0
    }
}

/// Measures.
///
/// # Errors
/// When a program fails.
pub fn measure(ground: &mut Ground, options: &Options) -> anyhow::Result<Vec<Row>> {
    const CACHE: u32 = 256;
    let topic = topic::make(ground, "memory")?;
    let events = topic::fill(ground, &topic, options.events * 3, &[SHOPPERS, PRODUCTS, "--categories=100"])?;
    let before = topic::ends_of_changes(ground)?;
    let mut variables = pass::production(ground);
    let more = [
        ("STORE", "null"),
        // With about 1,500 open sessions in each of 12 partitions, twice as long as between two events of one.
        ("SESSION_LIFETIME_RECORDS", "5000"),
        ("SESSION_HISTORY_IDLE_SECONDS", "3"),
        ("IDLE_FLUSH_MS", "1000"),
        ("DOCUMENT_CACHE_MEGABYTES", "256"),
    ];
    variables.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
    variables.extend(options.variables.clone());
    let pass = pass::run(ground, &Job { topic: topic.clone(), events, variables, perf: None })?;
    say(format!("memory: {}; {:.0} MiB", drain::told(&pass, events), pass.peak_memory as f64 / MIB));
    let touched = touched(ground, &before)? as f64;
    topic::delete(ground, &topic)?;
    let (counted_from, events_in_all) = (events / WARM_UP_SHARE, events as f64);
    let tenths = tenths(&pass.course, counted_from as f64, events_in_all);
    let (open, known) = (pass.most_open, pass.most_known);
    let bound = Bound { cache_mib: CACHE, sessions: 12 * 5_000, partitions: 24 };
    let flat = tenths.last().zip(tenths.first()).map_or(f64::NAN, |(last, first)| last / first);
    let worst = (flat - 1.0).abs();
    let told: Vec<String> = tenths.iter().map(|cost| format!("{cost:.2}")).collect();
    Ok(vec![Row {
        id: "memory",
        what: "memory: 10,000 open sessions, 1,000,000 documents touched",
        lines: vec![
            Line::new("the most it had", pass.peak_memory as f64 / MIB, "MiB", Reach::RatioAtMost(1.0))
                .beside("its settings", bound.mib()),
            Line::new("an event's cost, last tenth to first, off by", worst, "", Reach::AtMost(0.1)),
            Line::new("documents touched", touched, "", Reach::AtLeast(DOCUMENTS)),
            Line::new("sessions open", open, "", Reach::AtLeast(SESSIONS)),
        ],
        costs: vec![Cost::new("analytics, wide catalog", events, pass.cpu, Some(pass.brokers))],
        notes: vec![
            format!("{events} events; {known:.0} sessions were known at most, {open:.0} of them open."),
            format!(
                "CPU s per million events in each tenth of what follows the first {counted_from} events: {}.",
                told.join(", ")
            ),
            format!(
                "The bound: 96 MiB, 4 MiB for each of {} partitions, 64 MiB for transactions, {CACHE} MiB for documents \
                 (DOCUMENT_CACHE_MEGABYTES), 2.5 KiB for each of {} sessions (SESSION_LIFETIME_RECORDS of 12 partitions).",
                bound.partitions, bound.sessions
            ),
        ],
    }])
}

/// CPU seconds per million events in each tenth of a run from some event on, from what had been used at some moments of it.
fn tenths(course: &[(f64, f64)], from: f64, events: f64) -> Vec<f64> {
    let at = |wanted: f64| -> Option<f64> {
        let after = course.iter().position(|(events, _)| *events >= wanted)?;
        let (e1, c1) = course[after];
        let Some((e0, c0)) = after.checked_sub(1).map(|before| course[before]) else { return Some(c1) };
        Some(c0 + (c1 - c0) * (wanted - e0) / (e1 - e0).max(1.0))
    };
    let first = course.first().map_or(from, |(events, _)| events.max(from));
    let edge = |tenth: u32| first + (events - first) * f64::from(tenth) / 10.0;
    (0..10)
        .filter_map(|tenth| Some((at(edge(tenth + 1))? - at(edge(tenth))?) / (edge(tenth + 1) - edge(tenth)) * 1e6))
        .collect()
}

/// How many documents the changes are of that were written since `from`.
fn touched(ground: &Ground, from: &std::collections::BTreeMap<i32, i64>) -> anyhow::Result<usize> {
    const LIMIT: Duration = Duration::from_secs(300);
    let consumer: BaseConsumer = client_config(&ground.environment("analytics"))?
        .set("group.id", format!("{}-bench", topics::ANALYTICS_GROUP))
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .create()?;
    let mut list = TopicPartitionList::new();
    let mut left: HashSet<i32> = from.keys().copied().collect();
    for (partition, offset) in from {
        list.add_partition_offset(topics::DELTAS, *partition, Offset::Offset(*offset))?;
    }
    consumer.assign(&list)?;
    let (mut found, start): (HashSet<DocumentId>, _) = (HashSet::new(), Instant::now());
    while !left.is_empty() {
        ensure!(start.elapsed() < LIMIT, "the changes could not be read in {} s", LIMIT.as_secs());
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                let changes = DeltaBatch::read(message.payload().unwrap_or_default())?;
                found.extend(changes.into_iter().map(|(id, _)| id));
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(left.remove(&partition)),
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
    }
    Ok(found.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_each_tenth_is_read_between_looks() {
        let course: Vec<(f64, f64)> = (0..=50).map(|i| (f64::from(i) * 2_000.0, f64::from(i) * 0.01)).collect();
        for from in [0.0, 10_000.0] {
            let even = tenths(&course, from, 100_000.0);
            assert!(even.len() == 10 && even.iter().all(|cost| (cost - 5.0).abs() < 1e-6), "{even:?}");
        }
        assert_eq!(tenths(&[], 0.0, 10.0), Vec::<f64>::new());
    }

    #[test]
    fn what_a_run_begins_with_is_in_no_tenth() {
        let course: Vec<(f64, f64)> = (0..=50).map(|i| (f64::from(i) * 2_000.0, 3.0 * f64::from(i.min(1)))).collect();
        assert!(tenths(&course, 0.0, 100_000.0)[0] > 100.0);
        assert!(tenths(&course, 2_000.0, 100_000.0).iter().all(|cost| cost.abs() < 1e-6));
    }

    #[test]
    fn the_bound_grows_with_the_settings() {
        let bound = |cache_mib| Bound { cache_mib, sessions: 60_000, partitions: 24 }.mib();
        assert!(bound(256) > bound(128) && bound(256) < 1024.0);
    }
}
