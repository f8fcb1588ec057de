//! The stretches of time that documents are of, and until when those change.

use storepulse_events::Timestamp;

use super::Rules;

/// Microseconds of a minute, and of what is made of minutes.
pub const MINUTE: i64 = 60_000_000;
pub const WINDOW: i64 = 15 * MINUTE;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Everything, or a stretch of time by its number since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    Lifetime,
    Day(i64),
    Hour(i64),
    Window(i64),
}

impl Grain {
    pub fn day(time: Timestamp) -> Self {
        Self::Day(time.micros().div_euclid(DAY))
    }

    pub fn hour(time: Timestamp) -> Self {
        Self::Hour(time.micros().div_euclid(HOUR))
    }

    pub fn window(time: Timestamp) -> Self {
        Self::Window(time.micros().div_euclid(WINDOW))
    }

    /// All that a time belongs to.
    pub fn all(time: Timestamp) -> [Self; 4] {
        [Self::Lifetime, Self::day(time), Self::hour(time), Self::window(time)]
    }

    /// The document's id.
    pub fn id(self) -> String {
        let beginning = |micros: i64, characters: usize| {
            let mut text = Timestamp::from_micros(micros).to_string();
            text.truncate(characters);
            text
        };
        match self {
            Self::Lifetime => "lifetime".into(),
            Self::Day(n) => beginning(n * DAY, "2026-11-26".len()),
            Self::Hour(n) => beginning(n * HOUR, "2026-11-26T19".len()),
            Self::Window(n) => beginning(n * WINDOW, "2026-11-26T19:15".len()),
        }
    }

    /// When an event comes late, in milliseconds.
    pub fn closes_ms(self, rules: &Rules) -> Option<i64> {
        self.end_ms().map(|end| end + rules.allowed_lateness_ms)
    }

    /// From which broker's time on nothing counts any more, in milliseconds.
    pub fn expires_ms(self, rules: &Rules) -> Option<i64> {
        match self {
            Self::Lifetime | Self::Day(_) => None,
            Self::Hour(_) => self.end_ms().map(|end| end + rules.hours_retention_ms),
            Self::Window(_) => self.end_ms().map(|end| end + rules.windows_retention_ms),
        }
    }

    /// Whether a record of this broker's time still counts.
    pub fn takes(self, record_ms: i64, rules: &Rules) -> bool {
        self.expires_ms(rules).is_none_or(|expires| record_ms < expires)
    }

    fn end_ms(self) -> Option<i64> {
        match self {
            Self::Lifetime | Self::Day(_) => None,
            Self::Hour(n) => Some((n + 1) * HOUR / 1000),
            Self::Window(n) => Some((n + 1) * WINDOW / 1000),
        }
    }
}
