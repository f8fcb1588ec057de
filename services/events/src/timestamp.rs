//! Points in time and UTC days.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::reject::BAD_TIMESTAMP;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;

/// A point in time: microseconds since 1970-01-01T00:00:00Z, between the years 1 and 9999.
///
/// On the wire it is RFC 3339 with an offset; digits beyond the microsecond are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The UTC day that the point in time lies in.
    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(MICROS_PER_DAY) as i32)
    }

    /// Parses RFC 3339 with an offset, such as `2026-11-21T05:33:11.123456Z` or `2026-11-21 07:33:11+02:00`.
    ///
    /// A leap second (`:60`) is read as the first second of the next minute, as POSIX time does.
    pub fn parse(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        if b.len() < 20 || b[4] != b'-' || b[7] != b'-' || b[13] != b':' || b[16] != b':' {
            return None;
        }
        if !matches!(b[10], b'T' | b't' | b' ') {
            return None;
        }
        let year = digits(&b[0..4])?;
        let (month, day) = (digits(&b[5..7])?, digits(&b[8..10])?);
        let (hour, minute, second) = (digits(&b[11..13])?, digits(&b[14..16])?, digits(&b[17..19])?);
        if year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let mut rest = &b[19..];
        let mut micros = 0i64;
        if rest.first() == Some(&b'.') {
            let len = rest[1..].iter().take_while(|c| c.is_ascii_digit()).count();
            if len == 0 {
                return None;
            }
            for i in 0..6 {
                micros = micros * 10 + if i < len { i64::from(rest[1 + i] - b'0') } else { 0 };
            }
            rest = &rest[1 + len..];
        }
        let offset_minutes = match rest {
            [b'Z' | b'z'] => 0,
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let total = hours * 60 + minutes;
                if *sign == b'-' { -total } else { total }
            }
            _ => return None,
        };
        let seconds = days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second
            - offset_minutes * 60;
        let result = Self(seconds * MICROS_PER_SECOND + micros);
        (Self::MIN..=Self::MAX).contains(&result).then_some(result)
    }

    /// 0001-01-01T00:00:00Z, the earliest time that a Firestore timestamp can hold.
    pub const MIN: Self = Self(-62_135_596_800 * MICROS_PER_SECOND);
    /// 9999-12-31T23:59:59.999999Z, the latest time that a Firestore timestamp can hold.
    pub const MAX: Self = Self(253_402_300_800 * MICROS_PER_SECOND - 1);

    /// Appends the time as RFC 3339 in UTC with six decimals, without quotes.
    pub fn write_rfc3339(self, out: &mut Vec<u8>) {
        let day = self.day();
        let in_day = self.0 - i64::from(day.0) * MICROS_PER_DAY;
        let (seconds, micros) = (in_day / MICROS_PER_SECOND, in_day % MICROS_PER_SECOND);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let (y, m, d) = day.civil();
        put(&mut text[0..4], y);
        put(&mut text[5..7], m);
        put(&mut text[8..10], d);
        put(&mut text[11..13], seconds / 3600);
        put(&mut text[14..16], seconds / 60 % 60);
        put(&mut text[17..19], seconds % 60);
        put(&mut text[20..26], micros);
        out.extend_from_slice(&text);
    }

    /// Whole hours from `self` to `later` (negative when it is earlier), rounded to the nearest, half to even.
    pub const fn hours_until(self, later: Self) -> i64 {
        const HOUR: i64 = 3600 * MICROS_PER_SECOND;
        let micros = later.0 - self.0;
        let (whole, rest) = (micros.div_euclid(HOUR), micros.rem_euclid(HOUR));
        if rest * 2 > HOUR || (rest * 2 == HOUR && whole % 2 != 0) { whole + 1 } else { whole }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(27);
        self.write_rfc3339(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// A UTC day, as a count of days since 1970-01-01. Shown as `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// From days since 1970-01-01.
    pub const fn from_number(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The first moment of the day.
    pub const fn start(self) -> Timestamp {
        Timestamp(self.0 as i64 * MICROS_PER_DAY)
    }

    /// Parses `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 10 {
            return None;
        }
        Timestamp::parse(&format!("{text}T00:00:00Z")).map(Timestamp::day)
    }

    /// Year, month (1–12) and day of the month (1–31) of the proleptic Gregorian calendar.
    /// The algorithm is Howard Hinnant's `civil_from_days`.
    const fn civil(self) -> (i64, i64, i64) {
        let z = self.0 as i64 + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month, day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = self.civil();
        write!(f, "{y:04}-{m:02}-{d:02}")
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0i64, |value, c| c.is_ascii_digit().then(|| value * 10 + i64::from(c - b'0')))
}

fn put(target: &mut [u8], mut value: i64) {
    for slot in target.iter_mut().rev() {
        *slot = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant's `days_from_civil`: days since 1970-01-01 of a date of the proleptic Gregorian calendar.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time of RFC 3339 with an offset")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Timestamp, E> {
                Timestamp::parse(v).ok_or_else(|| {
                    E::custom(format_args!(
                        "{BAD_TIMESTAMP} {:?}: allowed is RFC 3339 with an offset, such as 2026-11-21T05:33:11.123456Z",
                        v.chars().take(40).collect::<String>()
                    ))
                })
            }
        }
        deserializer.deserialize_str(V)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339 with an offset; digits beyond the microsecond are cut off.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parsing_agrees_with_chrono(micros in Timestamp::MIN.0..=Timestamp::MAX.0, offset in -1439i32..=1439) {
            let utc = DateTime::from_timestamp_micros(micros).unwrap();
            let text = utc.to_rfc3339_opts(SecondsFormat::Micros, true);
            prop_assert_eq!(Timestamp::parse(&text), Some(Timestamp(micros)));
            prop_assert_eq!(Timestamp(micros).to_string(), text);
            prop_assert_eq!(Timestamp(micros).day().to_string(), utc.format("%Y-%m-%d").to_string());
            let zoned = utc.with_timezone(&chrono::FixedOffset::east_opt(offset * 60).unwrap());
            let text = zoned.to_rfc3339_opts(SecondsFormat::Nanos, false);
            if text.len() == 35 && !text.starts_with("0000") {
                prop_assert_eq!(Timestamp::parse(&text), Some(Timestamp(micros)), "{}", text);
            }
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,40}") {
            let _ = Timestamp::parse(&text);
        }
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for bad in [
            "",
            "2026-11-21",
            "2026-11-21T05:33:11",
            "2026-11-21T05:33Z",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T05:33:11.Z",
            "2026-11-21T05:33:11+0200",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "2026-11-21T05:33:11+24:00",
            "٢٠٢٦-11-21T05:33:11Z",
        ] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn hours_are_rounded_half_to_even() {
        let start = Timestamp(0);
        let half = 1_800_000_000;
        for (halves, hours) in [(0, 0), (1, 0), (2, 1), (3, 2), (5, 2), (7, 4), (-1, 0), (-3, -2), (-5, -2)] {
            assert_eq!(start.hours_until(Timestamp(halves * half)), hours, "{halves} half hours");
        }
        assert_eq!(start.hours_until(Timestamp(half + 1)), 1);
        assert_eq!(start.hours_until(Timestamp(3 * half - 1)), 1);
    }
}
