//! What reading costs, and how much it may.
//!
//! A bucket of documents that fills as time passes, as fast as there are viewers, at least one. Nine tenths of the bound come
//! evenly; the last tenth is what it holds, for a page that is opened. Below zero nothing is read again that is known;
//! and when a quarter of the bound is owed, nothing is read at all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::Metrics;

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
/// The part of the bound that the bucket holds.
const HELD: f64 = 0.1;
/// The part of the bound that may be owed.
const OWED: f64 = 0.25;

/// See the [module](self).
#[derive(Clone)]
pub struct Meter {
    state: Arc<Mutex<State>>,
    metrics: Metrics,
    bound: f64,
}

struct State {
    tokens: f64,
    viewers: u32,
    at: Instant,
    /// Of each of the last 60 minutes: its beginning, documents, seconds of viewers.
    minutes: VecDeque<(Instant, f64, f64)>,
}

impl Meter {
    /// At most `bound` documents for each hour of a viewer.
    pub fn new(bound: u32, metrics: Metrics) -> Self {
        let bound = f64::from(bound);
        let state = State { tokens: bound * HELD, viewers: 0, at: Instant::now(), minutes: VecDeque::new() };
        Self { state: Arc::new(Mutex::new(state)), metrics, bound }
    }

    /// The bound.
    pub const fn bound(&self) -> f64 {
        self.bound
    }

    /// Counts documents that were read.
    pub fn read(&self, kind: &str, documents: usize, now: Instant) {
        self.metrics.store_reads.with_label_values(&[kind]).inc_by(documents as u64);
        let mut state = self.pass(now);
        state.tokens -= documents as f64;
        state.minute(now).1 += documents as f64;
    }

    /// Whether what is known may be read again.
    pub fn may_read(&self, now: Instant) -> bool {
        self.pass(now).tokens > 0.0
    }

    /// How long nothing at all may be read, if so much is owed.
    pub fn exhausted(&self, now: Instant) -> Option<Duration> {
        let state = self.pass(now);
        let missing = -self.bound * OWED - state.tokens;
        (missing > 0.0).then(|| Duration::from_secs_f64((missing / state.per_second(self.bound)).clamp(1.0, 3_600.0)))
    }

    /// A viewer, until the returned value is dropped.
    pub fn viewer(&self) -> Viewer {
        self.pass(Instant::now()).viewers += 1;
        self.metrics.viewers.inc();
        Viewer(self.clone())
    }

    /// Documents read for each hour of a viewer, in the last hour; none with less than a minute of viewers.
    pub fn per_viewer_hour(&self, now: Instant) -> Option<f64> {
        let state = self.pass(now);
        let (reads, seconds) =
            state.minutes.iter().fold((0.0, 0.0), |sum, minute| (sum.0 + minute.1, sum.1 + minute.2));
        let rate = (seconds >= MINUTE.as_secs_f64()).then(|| (reads * HOUR.as_secs_f64() / seconds).round());
        self.metrics.reads_per_viewer_hour.set(rate.unwrap_or(0.0));
        rate
    }

    /// Lets the time since the last call pass.
    fn pass(&self, now: Instant) -> std::sync::MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(state.at).as_secs_f64();
        state.at = state.at.max(now);
        let watched = passed * f64::from(state.viewers);
        let (per_second, most) = (state.per_second(self.bound), self.bound * HELD * f64::from(state.viewers.max(1)));
        state.tokens = (state.tokens + passed * per_second).min(most);
        state.minute(now).2 += watched;
        self.metrics.viewer_seconds.inc_by(watched);
        state
    }
}

impl State {
    fn per_second(&self, bound: f64) -> f64 {
        bound * (1.0 - HELD) * f64::from(self.viewers.max(1)) / HOUR.as_secs_f64()
    }

    fn minute(&mut self, now: Instant) -> &mut (Instant, f64, f64) {
        while self.minutes.front().is_some_and(|(begun, ..)| now.saturating_duration_since(*begun) >= HOUR) {
            self.minutes.pop_front();
        }
        let is_new = self.minutes.back().is_none_or(|(begun, ..)| now.saturating_duration_since(*begun) >= MINUTE);
        if is_new {
            self.minutes.push_back((now, 0.0, 0.0));
        }
        let last = self.minutes.len() - 1;
        &mut self.minutes[last]
    }
}

/// Somebody who looks.
pub struct Viewer(Meter);

impl Drop for Viewer {
    fn drop(&mut self) {
        let mut state = self.0.pass(Instant::now());
        state.viewers = state.viewers.saturating_sub(1);
        self.0.metrics.viewers.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(bound: u32) -> Meter {
        Meter::new(bound, Metrics::new().unwrap())
    }

    #[test]
    fn no_more_than_the_bound_is_read_again_in_an_hour() {
        let (meter, begin) = (meter(3_600), Instant::now());
        let mut reads = 0;
        for second in 0..3_600 {
            let now = begin + Duration::from_secs(second);
            while meter.may_read(now) {
                meter.read("get", 1, now);
                reads += 1;
            }
        }
        assert!((3_500..=3_600).contains(&reads), "{reads}");
    }

    #[test]
    fn two_viewers_may_read_twice_as_much() {
        let (meter, begin) = (meter(3_600), Instant::now());
        let (_one, _two) = (meter.viewer(), meter.viewer());
        meter.read("get", 360, begin);
        assert!(!meter.may_read(begin));
        meter.read("get", 89, begin);
        assert!(!meter.may_read(begin + Duration::from_secs(49)));
        assert!(meter.may_read(begin + Duration::from_secs(51)));
    }

    #[test]
    fn nothing_is_read_when_too_much_is_owed() {
        let (meter, begin) = (meter(3_600), Instant::now());
        meter.read("query", 360 + 900, begin);
        assert_eq!((meter.exhausted(begin), meter.may_read(begin)), (None, false));
        meter.read("query", 90, begin);
        let wait = meter.exhausted(begin).unwrap();
        assert!((99..=101).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(meter.exhausted(begin + Duration::from_secs(101)), None);
    }

    #[test]
    fn the_rate_is_of_the_last_hour() {
        let (meter, begin) = (meter(1_000_000), Instant::now());
        let _viewer = meter.viewer();
        meter.read("get", 100, begin);
        assert_eq!(meter.per_viewer_hour(begin + Duration::from_secs(30)), None);
        let after = meter.per_viewer_hour(begin + Duration::from_secs(100)).unwrap();
        assert!((3_500.0..=3_700.0).contains(&after), "{after}");
        let later = meter.per_viewer_hour(begin + 2 * HOUR);
        assert_eq!(later, Some(0.0));
    }
}
