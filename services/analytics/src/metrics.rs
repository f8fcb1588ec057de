//! What the service counts.

use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use storepulse_events::{Payload, Reason};

use crate::document::Tier;

/// The service's metrics. All names begin with `storepulse_analytics_`.
#[derive(Clone)]
pub struct Metrics {
    /// The registry they are in.
    pub registry: Registry,
    /// Events counted, by type; only committed ones.
    pub events: IntCounterVec,
    /// Events not counted because their id was known in their session.
    pub duplicates: IntCounter,
    /// Messages sent to the dead-letter queue, by reason.
    pub dead_letters: IntCounterVec,
    /// Events of each partition that are not in a committed transaction yet.
    pub lag_events: IntGaugeVec,
    /// Records of each partition of the delta topic that are not in the store yet.
    pub lag_deltas: IntGaugeVec,
    /// Documents written, by tier.
    pub documents_written: IntCounterVec,
    /// Documents written for each event counted, since this process began.
    pub documents_per_event: Gauge,
    /// Documents read.
    pub documents_read: IntCounter,
    /// Documents that wait to be written.
    pub documents_dirty: IntGauge,
    /// Documents in memory.
    pub documents_cached: IntGauge,
    /// Calls to the store that failed, by kind.
    pub store_errors: IntCounterVec,
    /// Transactions committed.
    pub transactions: IntCounter,
    /// Transactions aborted.
    pub transactions_aborted: IntCounter,
    /// Seconds from the start of a transaction to its commit.
    pub transaction_seconds: Histogram,
    /// Seconds of a commit to the store.
    pub flush_seconds: Histogram,
    /// Sessions known, by state.
    pub sessions: IntGaugeVec,
    /// Sessions whose story has not gone out yet.
    pub stories_pending: IntGauge,
    /// Partitions assigned, by stage.
    pub partitions: IntGaugeVec,
    /// Times a stage began anew after a failure, by stage.
    pub restarts: IntCounterVec,
}

impl Metrics {
    /// Makes and registers all metrics.
    ///
    /// # Errors
    ///
    /// If a name is wrong or taken, which is a bug.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("storepulse_analytics".into()), None)?;
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let metric = IntCounter::new(name, help)?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let counters = |name: &str, help: &str, label: &str| -> Result<IntCounterVec, prometheus::Error> {
            let metric = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let metric = IntGauge::new(name, help)?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let gauges = |name: &str, help: &str, label: &str| -> Result<IntGaugeVec, prometheus::Error> {
            let metric = IntGaugeVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let seconds = |name: &str, help: &str| -> Result<Histogram, prometheus::Error> {
            let buckets = prometheus::exponential_buckets(0.001, 2.0, 15)?;
            let metric = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let metrics = Self {
            events: counters("events_aggregated_total", "Events counted, in committed transactions", "event_type")?,
            duplicates: counter("duplicates_total", "Events not counted because their id was known")?,
            dead_letters: counters("dead_letters_total", "Messages sent to the dead-letter queue", "reason")?,
            lag_events: gauges("lag_events", "Events that are not in a committed transaction yet", "partition")?,
            lag_deltas: gauges("lag_deltas", "Delta records that are not in the store yet", "partition")?,
            documents_written: counters("documents_written_total", "Documents written to the store", "tier")?,
            documents_per_event: {
                let help = "Documents written for each event counted, since this process began";
                let metric = Gauge::new("documents_per_event", help)?;
                registry.register(Box::new(metric.clone()))?;
                metric
            },
            documents_read: counter("documents_read_total", "Documents read from the store")?,
            documents_dirty: gauge("documents_dirty", "Documents that wait to be written")?,
            documents_cached: gauge("documents_cached", "Documents in memory")?,
            store_errors: counters("store_errors_total", "Calls to the store that failed", "kind")?,
            transactions: counter("transactions_total", "Kafka transactions committed")?,
            transactions_aborted: counter("transactions_aborted_total", "Kafka transactions aborted")?,
            transaction_seconds: seconds("transaction_seconds", "Seconds of a Kafka transaction")?,
            flush_seconds: seconds("flush_seconds", "Seconds of a commit to the store")?,
            sessions: gauges("sessions", "Sessions known", "state")?,
            stories_pending: gauge("stories_pending", "Open sessions whose story has not gone out")?,
            partitions: gauges("partitions_assigned", "Partitions assigned", "stage")?,
            restarts: counters("stage_restarts_total", "Times a stage began anew after a failure", "stage")?,
            registry,
        };
        // All series exist from the start, so that a rate over them is right from the first event on.
        Payload::TYPES.iter().for_each(|t| drop(metrics.events.with_label_values(&[t])));
        Reason::ALL.iter().for_each(|r| drop(metrics.dead_letters.with_label_values(&[r.as_str()])));
        Tier::ALL.iter().for_each(|t| drop(metrics.documents_written.with_label_values(&[t.as_str()])));
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
}
