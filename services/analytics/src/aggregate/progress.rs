//! How far behind each partition is, in events and in time.

use std::collections::BTreeMap;

use crate::clock::seconds_since;
use crate::metrics::Metrics;

/// What a worker knows of a partition when it makes a cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The highest broker's time of its events so far, if there was any, in milliseconds since the Unix epoch.
    pub newest: Option<i64>,
    /// Whether all that was in the partition is in the cut, or in former ones.
    pub at_end: bool,
}

/// How far a partition's committed transactions go.
#[derive(Clone, Copy, Debug, Default)]
struct Partition {
    committed: i64,
    head: Head,
    /// When it was last seen without anything to do, in milliseconds since the Unix epoch.
    idle_at: Option<i64>,
}

/// The backlog of all partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Backlog {
    /// Events that are not in a committed transaction.
    pub events: i64,
    /// How long the first of them can have waited at most, in seconds.
    pub seconds: f64,
    /// The sum of the committed offsets.
    pub committed: i64,
}

/// The progress of the assigned partitions of which it is known.
#[derive(Debug, Default)]
pub struct Progress(BTreeMap<i32, Partition>);

impl Progress {
    /// Takes in what is known of a newly assigned partition: its committed offset and, once its sessions are restored,
    /// the newest event before it.
    pub fn begin(&mut self, partition: i32, committed: i64, newest: Option<i64>) {
        self.0.insert(partition, Partition { committed, head: Head { newest, at_end: false }, idle_at: None });
    }

    /// Takes in a committed offset.
    pub fn committed(&mut self, partition: i32, offset: i64) {
        self.0.entry(partition).or_default().committed = offset;
    }

    /// Takes in what a worker knew when it made a cut that is committed now.
    pub fn reached(&mut self, partition: i32, head: Head) {
        if let Some(known) = self.0.get_mut(&partition) {
            known.head = head;
        }
    }

    /// Forgets partitions that are no longer this instance's.
    pub fn forget(&mut self, partitions: &[i32]) {
        self.0.retain(|partition, _| !partitions.contains(partition));
    }

    /// Brings the metrics up to date, with the partitions' `ends` as far as they are known and this machine's time in
    /// milliseconds since the Unix epoch. What is not known has no series: it is not said to be 0.
    pub fn report(&mut self, ends: &BTreeMap<i32, i64>, now: i64, metrics: &Metrics) -> Backlog {
        let mut backlog = Backlog::default();
        for (number, partition) in &mut self.0 {
            backlog.committed += partition.committed;
            let Some((events, seconds)) = partition.lag(ends.get(number).copied(), now) else { continue };
            let label = number.to_string();
            metrics.lag_events.with_label_values(&[&label]).set(events);
            backlog.events += events;
            if let Some(seconds) = seconds {
                metrics.lag_seconds.with_label_values(&[&label]).set(seconds);
                backlog.seconds = backlog.seconds.max(seconds);
            }
        }
        backlog
    }
}

impl Partition {
    fn lag(&mut self, end: Option<i64>, now: i64) -> Option<(i64, Option<f64>)> {
        // Offsets alone can't tell that nothing waits, because the markers of a producer's transactions take offsets.
        let events = if self.head.at_end { 0 } else { (end? - self.committed).max(0) };
        if events == 0 {
            self.idle_at = Some(now);
            return Some((0, Some(0.0)));
        }
        // What waits came after the newest event that is done, and after the last moment when nothing waited.
        let since = self.head.newest.max(self.idle_at);
        Some((events, since.map(|since| seconds_since(since, now))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn series(metrics: &Metrics, name: &str) -> Vec<f64> {
        let families = metrics.registry.gather();
        let family = families.iter().find(|f| f.name() == format!("storepulse_analytics_{name}"));
        family.map(|f| f.get_metric().iter().map(|m| m.get_gauge().get_value()).collect()).unwrap_or_default()
    }

    #[test]
    fn lag_is_told_once_it_is_known_and_not_before() {
        let metrics = Metrics::new().unwrap();
        let mut progress = Progress::default();
        progress.begin(0, 100, None);
        assert_eq!(progress.report(&BTreeMap::new(), NOW, &metrics).events, 0);
        assert!(series(&metrics, "lag_events").is_empty(), "the end is not known");
        let ends = BTreeMap::from([(0, 150)]);
        let backlog = progress.report(&ends, NOW, &metrics);
        assert_eq!((backlog.events, backlog.committed), (50, 100));
        assert_eq!(series(&metrics, "lag_events"), [50.0]);
        assert!(series(&metrics, "lag_seconds").is_empty(), "no event's time is known");
        progress.begin(0, 100, Some(NOW - 7_000));
        progress.report(&ends, NOW, &metrics);
        assert_eq!(series(&metrics, "lag_seconds"), [7.0]);
    }

    #[test]
    fn an_event_after_a_long_silence_is_not_taken_for_old() {
        let metrics = Metrics::new().unwrap();
        let mut progress = Progress::default();
        progress.begin(0, 100, Some(NOW - 3_600_000));
        assert_eq!(progress.report(&BTreeMap::from([(0, 100)]), NOW, &metrics).seconds, 0.0);
        assert_eq!(progress.report(&BTreeMap::from([(0, 101)]), NOW + 500, &metrics).seconds, 0.5);
        progress.committed(0, 101);
        progress.reached(0, Head { newest: Some(NOW + 400), at_end: false });
        assert_eq!(progress.report(&BTreeMap::from([(0, 110)]), NOW + 1_400, &metrics).seconds, 1.0);
        progress.forget(&[0]);
        assert_eq!(progress.report(&BTreeMap::from([(0, 110)]), NOW, &metrics), Backlog::default());
    }

    #[test]
    fn a_partition_that_ends_with_the_marker_of_a_transaction_is_not_behind() {
        let metrics = Metrics::new().unwrap();
        let mut progress = Progress::default();
        progress.begin(0, 100, None);
        progress.reached(0, Head { newest: None, at_end: true });
        assert_eq!(progress.report(&BTreeMap::from([(0, 101)]), NOW, &metrics).events, 0);
    }
}
