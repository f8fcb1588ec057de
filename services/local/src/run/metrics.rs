//! What the services count, read from their `/metrics`.

use std::time::Duration;

use crate::http;

/// A service that answers later is busy; its last figures are shown meanwhile.
const PATIENCE: Duration = Duration::from_millis(800);

/// One reading of both services. A figure that could not be read is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Reading {
    /// Events delivered to Kafka.
    pub(super) produced: Option<f64>,
    /// Events Kafka did not take.
    pub(super) delivery_errors: Option<f64>,
    /// Events counted.
    pub(super) aggregated: Option<f64>,
    /// Events seen before.
    pub(super) duplicates: Option<f64>,
    /// Events refused.
    pub(super) dead_letters: Option<f64>,
    /// Events not read yet.
    pub(super) lag: Option<f64>,
    /// Documents written to the store.
    pub(super) documents: Option<f64>,
}

impl Reading {
    /// Asks both services; what one does not answer is taken from the reading before.
    pub(super) async fn take(simulator: u16, analytics: u16, before: &Self) -> Self {
        let (simulator, analytics) =
            tokio::join!(http::get(simulator, "/metrics", PATIENCE), http::get(analytics, "/metrics", PATIENCE));
        let mut reading = *before;
        if let Some((200, page)) = simulator {
            let sum = |name| sum(&page, &format!("storepulse_simulator_{name}"));
            reading.produced = sum("events_produced_total").or(reading.produced);
            reading.delivery_errors = sum("delivery_errors_total").or(reading.delivery_errors);
        }
        if let Some((200, page)) = analytics {
            let sum = |name| sum(&page, &format!("storepulse_analytics_{name}"));
            reading.aggregated = sum("events_aggregated_total").or(reading.aggregated);
            reading.duplicates = sum("duplicates_total").or(reading.duplicates);
            reading.dead_letters = sum("dead_letters_total").or(reading.dead_letters);
            reading.lag = sum("lag_events").or(reading.lag);
            reading.documents = sum("documents_written_total").or(reading.documents);
        }
        reading
    }
}

/// The sum over all labels of a metric in Prometheus's text format.
fn sum(page: &str, name: &str) -> Option<f64> {
    let values: Vec<f64> = page
        .lines()
        .filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = match rest.strip_prefix('{') {
                // A label's value may hold spaces and braces, the number after them may not.
                Some(labelled) => labelled.rsplit_once('}')?.1,
                None => rest.strip_prefix(' ')?,
            };
            value.split_whitespace().next()?.parse().ok()
        })
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_labels_and_over_nothing_else() {
        let page = "\
# HELP a_total things
# TYPE a_total counter
a_total{kind=\"x y\"} 3
a_total{kind=\"z}\"} 4 1700000000
a_total_more 100
b 5
";
        assert_eq!(sum(page, "a_total"), Some(7.0));
        assert_eq!(sum(page, "b"), Some(5.0));
        assert_eq!(sum(page, "c"), None);
    }
}
