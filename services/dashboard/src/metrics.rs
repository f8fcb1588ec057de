//! What the dashboard counts about itself. `docs/dashboard.md` says what each number tells.

use prometheus::{Counter, Gauge, Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry};

/// Bounds of the update delay's histogram, in seconds.
const DELAYS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Prometheus metrics of the dashboard.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Where they are gathered.
    pub registry: Registry,
    /// Documents read, by how: `listen`, `query`, `get`.
    pub store_reads: IntCounterVec,
    /// Calls to the store that failed, by kind.
    pub store_errors: IntCounterVec,
    /// Open streams.
    pub viewers: IntGauge,
    /// How long they were open, together.
    pub viewer_seconds: Counter,
    /// Documents read for each hour of a viewer, in the last hour.
    pub reads_per_viewer_hour: Gauge,
    /// From hearing of a change to handing it to the viewers.
    pub update_delay: Histogram,
    /// Answers, by status.
    pub requests: IntCounterVec,
    /// Countries (and the whole shop) that are being listened to.
    pub listeners: IntGauge,
}

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    ///
    /// If two have the same name, which a test excludes.
    pub fn new() -> prometheus::Result<Self> {
        let name = |name: &str| format!("storepulse_dashboard_{name}");
        let counters = |n: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name(n), help), &[label]);
        let delay =
            HistogramOpts::new(name("update_delay_seconds"), "From hearing of a change to handing it to viewers");
        let metrics = Self {
            registry: Registry::new(),
            store_reads: counters("store_reads_total", "Documents read, as Firestore bills them", "kind")?,
            store_errors: counters("store_errors_total", "Calls to the store that failed", "kind")?,
            viewers: IntGauge::new(name("viewers"), "Open streams")?,
            viewer_seconds: Counter::new(name("viewer_seconds_total"), "How long streams were open, together")?,
            reads_per_viewer_hour: Gauge::new(
                name("reads_per_viewer_hour"),
                "Documents read for each hour of a viewer, in the last hour",
            )?,
            update_delay: Histogram::with_opts(delay.buckets(DELAYS.to_vec()))?,
            requests: counters("requests_total", "Answers", "status")?,
            listeners: IntGauge::new(
                name("listeners"),
                "Listeners to the store: one for the shop, one for each country",
            )?,
        };
        let registry = &metrics.registry;
        for counters in [&metrics.store_reads, &metrics.store_errors, &metrics.requests] {
            registry.register(Box::new(counters.clone()))?;
        }
        registry.register(Box::new(metrics.viewers.clone()))?;
        registry.register(Box::new(metrics.listeners.clone()))?;
        registry.register(Box::new(metrics.viewer_seconds.clone()))?;
        registry.register(Box::new(metrics.reads_per_viewer_hour.clone()))?;
        registry.register(Box::new(metrics.update_delay.clone()))?;
        for kind in ["listen", "query", "get"] {
            metrics.store_reads.with_label_values(&[kind]);
        }
        Ok(metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_documented() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/dashboard.md");
        let page = std::fs::read_to_string(page).unwrap();
        let metrics = Metrics::new().unwrap();
        metrics.store_errors.with_label_values(&["unavailable"]);
        metrics.requests.with_label_values(&["200"]);
        let families = metrics.registry.gather();
        assert_eq!(families.len(), 8);
        for family in families {
            let name = family.name().strip_prefix("storepulse_dashboard_").unwrap();
            assert!(page.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
