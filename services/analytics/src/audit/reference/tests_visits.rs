//! Visitors and lengths.

use std::collections::HashSet;

use datasketches::hll::{HllSketch, HllType, HllUnion};

use super::tests_support::*;
use super::visits::{bucket_value, estimate};
use super::*;

fn users(n: u64) -> Vec<u64> {
    (0..n).map(|i| xxh3_64(format!("user-{i}").as_bytes())).collect()
}

fn shuffled(users: &[u64], seed: u64) -> Vec<u64> {
    let mut users = users.to_vec();
    users.sort_by_key(|user| xxh3_64(&(user ^ seed).to_le_bytes()));
    users
}

fn sketch(users: &[u64]) -> HllSketch {
    let mut sketch = HllSketch::new(12, HllType::Hll8).unwrap();
    users.iter().for_each(|user| sketch.update(user));
    sketch
}

#[test]
fn the_estimate_is_a_function_of_the_set_of_visitors() {
    // A list holds 7, a set 384; and all around where the estimator changes its method.
    for n in [0, 1, 3, 7, 8, 9, 100, 384, 385, 386, 1000, 2600, 5000, 12_000, 13_000, 50_000] {
        let users = users(n);
        let expected = estimate(&users.iter().copied().collect());
        let error = (expected as f64 - n as f64).abs();
        assert!(error <= 3.0 * 0.01625 * n as f64, "{n}: {expected}");
        if n <= 384 {
            assert_eq!(expected, n as i64, "few visitors are exact");
        }
        for seed in 0..6 {
            let mut users = shuffled(&users, seed);
            users.extend(shuffled(&users, seed + 1).into_iter().take(n as usize / 2));
            let whole = sketch(&users);
            assert_eq!(whole.composite_estimate().round() as i64, expected, "{n} in order {seed}");
            // Through bytes, and in parts, as the service keeps and merges them.
            let read = HllSketch::deserialize(&whole.serialize()).unwrap();
            assert_eq!(read.composite_estimate(), whole.composite_estimate(), "{n}");
            let mut union = HllUnion::new(12).unwrap();
            for part in users.chunks(users.len() / (seed as usize + 1) + 1) {
                let part = sketch(part);
                union.update(&HllSketch::deserialize(&part.serialize()).unwrap());
            }
            assert_eq!(union.to_sketch(HllType::Hll8).composite_estimate(), whole.composite_estimate(), "{n}");
        }
    }
}

#[test]
fn buckets_of_lengths_keep_their_error() {
    let gamma = 1.01 / 0.99;
    assert_eq!(bucket_value(0), 0.0);
    assert_eq!(bucket_value(1), 2.0 / (1.0 + gamma));
    // The bound that 2 is below: 1.0 × gamma 35 times.
    let bound = (0..35).fold(1.0, |bound, _| bound * gamma);
    assert!(bound >= 2.0 && bound / gamma < 2.0);
    assert_eq!(bucket_value(2), 2.0 * bound / (1.0 + gamma));
    for length in (1..2000).chain((2000..8_000_000).step_by(7919)) {
        let error = (bucket_value(length) - length as f64).abs();
        assert!(error <= 0.01 * length as f64 + 1e-9, "{length}: {}", bucket_value(length));
    }
    // Beyond 800 buckets, some 100 days, all are the same.
    assert_eq!(bucket_value(9_000_000), bucket_value(i64::MAX));
    assert!(bucket_value(9_000_000) > bucket_value(8_700_000));
}

#[test]
fn visitors_count_in_the_time_and_country_of_each_event() {
    let mut topic = Topic::new(Rules::default());
    topic.now(0, started());
    topic.now(HOUR, viewed("p"));
    topic.put(0, HOUR, by("v", from("US", of("t", event(HOUR, viewed("p"))))));
    topic.put(0, HOUR, by("v", from("US", of("t", event(-DAY, viewed("p"))))));
    let expected = topic.end();
    let visitors = |path: &str| integer(&expected.documents[path], "unique_visitors_count");
    assert_eq!(visitors("visits/2026-11-26"), 2);
    assert_eq!((visitors("visits/2026-11-26T19"), visitors("visits/2026-11-26T20")), (1, 2));
    assert_eq!((visitors("countries/DE/visits/2026-11-26"), visitors("countries/US/visits/2026-11-26T20")), (1, 1));
    assert_eq!(visitors("countries/US/visits/2026-11-25"), 1);
    let hour = &expected.documents["countries/DE/visits/2026-11-26T20"];
    assert_eq!((text(hour, "subject"), text(hour, "grain")), ("visits", "2026-11-26T20"));
    assert_eq!((text(hour, "scope"), text(hour, "country"), hour.get("id")), ("country", "DE", None));
    assert_eq!(hour.get("expires_at"), Some(&timestamp(2 * HOUR + 90 * DAY)));
    assert_eq!((hour.get("closes_at"), hour.get("events_after_close_count")), (None, None));
    assert_eq!(double(hour, "unique_visitors_standard_error"), 0.01625);
    assert_eq!(double(hour, "session_length_relative_error"), 0.01);
    assert_eq!((integer(hour, "measured_sessions_count"), hour.get("session_length_p50_seconds")), (0, None));
    assert_eq!(expected.documents["visits/2026-11-26"].get("expires_at"), None);
}

#[test]
fn lengths_are_of_closed_sessions_where_they_began() {
    let mut topic = Topic::new(Rules::default());
    // Three sessions of 0, 1 and 40 s, and one that is open. Their timestamps need not be in order.
    for (session, length) in [("a", 0), ("b", 1), ("c", 40), ("d", 9)] {
        topic.put(0, 100, of(session, event(length, started())));
        topic.put(0, 100, from("US", of(session, event(0, viewed("p")))));
        if session != "d" {
            topic.put(0, 100, from("US", of(session, event(0, ended(7)))));
        }
    }
    let expected = topic.end();
    for path in ["visits/2026-11-26", "visits/2026-11-26T19", "countries/DE/visits/2026-11-26T19"] {
        let visits = &expected.documents[path];
        assert_eq!(integer(visits, "measured_sessions_count"), 3, "{path}");
        // Ranks: floor of 0.5 × 2, 0.9 × 2, 0.99 × 2.
        assert_eq!(double(visits, "session_length_p50_seconds"), bucket_value(1));
        assert_eq!(double(visits, "session_length_p90_seconds"), bucket_value(1));
        assert_eq!(double(visits, "session_length_p99_seconds"), bucket_value(1));
        let bounds: Vec<_> = expected.bounds[path].iter().map(|bound| (bound.field, bound.exact)).collect();
        assert_eq!(bounds[..2], [("unique_visitors_count", 1.0), ("session_length_p50_seconds", 1.0)]);
    }
    assert_eq!(integer(&expected.documents["countries/US/visits/2026-11-26"], "measured_sessions_count"), 0);
}

#[test]
fn quantiles_are_lengths_at_ranks() {
    let mut topic = Topic::new(Rules::default());
    for length in (0..=100).rev() {
        let session = format!("s{length}");
        topic.put(0, 100, of(&session, event(0, started())));
        topic.put(0, 100, of(&session, event(length, ended(0))));
    }
    let documents = topic.end().documents;
    let visits = &documents["visits/2026-11-26"];
    for (field, exact) in
        [("session_length_p50_seconds", 50), ("session_length_p90_seconds", 90), ("session_length_p99_seconds", 99)]
    {
        assert_eq!(double(visits, field), bucket_value(exact));
        assert!((double(visits, field) - exact as f64).abs() <= 0.01 * exact as f64);
    }
}

#[test]
fn the_length_of_a_session_that_opens_again_is_taken_out() {
    let rules = Rules { lifetime_ms: i64::MAX / 4, ..Rules::default() };
    let mut topic = Topic::new(rules);
    topic.now(0, viewed("p"));
    topic.now(10, viewed("p"));
    topic.put(0, 1810, of("other", event(1810, viewed("p"))));
    topic.put(0, 1811, event(1811, viewed("p")));
    let open = topic.end().documents;
    assert_eq!(integer(&open["visits/2026-11-26"], "measured_sessions_count"), 0);
    assert_eq!(open["visits/2026-11-26"].get("session_length_p50_seconds"), None);

    let mut topic = Topic::new(rules);
    topic.now(0, viewed("p"));
    topic.put(0, 10, event(10, ended(10)));
    let mut later = event(0, viewed("p"));
    later["timestamp"] = "2026-11-26T19:00:20.999999Z".into();
    topic.put(0, 21, later);
    let longer = topic.end().documents;
    assert_eq!(integer(&longer["visits/2026-11-26"], "measured_sessions_count"), 1);
    assert_eq!(double(&longer["visits/2026-11-26"], "session_length_p50_seconds"), bucket_value(20));
}

#[test]
fn no_visitors_are_none() {
    assert_eq!(estimate(&HashSet::new()), 0);
}
