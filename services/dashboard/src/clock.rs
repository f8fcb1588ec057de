//! The wall clock, as a value, so that tests can set it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use storepulse_analytics::document::grain::WINDOW_MINUTES;
use storepulse_analytics::document::{Grain, Hour, Minute};
use storepulse_events::{Day, Timestamp};

/// Microseconds of a minute.
pub const MINUTE: i64 = 60_000_000;
/// Microseconds of the 15 minutes of a window.
pub const WINDOW: i64 = WINDOW_MINUTES * MINUTE;
/// Microseconds of a day.
pub const DAY: i64 = 24 * 60 * MINUTE;

/// Tells what time it is.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::new(|| {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
        })
    }

    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// The UTC day.
    pub fn today(&self) -> Day {
        self.now().day()
    }

    /// How long ago `then` was; nothing if it is to come.
    pub fn since(&self, then: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.now().micros() - then.micros()).unwrap_or(0))
    }
}

/// The beginning of the window that the time lies in.
pub const fn window_start(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(Minute::of(at).window().start_ms() * 1_000)
}

/// The id of the window that begins then: `2026-11-26T19:15`.
pub fn window_id(start: Timestamp) -> String {
    Grain::Window(Minute::of(start).window()).to_string()
}

/// The inverse of [`window_id`], of an hour's id (`2026-11-26T19`) too.
pub fn grain_start(id: &str) -> Option<Timestamp> {
    match id.len() {
        16 => Timestamp::parse(&format!("{id}:00Z")),
        13 => Timestamp::parse(&format!("{id}:00:00Z")),
        10 => Timestamp::parse(&format!("{id}T00:00:00Z")),
        _ => None,
    }
}

/// The ids of the hours of a day.
pub fn hours_of(day: Day) -> impl Iterator<Item = String> {
    let first = Hour::of(day.start()).number();
    (first..first + 24).map(|hour| Grain::Hour(Hour::from_number(hour)).to_string())
}

/// The point in time, without decimals if they are zero.
pub fn rfc3339(at: Timestamp) -> String {
    let text = at.to_string();
    match text.strip_suffix(".000000Z") {
        Some(whole) => format!("{whole}Z"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grains_have_the_ids_of_the_documents() {
        let at = Timestamp::parse("2026-11-26T19:29:59.5Z").unwrap();
        assert_eq!(window_id(window_start(at)), "2026-11-26T19:15");
        assert_eq!(rfc3339(grain_start("2026-11-26T19:15").unwrap()), "2026-11-26T19:15:00Z");
        assert_eq!(rfc3339(grain_start("2026-11-26T19").unwrap()), "2026-11-26T19:00:00Z");
        assert_eq!(rfc3339(at), "2026-11-26T19:29:59.500000Z");
        assert_eq!(grain_start("lifetime"), None);
        let hours: Vec<String> = hours_of(at.day()).collect();
        assert_eq!((hours.len(), hours[0].as_str(), hours[23].as_str()), (24, "2026-11-26T00", "2026-11-26T23"));
    }
}
