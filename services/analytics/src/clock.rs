//! The wall clock, in the unit of Kafka's timestamps.

use std::time::SystemTime;

/// Now, in milliseconds since the Unix epoch.
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The seconds from `then` to `now`, both as [`unix_ms`] has them; none when another machine's clock is ahead.
pub fn seconds_since(then: i64, now: i64) -> f64 {
    (now - then).max(0) as f64 / 1000.0
}
