//! The stretch of time that a document covers.

use std::fmt;

use storepulse_events::{Day, Timestamp};

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// Minutes of a window.
pub const WINDOW_MINUTES: i64 = 15;

/// The minute that a point in time lies in, as a count of minutes since 1970-01-01T00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(i64);

impl Minute {
    /// The minute of a point in time.
    pub const fn of(time: Timestamp) -> Self {
        Self(time.micros().div_euclid(MICROS_PER_MINUTE))
    }

    /// From minutes since the Unix epoch.
    pub const fn from_number(minutes: i64) -> Self {
        Self(minutes)
    }

    /// Minutes since the Unix epoch.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The 15 minutes that it lies in.
    pub const fn window(self) -> Window {
        Window(self.0.div_euclid(WINDOW_MINUTES) as i32)
    }

    /// Its place in its window, from 0.
    pub const fn in_window(self) -> usize {
        self.0.rem_euclid(WINDOW_MINUTES) as usize
    }
}

/// Fifteen minutes, as a count of such since 1970-01-01T00:00Z. Shown as `YYYY-MM-DDTHH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(i32);

impl Window {
    /// From a count since the Unix epoch.
    pub const fn from_number(windows: i32) -> Self {
        Self(windows)
    }

    /// The count since the Unix epoch.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Its first moment, in milliseconds since the Unix epoch.
    pub const fn start_ms(self) -> i64 {
        self.0 as i64 * WINDOW_MINUTES * 60_000
    }

    /// The hour that it lies in.
    pub const fn hour(self) -> Hour {
        Hour(self.0.div_euclid(4))
    }
}

/// An hour, as a count of hours since 1970-01-01T00:00Z. Shown as `YYYY-MM-DDTHH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i32);

impl Hour {
    /// From a count since the Unix epoch.
    pub const fn from_number(hours: i32) -> Self {
        Self(hours)
    }

    /// The hour of a point in time.
    pub const fn of(time: Timestamp) -> Self {
        Minute::of(time).window().hour()
    }

    /// The count since the Unix epoch.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Its first moment, in milliseconds since the Unix epoch.
    pub const fn start_ms(self) -> i64 {
        self.0 as i64 * 3_600_000
    }

    /// The day that it lies in.
    pub const fn day(self) -> Day {
        Day::from_number(self.0.div_euclid(24))
    }
}

/// The stretch of time that a counting document covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// Everything.
    Lifetime,
    /// One UTC day, of the events' own timestamps.
    Day(Day),
    /// One hour.
    Hour(Hour),
    /// Fifteen minutes.
    Window(Window),
}

impl Grain {
    /// The end of an hour or a window, in milliseconds since the Unix epoch. The others are never closed.
    pub const fn end_ms(self) -> Option<i64> {
        match self {
            Self::Lifetime | Self::Day(_) => None,
            Self::Hour(hour) => Some(hour.start_ms() + 3_600_000),
            Self::Window(window) => Some(window.start_ms() + WINDOW_MINUTES * 60_000),
        }
    }

    /// As two numbers: which grain, and which one of it.
    pub const fn to_numbers(self) -> (u8, i32) {
        match self {
            Self::Lifetime => (0, 0),
            Self::Day(day) => (1, day.number()),
            Self::Hour(hour) => (2, hour.0),
            Self::Window(window) => (3, window.0),
        }
    }

    /// The inverse of [`Self::to_numbers`].
    pub const fn from_numbers(which: u8, number: i32) -> Option<Self> {
        match which {
            0 => Some(Self::Lifetime),
            1 => Some(Self::Day(Day::from_number(number))),
            2 => Some(Self::Hour(Hour(number))),
            3 => Some(Self::Window(Window(number))),
            _ => None,
        }
    }
}

impl fmt::Display for Grain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lifetime => f.write_str("lifetime"),
            Self::Day(day) => day.fmt(f),
            Self::Hour(hour) => write!(f, "{}T{:02}", hour.day(), hour.0.rem_euclid(24)),
            Self::Window(window) => {
                let quarter = window.0.rem_euclid(4);
                write!(f, "{}T{:02}:{:02}", window.hour().day(), window.hour().0.rem_euclid(24), quarter * 15)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grains_are_named_as_in_the_contract_before_1970_too() {
        for (time, hour, window, minute) in [
            ("2026-11-26T19:44:59.999999Z", "2026-11-26T19", "2026-11-26T19:30", 14),
            ("1969-12-31T23:59:59Z", "1969-12-31T23", "1969-12-31T23:45", 14),
            ("0001-01-01T00:00:00Z", "0001-01-01T00", "0001-01-01T00:00", 0),
            ("9999-12-31T23:15:00Z", "9999-12-31T23", "9999-12-31T23:15", 0),
        ] {
            let time = Timestamp::parse(time).unwrap();
            let of = Minute::of(time);
            assert_eq!(Grain::Hour(Hour::of(time)).to_string(), hour);
            assert_eq!(Grain::Window(of.window()).to_string(), window);
            assert_eq!(of.in_window(), minute);
            assert!(of.window().start_ms() * 1000 <= time.micros());
            assert!(Grain::Window(of.window()).end_ms().unwrap() * 1000 > time.micros());
            for grain in [Grain::Lifetime, Grain::Day(time.day()), Grain::Hour(Hour::of(time))] {
                let (which, number) = grain.to_numbers();
                assert_eq!(Grain::from_numbers(which, number), Some(grain));
            }
        }
        assert_eq!(Grain::from_numbers(9, 0), None);
    }
}
