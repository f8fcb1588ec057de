//! The supervisor's metrics.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use storepulse_events::Payload;

use crate::tally::Part;

/// Prometheus metrics of a run. Counters count what workers have reported.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Where they are gathered.
    pub registry: Registry,
    produced: IntCounterVec,
    delivery_errors: IntCounter,
    malformed: IntCounter,
    duplicates: IntCounter,
    /// Running workers.
    pub workers: IntGauge,
    /// Workers that died and were started again.
    pub restarts: IntCounter,
    /// Sessions that have started and not ended.
    pub sessions_open: IntGauge,
}

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    ///
    /// If two have the same name, which a test excludes.
    pub fn new() -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| IntCounter::new(format!("storepulse_simulator_{name}"), help);
        let gauge = |name: &str, help: &str| IntGauge::new(format!("storepulse_simulator_{name}"), help);
        let produced = Opts::new(
            "storepulse_simulator_events_produced_total",
            "Unique well-formed events that the sink acknowledged, by type",
        );
        let metrics = Self {
            registry: Registry::new(),
            produced: IntCounterVec::new(produced, &["event_type"])?,
            delivery_errors: counter("delivery_errors_total", "Messages that the cluster did not acknowledge")?,
            malformed: counter("malformed_total", "Malformed messages sent on purpose and acknowledged")?,
            duplicates: counter("duplicates_total", "Further copies of events sent on purpose and acknowledged")?,
            workers: gauge("workers", "Running worker processes")?,
            restarts: counter("worker_restarts_total", "Worker processes that died and were started again")?,
            sessions_open: gauge("sessions_open", "Sessions that have started and not ended")?,
        };
        metrics.registry.register(Box::new(metrics.produced.clone()))?;
        for counter in [&metrics.delivery_errors, &metrics.malformed, &metrics.duplicates, &metrics.restarts] {
            metrics.registry.register(Box::new(counter.clone()))?;
        }
        for gauge in [&metrics.workers, &metrics.sessions_open] {
            metrics.registry.register(Box::new(gauge.clone()))?;
        }
        for event_type in Payload::TYPES {
            metrics.produced.with_label_values(&[event_type]);
        }
        Ok(metrics)
    }

    /// Counts what a worker has reported.
    pub fn count(&self, part: &Part) {
        for (event_type, count) in Payload::TYPES.into_iter().zip(part.events) {
            self.produced.with_label_values(&[event_type]).inc_by(count);
        }
        self.delivery_errors.inc_by(part.failed);
        self.malformed.inc_by(part.malformed.iter().sum());
        self.duplicates.inc_by(part.duplicates);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_have_the_promised_names() {
        let metrics = Metrics::new().unwrap();
        metrics.count(&Part { events: [1, 2, 3, 4, 5, 6, 7], duplicates: 8, ..Part::default() });
        let text = prometheus::TextEncoder::new().encode_to_string(&metrics.registry.gather()).unwrap();
        for line in [
            "storepulse_simulator_events_produced_total{event_type=\"purchase\"} 6",
            "storepulse_simulator_duplicates_total 8",
            "storepulse_simulator_delivery_errors_total 0",
            "storepulse_simulator_malformed_total 0",
            "storepulse_simulator_workers 0",
            "storepulse_simulator_worker_restarts_total 0",
            "storepulse_simulator_sessions_open 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }
}
