//! What the service counts. `docs/metrics.md` says what each number tells.

use std::collections::BTreeMap;

use std::time::SystemTime;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};
use storepulse_events::{Payload, Reason};

use crate::document::Tier;

/// The service's metrics. All names begin with `storepulse_analytics_`.
#[derive(Clone)]
pub struct Metrics {
    /// The registry they are in.
    pub registry: Registry,
    /// What was registered, in that order.
    pub described: Vec<Described>,
    /// Events counted, by type; only committed ones.
    pub events: IntCounterVec,
    /// Events not counted because their id was known in their session.
    pub duplicates: IntCounter,
    /// Messages sent to the dead-letter queue, by reason.
    pub dead_letters: IntCounterVec,
    /// Events of each partition that are not in a committed transaction yet.
    pub lag_events: IntGaugeVec,
    /// How old the first of them is at most, in seconds.
    pub lag_seconds: GaugeVec,
    /// Records of each partition of the delta topic that are not in the store yet.
    pub lag_deltas: IntGaugeVec,
    /// How old the first event is that such a record tells of, in seconds.
    pub lag_deltas_seconds: GaugeVec,
    /// Seconds from the broker's taking an event to the commit of the transaction that counts it.
    pub event_to_commit_seconds: Histogram,
    /// Seconds from the broker's taking an event to its document's write, by tier.
    pub event_to_store_seconds: HistogramVec,
    /// Documents written, by tier.
    pub documents_written: IntCounterVec,
    /// Documents written for each event counted, since this process began.
    pub documents_per_event: Gauge,
    /// Documents of a commit to the store.
    pub documents_per_flush: Histogram,
    /// Documents read.
    pub documents_read: IntCounter,
    /// Whether a document was in memory when a change came, by outcome.
    pub document_lookups: IntCounterVec,
    /// Documents that the store held in another version than expected.
    pub document_conflicts: IntCounter,
    /// Documents that wait to be written.
    pub documents_dirty: IntGauge,
    /// Documents in memory.
    pub documents_cached: IntGauge,
    /// The memory that they take, in bytes, roughly.
    pub documents_cached_bytes: IntGauge,
    /// The most documents that are kept in memory.
    pub documents_capacity: IntGauge,
    /// The most memory that they may take, in bytes.
    pub documents_capacity_bytes: IntGauge,
    /// Calls to the store that failed, by kind.
    pub store_errors: IntCounterVec,
    /// Seconds of a commit to the store.
    pub flush_seconds: Histogram,
    /// Transactions committed.
    pub transactions: IntCounter,
    /// Transactions aborted, by reason.
    pub transactions_aborted: IntCounterVec,
    /// Seconds from the start of a transaction to its commit.
    pub transaction_seconds: Histogram,
    /// 1 while a stage takes in nothing because what is behind it is full, by stage and by what it waits for.
    pub backpressure: IntGaugeVec,
    /// Seconds of that.
    pub backpressure_seconds: CounterVec,
    /// Sessions known, by state.
    pub sessions: IntGaugeVec,
    /// Sessions whose story has not gone out yet.
    pub stories_pending: IntGauge,
    /// Partitions assigned, by stage.
    pub partitions: IntGaugeVec,
    /// Partitions whose sessions are being restored.
    pub partitions_restoring: IntGauge,
    /// Seconds to restore the sessions of a partition.
    pub restore_seconds: Histogram,
    /// Events that were read again to restore sessions.
    pub restored_events: IntCounter,
    /// Times a stage began anew after a failure, by stage.
    pub restarts: IntCounterVec,
    /// Brokers that this process is connected to.
    pub brokers_connected: IntGauge,
    /// Whether it is connected to each broker that it needs.
    pub broker_connected: IntGaugeVec,
    /// Whether each part of the service is ready.
    pub part_ready: IntGaugeVec,
}

/// A metric as it was registered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Described {
    /// The whole name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: Vec<&'static str>,
}

/// What aborted a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// Another member has the partitions, or another instance the name.
    Fenced,
    /// A rebalance went by meanwhile; it is tried again.
    Overtaken,
    /// The brokers did not do it in time.
    TimedOut,
    /// A permission is missing.
    Denied,
    /// Something else that the brokers or the client say.
    Broker,
}

impl Abort {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Fenced, Self::Overtaken, Self::TimedOut, Self::Denied, Self::Broker];

    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Overtaken => "overtaken",
            Self::TimedOut => "timed_out",
            Self::Denied => "denied",
            Self::Broker => "broker",
        }
    }
}

/// What a stage waits for while it takes in nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Workers hold as much as they may, and the transaction that takes it from them does not end.
    Transaction,
    /// As many documents as are allowed wait to be written.
    StoreWrite,
    /// Changes wait until their documents are read.
    StoreRead,
}

impl Wait {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Transaction, Self::StoreWrite, Self::StoreRead];

    /// The values of the labels `stage` and `on`.
    pub const fn labels(self) -> [&'static str; 2] {
        match self {
            Self::Transaction => ["aggregate", "transaction"],
            Self::StoreWrite => ["materialise", "store_write"],
            Self::StoreRead => ["materialise", "store_read"],
        }
    }
}

/// Whether the document that a change belongs to was in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It was.
    Hit,
    /// It had to be read.
    Miss,
    /// A session's, which is begun without looking.
    Begun,
}

impl Lookup {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hit, Self::Miss, Self::Begun];

    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Begun => "begun",
        }
    }
}

const PREFIX: &str = "storepulse_analytics";

/// Registers metrics, and keeps in mind which.
struct Maker {
    registry: Registry,
    described: Vec<Described>,
}

type Made<T> = Result<T, prometheus::Error>;

impl Maker {
    fn add<T: Collector + Clone + 'static>(
        &mut self,
        name: &str,
        kind: &'static str,
        labels: &[&'static str],
        metric: Made<T>,
    ) -> Made<T> {
        let metric = metric?;
        self.registry.register(Box::new(metric.clone()))?;
        self.described.push(Described { name: format!("{PREFIX}_{name}"), kind, labels: labels.to_vec() });
        Ok(metric)
    }

    fn counter(&mut self, name: &str, help: &str) -> Made<IntCounter> {
        self.add(name, "counter", &[], IntCounter::new(name, help))
    }

    fn counters(&mut self, name: &str, help: &str, label: &'static str) -> Made<IntCounterVec> {
        self.add(name, "counter", &[label], IntCounterVec::new(Opts::new(name, help), &[label]))
    }

    fn gauge(&mut self, name: &str, help: &str) -> Made<IntGauge> {
        self.add(name, "gauge", &[], IntGauge::new(name, help))
    }

    fn gauges(&mut self, name: &str, help: &str, labels: &[&'static str]) -> Made<IntGaugeVec> {
        self.add(name, "gauge", labels, IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn ages(&mut self, name: &str, help: &str) -> Made<GaugeVec> {
        self.add(name, "gauge", &["partition"], GaugeVec::new(Opts::new(name, help), &["partition"]))
    }

    fn histogram(&mut self, name: &str, help: &str, buckets: Vec<f64>) -> Made<Histogram> {
        self.add(name, "histogram", &[], Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)))
    }
}

/// From a millisecond to two minutes: a transaction is given up after one, the restoring of a partition after two.
fn seconds() -> Vec<f64> {
    (0..18).map(|n| 0.001 * f64::from(1 << n)).collect()
}

/// From 10 ms to 15 minutes, denser where promises are made: what a document's interval allows, and what an outage does.
fn latencies() -> Vec<f64> {
    [0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0]
        .into_iter()
        .chain([300.0, 900.0])
        .collect()
}

impl Metrics {
    /// Makes and registers all metrics.
    ///
    /// # Errors
    ///
    /// If a name is wrong or taken, which is a bug.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some(PREFIX.into()), None)?;
        let mut make = Maker { registry: registry.clone(), described: Vec::new() };
        let memory = ResidentMemory(IntGauge::new("resident_memory_bytes", "Memory of this process that is in RAM")?);
        make.add("resident_memory_bytes", "gauge", &[], Ok(memory))?;
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        make.gauge("start_time_seconds", "When this process began, Unix time")?.set(began.as_secs().cast_signed());
        let metrics = Self {
            events: make.counters(
                "events_aggregated_total",
                "Events counted, in committed transactions",
                "event_type",
            )?,
            duplicates: make.counter("duplicates_total", "Events not counted because their id was known")?,
            dead_letters: make.counters("dead_letters_total", "Messages sent to the dead-letter queue", "reason")?,
            lag_events: {
                let help = "Events that are not in a committed transaction yet";
                make.gauges("lag_events", help, &["partition"])?
            },
            lag_seconds: make
                .ages("lag_seconds", "The most that the first of these events can have waited, seconds")?,
            lag_deltas: make.gauges("lag_deltas", "Delta records that are not in the store yet", &["partition"])?,
            lag_deltas_seconds: {
                let help = "Age of the first event of the first delta record that is not in the store yet, seconds";
                make.ages("lag_deltas_seconds", help)?
            },
            event_to_commit_seconds: {
                let help = "Seconds from the broker's taking an event to the commit that counts it; oldest of a commit";
                make.histogram("event_to_commit_seconds", help, latencies())?
            },
            event_to_store_seconds: {
                let name = "event_to_store_seconds";
                let help =
                    "Seconds from the broker's taking an event to the write of a document with it; oldest of a write";
                let options = HistogramOpts::new(name, help).buckets(latencies());
                make.add(name, "histogram", &["tier"], HistogramVec::new(options, &["tier"]))?
            },
            documents_written: make.counters("documents_written_total", "Documents written to the store", "tier")?,
            documents_per_event: {
                let name = "documents_per_event";
                let help = "Documents written for each event counted, since this process began";
                make.add(name, "gauge", &[], Gauge::new(name, help))?
            },
            documents_per_flush: {
                let buckets = vec![1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 300.0, 400.0];
                make.histogram("documents_per_flush", "Documents of a commit to the store", buckets)?
            },
            documents_read: make.counter("documents_read_total", "Documents read from the store")?,
            document_lookups: {
                let help = "Changes, by whether their document was in memory";
                make.counters("document_lookups_total", help, "outcome")?
            },
            document_conflicts: {
                let help = "Documents whose write was refused because the store held another version than expected";
                make.counter("document_conflicts_total", help)?
            },
            documents_dirty: make.gauge("documents_dirty", "Documents that wait to be written")?,
            documents_cached: make.gauge("documents_cached", "Documents in memory")?,
            documents_cached_bytes: make.gauge("documents_cached_bytes", "Memory that they take, roughly")?,
            documents_capacity_bytes: make.gauge("documents_capacity_bytes", "The most memory that they may take")?,
            documents_capacity: make.gauge("documents_capacity", "The most documents that are kept in memory")?,
            store_errors: make.counters("store_errors_total", "Calls to the store that failed", "kind")?,
            flush_seconds: make.histogram("flush_seconds", "Seconds of a commit to the store", seconds())?,
            transactions: make.counter("transactions_total", "Kafka transactions committed")?,
            transactions_aborted: make.counters(
                "transactions_aborted_total",
                "Kafka transactions aborted",
                "reason",
            )?,
            transaction_seconds: make.histogram("transaction_seconds", "Seconds of a Kafka transaction", seconds())?,
            backpressure: {
                let help = "1 while a stage takes in nothing because what is behind it is full";
                make.gauges("backpressure", help, &["stage", "on"])?
            },
            backpressure_seconds: {
                let name = "backpressure_seconds_total";
                let options = Opts::new(name, "Seconds in which a stage took in nothing because of that");
                make.add(name, "counter", &["stage", "on"], CounterVec::new(options, &["stage", "on"]))?
            },
            sessions: make.gauges("sessions", "Sessions known", &["state"])?,
            stories_pending: make.gauge("stories_pending", "Open sessions whose story has not gone out")?,
            partitions: make.gauges("partitions_assigned", "Partitions assigned", &["stage"])?,
            partitions_restoring: make.gauge("partitions_restoring", "Partitions whose sessions are being restored")?,
            restore_seconds: {
                make.histogram("restore_seconds", "Seconds to restore the sessions of a partition", seconds())?
            },
            restored_events: make.counter("restored_events_total", "Events read again to restore sessions")?,
            restarts: make.counters("stage_restarts_total", "Times a stage began anew after a failure", "stage")?,
            brokers_connected: make.gauge("brokers_connected", "Brokers that this process is connected to")?,
            broker_connected: make.gauges(
                "broker_connected",
                "1 while the second stage is connected to a broker that it needs, else 0",
                &["broker"],
            )?,
            part_ready: make.gauges(
                "part_ready",
                "1 while a part of the service is ready, as /readyz says",
                &["part"],
            )?,
            described: std::mem::take(&mut make.described),
            registry,
        };
        // All series exist from the start, so that a rate over them is right from the first event on.
        Payload::TYPES.iter().for_each(|t| drop(metrics.events.with_label_values(&[t])));
        Reason::ALL.iter().for_each(|r| drop(metrics.dead_letters.with_label_values(&[r.as_str()])));
        Tier::ALL.iter().for_each(|t| drop(metrics.documents_written.with_label_values(&[t.as_str()])));
        Tier::ALL.iter().for_each(|t| drop(metrics.event_to_store_seconds.with_label_values(&[t.as_str()])));
        Lookup::ALL.iter().for_each(|l| drop(metrics.document_lookups.with_label_values(&[l.as_str()])));
        Abort::ALL.iter().for_each(|a| drop(metrics.transactions_aborted.with_label_values(&[a.as_str()])));
        ["conflict", "unavailable", "refused"].iter().for_each(|k| drop(metrics.store_errors.with_label_values(&[k])));
        for stage in ["aggregate", "materialise"] {
            metrics.restarts.with_label_values(&[stage]);
            metrics.partitions.with_label_values(&[stage]);
        }
        for wait in Wait::ALL {
            metrics.backpressure.with_label_values(&wait.labels());
            metrics.backpressure_seconds.with_label_values(&wait.labels());
        }
        Ok(metrics)
    }

    /// Brings [`Self::documents_per_event`] up to date.
    pub fn update_ratio(&self) {
        let written: u64 =
            Tier::ALL.iter().map(|t| self.documents_written.with_label_values(&[t.as_str()]).get()).sum();
        let events: u64 = Payload::TYPES.iter().map(|t| self.events.with_label_values(&[t]).get()).sum();
        if events > 0 {
            self.documents_per_event.set(written as f64 / events as f64);
        }
    }

    /// Takes away what is said of partitions of the event topic that are no longer this instance's.
    pub fn forget_partitions(&self, partitions: &[i32]) {
        for partition in partitions.iter().map(i32::to_string) {
            // They have no series while nothing is known of them.
            let _ = self.lag_events.remove_label_values(&[&partition]);
            let _ = self.lag_seconds.remove_label_values(&[&partition]);
        }
    }

    /// The same for the delta topic.
    pub fn forget_delta_partitions(&self, partitions: &[i32]) {
        for partition in partitions.iter().map(i32::to_string) {
            let _ = self.lag_deltas.remove_label_values(&[&partition]);
            let _ = self.lag_deltas_seconds.remove_label_values(&[&partition]);
        }
    }

    /// Takes in to which of the brokers that it needs the second stage is connected. Says to how many.
    pub fn connected_to(&self, brokers: &BTreeMap<i32, bool>) -> usize {
        self.broker_connected.reset();
        for (broker, connected) in brokers {
            self.broker_connected.with_label_values(&[&broker.to_string()]).set(i64::from(*connected));
        }
        let connected = brokers.values().filter(|connected| **connected).count();
        self.brokers_connected.set(connected as i64);
        connected
    }

    /// Takes in so many changes, by whether their document was in memory.
    pub fn looked_up(&self, lookup: Lookup, changes: usize) {
        self.document_lookups.with_label_values(&[lookup.as_str()]).inc_by(changes as u64);
    }

    /// Takes in that a stage waited for so long, and whether it still does.
    pub fn waited(&self, wait: Wait, seconds: f64, still: bool) {
        self.backpressure_seconds.with_label_values(&wait.labels()).inc_by(seconds);
        self.backpressure.with_label_values(&wait.labels()).set(i64::from(still));
    }
}

/// The memory of this process, read when it is asked for.
#[derive(Clone)]
struct ResidentMemory(IntGauge);

impl Collector for ResidentMemory {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Only Linux has this file; elsewhere the gauge stays 0.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
        self.0.set(kib.unwrap_or(0_i64) * 1024);
        self.0.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str) -> String {
        let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// The first `n` cells of each row of the page's tables that begins with a metric's name.
    fn documented() -> Vec<Described> {
        let page = page("metrics.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let rows = rows.map(|(name, rest)| {
            let cells: Vec<&str> = rest.split('|').map(str::trim).collect();
            let kind = ["counter", "gauge", "histogram"].into_iter().find(|kind| cells[1] == *kind).unwrap_or("none");
            let labels = cells[2].split(' ').filter_map(|l| l.strip_prefix('`')?.strip_suffix('`'));
            Described {
                name: format!("{PREFIX}_{name}"),
                kind,
                labels: labels.map(|l| &*l.to_owned().leak()).collect(),
            }
        });
        rows.collect()
    }

    #[test]
    fn every_metric_is_documented_and_every_documented_one_exists() {
        let (mut made, mut documented) = (Metrics::new().unwrap().described, documented());
        made.sort();
        documented.sort();
        assert_eq!(made, documented);
    }

    #[test]
    fn every_alert_names_metrics_that_exist_and_has_its_section_in_the_runbook() {
        let (alerts, runbook) = (page("prometheus-alerts.yml"), page("runbook.md"));
        let metrics = Metrics::new().unwrap().described;
        let mut names = 0;
        for word in alerts.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            let Some(_) = word.strip_prefix(PREFIX) else { continue };
            let exists = metrics.iter().any(|m| {
                let of_histogram = |end: &str| m.kind == "histogram" && word.strip_suffix(end) == Some(m.name.as_str());
                m.name == word || ["_bucket", "_sum", "_count"].into_iter().any(of_histogram)
            });
            assert!(exists, "{word}");
            names += 1;
        }
        assert!(names > 10, "{names}");
        let slug = |heading: &str| heading.to_lowercase().replace(' ', "-");
        let sections: Vec<String> = runbook.lines().filter_map(|l| l.strip_prefix("## ")).map(slug).collect();
        let mut links = 0;
        for line in alerts.lines() {
            let Some((_, link)) = line.split_once("runbook_url:") else { continue };
            let section = link.trim().trim_matches('"').split_once('#').map(|(_, section)| section.to_owned());
            assert!(section.as_ref().is_some_and(|s| sections.contains(s)), "{line}: {sections:?}");
            links += 1;
        }
        assert_eq!(links, alerts.matches("- alert:").count());
        assert!(links > 8, "{links}");
    }

    #[test]
    fn memory_is_measured() {
        let metrics = Metrics::new().unwrap();
        let families = metrics.registry.gather();
        let memory = families.iter().find(|f| f.name().ends_with("resident_memory_bytes")).unwrap();
        assert!(!cfg!(target_os = "linux") || memory.get_metric()[0].get_gauge().get_value() > 1e6);
    }
}
