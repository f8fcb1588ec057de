//! With Firestore's emulator: how fast, how many writes, how fresh.
//!
//! - [`end_to_end`]: a full topic, from the first event to the last document and its offset.
//! - [`writes`]: documents written for each event at 1,000 events a second, with production's intervals; and how long
//!   the least time between two writes of a document is.
//! - [`freshness`]: how long after it was produced an event can be read, at 5,000 events a second.
//!
//! The bounds that no program can be run for are figures of the system that this one replaces: 90 events a second and
//! 9.25 documents written for each event, measured there with the same emulator.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::Timeout;
use storepulse_analytics::store::{SharedStore, Value, Version};

use super::cpu::Cpu;
use super::ground::Ground;
use super::options::Options;
use super::pass::{self, Job};
use super::report::{Cost, Line, Reach, Row};
use super::{drain, say, topic};
use crate::by_hand::client_config;
use crate::{Metrics, Service, Spec};

/// What the system that this one replaces reaches, in events a second.
const REPLACED_RATE: f64 = 90.0;
/// The documents that it writes for each event.
const REPLACED_WRITES: f64 = 9.25;
const REPLACED: &str = "the replaced system";
/// Until analytics or the simulator is where it should be.
const PATIENCE: Duration = Duration::from_secs(120);

/// Documents of a project that nobody has used before.
fn new_project() -> String {
    format!("bench-{}", chrono::Utc::now().timestamp_millis())
}

/// The variables of analytics, with a project of its own.
fn in_project(variables: Vec<(String, String)>, project: &str) -> Vec<(String, String)> {
    let mut variables = variables;
    variables.push(("GCLOUD_PROJECT".to_owned(), project.to_owned()));
    variables
}

/// Starts analytics on a topic, with a new group, and waits until it is ready.
fn start(ground: &mut Ground, topic: &str, variables: Vec<(String, String)>) -> anyhow::Result<Service> {
    let group = pass::new_group();
    topic::skip_former_changes(ground, &group)?;
    let spec = Spec::new("analytics")
        .arguments(["run"])
        .environment(variables)
        .set("KAFKA_EVENT_TOPIC", topic)
        .set("KAFKA_GROUP_ID", group);
    let mut service = ground.start(&spec)?;
    say(format!("analytics is process {}", service.id()));
    service.until_ready()?;
    Ok(service)
}

/// Starts an endless stream of so many events a second.
fn stream(ground: &mut Ground, topic: &str, rate: u32, more: &[&str]) -> anyhow::Result<Service> {
    let rate = format!("--rate={rate}");
    let spec = Spec::new("simulator")
        .arguments(["--processes=1", &rate])
        .arguments(more.iter().copied())
        .environment(ground.environment("simulator"))
        .set("KAFKA_EVENT_TOPIC", topic);
    ground.start(&spec)
}

fn events(metrics: &Metrics) -> f64 {
    metrics.sum("storepulse_analytics_events_aggregated_total")
}

/// From a full topic to the last document.
///
/// # Errors
/// When a program fails.
pub fn end_to_end(ground: &mut Ground, options: &Options) -> anyhow::Result<Vec<Row>> {
    let small = topic::make(ground, "firestore-warm-up")?;
    let few = topic::fill(ground, &small, (options.events / 20).max(1_000), &[])?;
    let topic = topic::make(ground, "firestore")?;
    let events = topic::fill(ground, &topic, (options.events / 5).max(1_000), &[])?;
    let mut passes = Vec::new();
    for _ in 0..options.passes {
        let emulator = ground.fresh_emulator()?;
        let (warm_up, _) = into_firestore(ground, emulator, &small, few, options)?;
        say(format!("into Firestore, to warm up its emulator: {}", drain::told(&warm_up, few)));
        let (pass, cpu) = into_firestore(ground, emulator, &topic, events, options)?;
        let rate = events as f64 / pass.seconds;
        say(format!("into Firestore: {rate:.0} events/s to the last document; {}", drain::told(&pass, events)));
        passes.push((pass, cpu));
    }
    topic::delete(ground, &small)?;
    topic::delete(ground, &topic)?;
    passes.sort_by(|(a, _), (b, _)| b.seconds.total_cmp(&a.seconds));
    let (pass, emulator) = passes.swap_remove(passes.len().saturating_sub(1) / 2);
    let rate = events as f64 / pass.seconds;
    let documents = pass.metrics.sum("storepulse_analytics_documents_written_total");
    Ok(vec![Row {
        id: "firestore",
        what: "analytics into the Firestore emulator, end to end",
        lines: vec![
            Line::new("its rate", rate, "events/s", Reach::RatioAtLeast(300.0)).beside(REPLACED, REPLACED_RATE),
        ],
        costs: vec![
            Cost::new("analytics, Firestore", events, pass.cpu, Some(pass.brokers)),
            Cost::new("Firestore emulator", events, emulator, None),
        ],
        notes: vec![format!(
            "{events} events, in the topic before the start, the intervals of the local cluster; from the first event \
             to the last of {documents:.0} writes and its offset committed: {:.1} s. The median of {} passes, each with \
             a new emulator that {few} events have warmed up. Other programs than analytics and the brokers, the \
             emulator among them, used {:.2} cores.",
            pass.seconds, options.passes, pass.others
        )],
    }])
}

/// One pass, into a project of its own, and what the emulator used meanwhile.
fn into_firestore(
    ground: &mut Ground,
    emulator: u32,
    topic: &str,
    events: u64,
    options: &Options,
) -> anyhow::Result<(pass::Pass, Cpu)> {
    let mut variables = in_project(ground.environment("analytics"), &new_project());
    variables.extend([("IDLE_FLUSH_MS".to_owned(), "500".to_owned())]);
    variables.extend(options.variables.clone());
    let before = Cpu::of_process(emulator)?;
    let pass = pass::run(ground, &Job { topic: topic.to_owned(), events, variables, perf: None })?;
    Ok((pass, Cpu::of_process(emulator)? - before))
}

/// The documents that are written at most once in the shortest interval, as the store names them.
fn hot_paths(ground: &Ground, store: &SharedStore) -> anyhow::Result<Vec<String>> {
    let today = chrono::Utc::now().format("%Y-%m-%d").to_string();
    let (countries, payments) =
        ground.wait(async { anyhow::Ok((store.child_ids("countries").await?, store.child_ids("payments").await?)) })?;
    let owners = std::iter::once(String::new())
        .chain(countries.iter().map(|country| format!("countries/{country}/")))
        .chain(payments.iter().map(|payment| format!("payments/{payment}/")));
    let of = |owner: String| ["lifetime", &today].map(|grain| format!("{owner}statistics/{grain}"));
    Ok(owners.flat_map(of).collect())
}

/// What is seen of documents that are looked at again and again.
#[derive(Debug, Default)]
struct Watched {
    /// For each document: its last version, and how many changes were seen.
    documents: BTreeMap<String, (Version, u32)>,
    /// The least time between two versions that follow each other, in seconds, by the store's own clock.
    least: Option<f64>,
}

impl Watched {
    fn see(&mut self, path: &str, version: Version) {
        let Some((last, changes)) = self.documents.get_mut(path) else {
            self.documents.insert(path.to_owned(), (version, 0));
            return;
        };
        if version == *last {
            return;
        }
        let gap = (version.major - last.major) as f64 + f64::from(version.minor - last.minor) / 1e9;
        self.least = Some(self.least.map_or(gap, |least| least.min(gap)));
        (*last, *changes) = (version, *changes + 1);
    }

    fn changes(&self) -> u32 {
        self.documents.values().map(|(_, changes)| changes).sum()
    }

    fn busiest(&self) -> u32 {
        self.documents.values().map(|(_, changes)| *changes).max().unwrap_or_default()
    }
}

/// Documents written for each event.
///
/// # Errors
/// When a program fails.
pub fn writes(ground: &mut Ground, options: &Options) -> anyhow::Result<Vec<Row>> {
    const LOOK: Duration = Duration::from_millis(50);
    let topic = topic::make(ground, "writes")?;
    ground.fresh_emulator()?;
    let project = new_project();
    let store = ground.store(&project)?;
    let variables = in_project(pass::production(ground), &project);
    let service = start(ground, &topic, variables)?;
    let simulator = stream(ground, &topic, 1_000, &["--seed=1", "--countries=25", "--products=100", "--categories=8"])?;
    let (warm_up, stretch) = (options.warm_up(), options.stretch());
    say(format!("1,000 events/s: {} s to warm up, then {} s", warm_up.as_secs(), stretch.as_secs()));
    std::thread::sleep(warm_up);
    let paths = hot_paths(ground, &store)?;
    let mut watched = Watched::default();
    let (before, start) = (service.metrics(), Instant::now());
    while start.elapsed() < stretch {
        let stored = ground.wait(store.read(&paths))?;
        for (path, stored) in paths.iter().zip(stored) {
            if let Some(stored) = stored {
                watched.see(path, stored.version);
            }
        }
        std::thread::sleep(LOOK);
    }
    let (after, seconds) = (service.metrics(), start.elapsed().as_secs_f64());
    simulator.stop()?;
    service.stop()?;
    topic::delete(ground, &topic)?;
    let written = |tier: &str| {
        let label = format!("tier=\"{tier}\"");
        let name = "storepulse_analytics_documents_written_total";
        after.sum_where(name, &label) - before.sum_where(name, &label)
    };
    let ended = {
        let (name, label) = ("storepulse_analytics_events_aggregated_total", "event_type=\"session_ended\"");
        after.sum_where(name, label) - before.sum_where(name, label)
    };
    let events = events(&after) - events(&before);
    let [hot, warm, cold, sessions] = ["hot", "warm", "cold", "session"].map(written);
    let least = watched.least.context("no document was written twice")?;
    let per_event = "documents per event";
    Ok(vec![Row {
        id: "writes",
        what: "documents written per event at 1,000 events/s (25 countries, 100 products, 8 categories)",
        lines: vec![
            Line::new("apart from histories", (hot + warm + cold) / events, per_event, Reach::AtMost(0.15))
                .beside(REPLACED, REPLACED_WRITES),
            Line::new("histories", sessions / ended, "documents per session", Reach::AtMost(1.0)),
            Line::new("all together", (hot + warm + cold + sessions) / events, per_event, Reach::Nothing)
                .beside(REPLACED, REPLACED_WRITES),
            Line::new(
                "the busiest document",
                f64::from(watched.busiest()) / seconds,
                "writes a second",
                Reach::AtMost(1.0),
            ),
            Line::new("least time between two writes of a document", least, "s", Reach::AtLeast(1.0)),
        ],
        costs: Vec::new(),
        notes: vec![
            format!(
                "{events:.0} events in {seconds:.0} s, after {} s to warm up; production's intervals. Written: {hot:.0} \
                 hot, {warm:.0} warm, {cold:.0} cold, {sessions:.0} histories of {ended:.0} sessions that ended.",
                warm_up.as_secs()
            ),
            format!(
                "The {} hot documents were read every {} ms; their own update times tell the gaps. {} changes were \
                 seen of {hot:.0} writes.",
                paths.len(),
                LOOK.as_millis(),
                watched.changes()
            ),
        ],
    }])
}

/// How long after it was produced an event can be read.
///
/// # Errors
/// When a program fails.
pub fn freshness(ground: &mut Ground, options: &Options) -> anyhow::Result<Vec<Row>> {
    let topic = topic::make(ground, "freshness")?;
    ground.fresh_emulator()?;
    let project = new_project();
    let store = ground.store(&project)?;
    let variables = in_project(ground.environment("analytics"), &project);
    let interval = variables.iter().find(|(name, _)| name == "HOT_FLUSH_INTERVAL_MS");
    let interval: f64 = interval.context("the local cluster has no hot interval")?.1.parse()?;
    let mut service = start(ground, &topic, variables)?;
    let simulator = stream(ground, &topic, 5_000, &["--seed=1"])?;
    service.until_at_least("storepulse_analytics_events_aggregated_total", WARM_UP, PATIENCE)?;
    let stretch = options.probing();
    say(format!("5,000 events/s: probing for {} s", stretch.as_secs()));
    let (before, start) = (service.metrics(), Instant::now());
    let producer: FutureProducer = client_config(&ground.environment("simulator"))?
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        .create()?;
    let mut delays = ground.wait(probe(&producer, &store, &topic, stretch))?;
    let (metrics, seconds) = (service.metrics(), start.elapsed().as_secs_f64());
    let rate = (events(&metrics) - events(&before)) / seconds;
    let more = |name: &str| {
        let name = format!("storepulse_analytics_{name}");
        metrics.sum(&name) - before.sum(&name)
    };
    let of_a_call = |name: &str| 1000.0 * more(&format!("{name}_sum")) / more(&format!("{name}_count")).max(1.0);
    let told = format!(
        "Meanwhile {:.1} transactions a second took {:.0} ms each, and {:.1} commits to the store {:.0} ms each.",
        more("transaction_seconds_count") / seconds,
        of_a_call("transaction_seconds"),
        more("flush_seconds_count") / seconds,
        of_a_call("flush_seconds")
    );
    simulator.stop()?;
    service.stop()?;
    topic::delete(ground, &topic)?;
    ensure!(!delays.is_empty(), "no probe was readable");
    delays.sort_by(f64::total_cmp);
    let quantile = |q: f64| 1000.0 * quantile(&delays, q);
    let line = |what, q, reach| Line::new(what, quantile(q), "ms", reach).beside("the flush interval", interval);
    Ok(vec![Row {
        id: "freshness",
        what: "event produced → document readable, at 5,000 events/s",
        lines: vec![
            line("p50", 0.5, Reach::AtMost(300.0)),
            line("p99", 0.99, Reach::AtMost(1_000.0)),
            line("longest", 1.0, Reach::Nothing),
        ],
        costs: Vec::new(),
        notes: vec![
            format!(
                "{} events of countries that nobody else is in, one every {} ms for {} s, each timed from before it is \
             given to a producer of its own until a read of its country's document has returned with it counted. \
             {rate:.0} events/s were aggregated meanwhile, and {WARM_UP} events before, because a store that has just \
             been started takes up to 2 s; the intervals of the local cluster.",
                delays.len(),
                PROBE_EVERY.as_millis(),
                stretch.as_secs()
            ),
            told,
        ],
    }])
}

/// The value that a share of the sorted values does not exceed.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let index = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(index.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}

/// Countries in which the simulator has no shoppers. They take turns, so that two probes that overtake each other are
/// not taken for one another.
const EMPTY: [&str; 8] = ["IS", "LU", "MT", "CY", "EE", "LV", "LT", "SK"];
/// Events before the first probe: half a minute.
const WARM_UP: f64 = 150_000.0;
const PROBE_EVERY: Duration = Duration::from_millis(53);

/// Sends probes, and says for each how long it took until it could be read, in seconds.
async fn probe(
    producer: &FutureProducer,
    store: &SharedStore,
    topic: &str,
    stretch: Duration,
) -> anyhow::Result<Vec<f64>> {
    const PAUSE: Duration = Duration::from_millis(3);
    let paths = EMPTY.map(|country| format!("countries/{country}/statistics/lifetime"));
    let (sent, mut seen) = (std::sync::Mutex::new(vec![Vec::new(); EMPTY.len()]), vec![0; EMPTY.len()]);
    let sending = async {
        let begun = Instant::now();
        let mut ticks = tokio::time::interval(PROBE_EVERY);
        let mut number = 0_usize;
        while begun.elapsed() < stretch {
            ticks.tick().await;
            let country = number % EMPTY.len();
            let (key, value) = (format!("bench-session-{number}"), probe_event(number, EMPTY[country]));
            if let Ok(mut sent) = sent.lock() {
                sent[country].push(Instant::now());
            }
            let record = FutureRecord::to(topic).key(&key).payload(&value);
            // Not waited for: the next probe must not come later because this one is slow.
            let delivery = producer.send_result(record).map_err(|(error, _)| error)?;
            drop(delivery);
            number += 1;
        }
        anyhow::Ok(number)
    };
    let reading = async {
        let (mut delays, mut last) = (Vec::new(), Instant::now());
        loop {
            let stored = store.read(&paths).await?;
            let now = Instant::now();
            let waits = {
                let sent = sent.lock().map_err(|_| anyhow::anyhow!("a sender failed"))?;
                for (country, stored) in stored.into_iter().enumerate() {
                    let fields = stored.map(|stored| stored.fields);
                    let count = match fields.as_ref().and_then(|fields| fields.get("started_sessions_count")) {
                        Some(Value::Integer(count)) => usize::try_from(*count)?,
                        _ => 0,
                    };
                    for probe in seen[country]..count.min(sent[country].len()) {
                        delays.push((now - sent[country][probe]).as_secs_f64());
                        last = now;
                    }
                    seen[country] = count;
                }
                sent.iter().zip(&seen).any(|(sent, seen)| *seen < sent.len()) || last.elapsed() < PROBE_EVERY * 4
            };
            if !waits {
                return anyhow::Ok(delays);
            }
            ensure!(last.elapsed() < PATIENCE, "a probe was not readable within {} s", PATIENCE.as_secs());
            tokio::time::sleep(PAUSE).await;
        }
    };
    let (sent, delays) = tokio::try_join!(sending, reading)?;
    ensure!(delays.len() == sent, "{} of {sent} probes were readable", delays.len());
    // Let go of what the producer still holds: nothing, as all could be read.
    let _ = producer.flush(Timeout::After(Duration::from_secs(1)));
    Ok(delays)
}

fn probe_event(number: usize, country: &str) -> String {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    format!(
        r#"{{"event_id":"bench-event-{number}","event_type":"session_started","session_id":"bench-session-{number}","timestamp":"{now}","user_id":"bench","location":{{"country":"{country}","state":"","city":"","latitude":0.0,"longitude":0.0}},"parameters":{{"user_agent":"storepulse-bench"}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_events_of_countries_without_shoppers() {
        for country in EMPTY {
            let event = probe_event(7, country);
            assert!(storepulse_events::decode(event.as_bytes(), storepulse_events::Currency::USD).is_ok(), "{event}");
        }
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let sorted: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((quantile(&sorted, 0.5), quantile(&sorted, 0.99), quantile(&sorted, 1.0)), (50.0, 99.0, 100.0));
        assert_eq!(quantile(&[7.0], 0.5), 7.0);
    }

    #[test]
    fn gaps_are_told_by_the_store_s_own_clock() {
        let mut watched = Watched::default();
        for (major, minor) in [(10, 0), (10, 0), (11, 500_000_000), (12, 400_000_000)] {
            watched.see("a", Version { major, minor });
        }
        watched.see("b", Version { major: 12, minor: 0 });
        assert_eq!((watched.changes(), watched.busiest()), (2, 2));
        assert!((watched.least.unwrap() - 0.9).abs() < 1e-9);
    }
}
