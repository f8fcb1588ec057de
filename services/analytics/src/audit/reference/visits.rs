//! Visitors and the lengths of their sessions: all of them, exactly, and what the sketches make of them.
//!
//! The estimate of visitors is the *composite* estimate of the HyperLogLog sketch, which is a function of the set of
//! visitors. The sketch's ordinary estimate is not: it depends on the order in which they came (HIP), and a union of one
//! sketch takes it over.

use std::collections::{BTreeMap, HashMap, HashSet};

use datasketches::hll::{HllSketch, HllType};
use storepulse_events::{CountryCode, Event, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use super::grain::Grain;
use super::identity::{Identity, Subject};
use super::sessions::Found;
use super::values::{integer, moment};
use super::{Bound, Rules};
use crate::store::{Fields, Value};

/// Relative standard error of the estimate of visitors.
const STANDARD_ERROR: f64 = 0.01625;
/// Relative error of the quantiles of lengths.
const ALPHA: f64 = 0.01;
/// The last bucket of lengths.
const LAST_BUCKET: usize = 800;

/// The visits of a time and country.
#[derive(Default)]
pub struct Visit {
    /// Hashes of their ids.
    users: HashSet<u64>,
    /// How many closed sessions were so many seconds long.
    lengths: BTreeMap<i64, i64>,
}

/// All visits.
#[derive(Default)]
pub struct Visits {
    pub documents: HashMap<Identity, Visit>,
}

impl Visits {
    /// Counts the user of an event.
    pub fn event(&mut self, event: &Event<'_>, record_ms: i64, rules: &Rules) {
        let user = xxh3_64(event.user_id.as_bytes());
        for identity in of(event.timestamp, event.location.country, record_ms, rules) {
            self.documents.entry(identity).or_default().users.insert(user);
        }
    }

    /// Counts a session's length, and takes back the one that was counted before.
    pub fn session(&mut self, found: &Found, record_ms: i64, rules: &Rules) {
        if found.before.length == found.after.length {
            return;
        }
        for identity in of(found.start, found.country, record_ms, rules) {
            let lengths = &mut self.documents.entry(identity).or_default().lengths;
            if let Some(length) = found.before.length {
                *lengths.entry(length).or_default() -= 1;
            }
            if let Some(length) = found.after.length {
                *lengths.entry(length).or_default() += 1;
            }
        }
    }
}

/// The documents that still take something.
fn of(time: Timestamp, country: CountryCode, record_ms: i64, rules: &Rules) -> Vec<Identity> {
    let grains = [Grain::day(time), Grain::hour(time)].into_iter().filter(|grain| grain.takes(record_ms, rules));
    let countries = [None, Some(country)];
    grains.flat_map(|grain| countries.map(|country| Identity { subject: Subject::Visits, country, grain })).collect()
}

impl Visit {
    /// The fields, and how far what is stored may be from the truth.
    pub fn fields(&self, identity: &Identity, rules: &Rules) -> (Fields, Vec<Bound>) {
        let mut fields = Fields::default();
        identity.describe(&mut fields);
        if let Some(expires) = identity.grain.expires_ms(rules) {
            fields.set("expires_at", moment(expires));
        }
        fields.set("unique_visitors_count", Value::Integer(estimate(&self.users)));
        fields.set("unique_visitors_standard_error", Value::Double(STANDARD_ERROR));
        let visitors = self.users.len() as f64;
        let mut bounds = vec![Bound {
            field: "unique_visitors_count",
            exact: visitors,
            error: 5.0 * STANDARD_ERROR * visitors + 1.0,
            problem: "unique visitors are off by more than the stated error",
        }];
        // Plainly all of them, in order.
        let counts = self.lengths.iter().filter(|(_, n)| **n > 0);
        let lengths: Vec<i64> = counts.flat_map(|(length, n)| std::iter::repeat_n(*length, *n as usize)).collect();
        fields.set("measured_sessions_count", integer(lengths.len() as i64));
        fields.set("session_length_relative_error", Value::Double(ALPHA));
        let quantiles = [
            ("session_length_p50_seconds", 0.5),
            ("session_length_p90_seconds", 0.9),
            ("session_length_p99_seconds", 0.99),
        ];
        for (field, q) in quantiles {
            let rank = (q * lengths.len().saturating_sub(1) as f64).floor() as usize;
            let Some(exact) = lengths.get(rank).copied() else { continue };
            fields.set(field, Value::Double(bucket_value(exact)));
            // The last bucket takes whatever is longer than its bound.
            if exact as f64 <= bounds_of_buckets()[LAST_BUCKET] {
                let (exact, error) = (exact as f64, ALPHA * exact as f64 + 1e-9);
                bounds.push(Bound { field, exact, error, problem: "it is off by more than the stated error" });
            }
        }
        (fields, bounds)
    }
}

/// How many visitors a sketch of them tells.
pub fn estimate(users: &HashSet<u64>) -> i64 {
    let mut sorted: Vec<u64> = users.iter().copied().collect();
    sorted.sort_unstable();
    let Ok(mut sketch) = HllSketch::new(12, HllType::Hll8) else { return 0 };
    sorted.into_iter().for_each(|user| sketch.update(user));
    sketch.composite_estimate().round() as i64
}

fn gamma() -> f64 {
    (1.0 + ALPHA) / (1.0 - ALPHA)
}

/// The upper bounds of the buckets of lengths, in seconds.
fn bounds_of_buckets() -> Vec<f64> {
    std::iter::successors(Some(1.0), |bound| Some(bound * gamma())).take(LAST_BUCKET + 1).collect()
}

/// What the bucket of a length says for it.
pub fn bucket_value(length: i64) -> f64 {
    if length == 0 {
        return 0.0;
    }
    let bounds = bounds_of_buckets();
    let bound = bounds.iter().find(|bound| **bound >= length as f64).unwrap_or(&bounds[LAST_BUCKET]);
    2.0 * bound / (1.0 + gamma())
}
