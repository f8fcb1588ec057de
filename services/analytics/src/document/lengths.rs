//! How long sessions last: a DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch", VLDB
//! 2019) whose buckets are plain counts.
//!
//! A bucket's bounds are a fixed ratio apart, so that any length in it is at most [`RELATIVE_ERROR`] of itself away from
//! the bucket's value. Sketches are merged by adding counts. A session that turns out longer is taken out of its bucket
//! again, for which ready-made sketches have no call.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The most that a quantile is away from the true one, as a share of it.
pub const RELATIVE_ERROR: f64 = 0.01;

/// The ratio of a bucket's bounds.
const GAMMA: f64 = (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR);

/// The upper bounds of the buckets, in seconds. The last is three months.
static BOUNDS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    const BUCKETS: usize = 800;
    std::iter::successors(Some(1.0), |bound| Some(bound * GAMMA)).take(BUCKETS + 1).collect()
});

/// The number of the bucket of a length: 0 for less than a second, else one more than the place of its bound.
pub fn bucket(seconds: i64) -> u16 {
    if seconds <= 0 {
        return 0;
    }
    let bounds = &*BOUNDS;
    let place = bounds.partition_point(|bound| *bound < seconds as f64).min(bounds.len() - 1);
    place as u16 + 1
}

/// The length that stands for a bucket, in seconds.
fn value(bucket: u16) -> f64 {
    let Some(place) = usize::from(bucket).checked_sub(1) else { return 0.0 };
    let bounds = &*BOUNDS;
    2.0 * bounds[place.min(bounds.len() - 1)] / (1.0 + GAMMA)
}

/// Counts by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lengths(BTreeMap<u16, i64>);

impl Lengths {
    /// From counts by bucket.
    pub fn from_counts(counts: impl IntoIterator<Item = (u16, i64)>) -> Self {
        let mut lengths = Self::default();
        counts.into_iter().for_each(|(bucket, count)| lengths.add(bucket, count));
        lengths
    }

    /// Adds sessions to a bucket, or takes them out.
    pub fn add(&mut self, bucket: u16, count: i64) {
        let sum = self.0.entry(bucket).or_default();
        *sum = sum.saturating_add(count);
        if *sum == 0 {
            self.0.remove(&bucket);
        }
    }

    /// The counts by bucket.
    pub fn counts(&self) -> impl Iterator<Item = (u16, i64)> {
        self.0.iter().map(|(bucket, count)| (*bucket, *count))
    }

    /// The number of buckets that hold something.
    pub fn buckets(&self) -> usize {
        self.0.len()
    }

    /// The number of sessions.
    pub fn sessions(&self) -> i64 {
        self.0.values().filter(|count| **count > 0).sum()
    }

    /// The length, in seconds, that a share of the sessions does not exceed; `None` without sessions.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let sessions = self.sessions();
        if sessions <= 0 {
            return None;
        }
        let rank = (share * (sessions - 1) as f64).floor() as i64;
        let mut below = 0;
        let found = self.0.iter().filter(|(_, count)| **count > 0).find(|(_, count)| {
            below += **count;
            below > rank
        });
        found.map(|(bucket, _)| value(*bucket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_keep_the_error_that_they_state(
            lengths in prop::collection::vec(prop_oneof![0..100i64, 0..8_000_000i64], 1..300),
            more in prop::collection::vec(0..100_000i64, 0..20),
        ) {
            let mut sketch = Lengths::default();
            lengths.iter().chain(&more).for_each(|length| sketch.add(bucket(*length), 1));
            more.iter().for_each(|length| sketch.add(bucket(*length), -1));
            let mut sorted = lengths;
            sorted.sort_unstable();
            for share in [0.0, 0.5, 0.9, 0.99, 1.0] {
                let exact = sorted[(share * (sorted.len() - 1) as f64).floor() as usize] as f64;
                let found = sketch.quantile(share).unwrap();
                prop_assert!((found - exact).abs() <= RELATIVE_ERROR * exact + 1e-9, "{} for {}", found, exact);
            }
        }
    }

    #[test]
    fn nothing_has_no_length_and_the_longest_have_a_bucket() {
        assert_eq!(Lengths::default().quantile(0.5), None);
        assert_eq!(bucket(-5), 0);
        assert_eq!(bucket(i64::MAX), bucket(i64::MAX / 2));
        assert_eq!(Lengths::from_counts([(3, 2), (3, -2)]), Lengths::default());
    }
}
