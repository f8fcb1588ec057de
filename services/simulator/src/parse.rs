//! Reading single values of the command line and environment. An error says what is allowed; clap adds the name.

use storepulse_events::{Day, Money, Timestamp};

use crate::settings::MICROS;

/// A time span given in seconds, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(pub i64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0 as f64 / MICROS as f64)
    }
}

fn number(text: &str, range: std::ops::RangeInclusive<f64>, allowed: &str) -> Result<f64, String> {
    let value = text.trim().parse::<f64>().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| format!("allowed is {allowed}"))
}

pub(crate) fn probability(text: &str) -> Result<f64, String> {
    number(text, 0.0..=1.0, "a number from 0 to 1")
}

pub(crate) fn seconds(text: &str) -> Result<Micros, String> {
    let allowed = "a number of seconds from 0 to 31536000, such as 0.5";
    number(text, 0.0..=31_536_000.0, allowed).map(|value| Micros((value * MICROS as f64).round() as i64))
}

pub(crate) fn factor(text: &str) -> Result<f64, String> {
    number(text, 1e-6..=1e9, "a number from 0.000001 to 1000000000")
}

pub(crate) fn money(text: &str) -> Result<Money, String> {
    let allowed = "an amount from 0 to 1000000 with at most two decimals, such as 4.99";
    let value = number(text, 0.0..=1_000_000.0, allowed)?;
    Money::from_units(value).ok_or_else(|| format!("allowed is {allowed}"))
}

pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    let day = || Day::parse(text).map(Day::start);
    Timestamp::parse(text).or_else(day).filter(|time| (FIRST..=LAST).contains(time)).ok_or_else(|| {
        "allowed is a time of RFC 3339, such as 2026-11-21T05:33:11Z, or a day, such as 2026-11-21, from 1970 to 9000".into()
    })
}

const FIRST: Timestamp = Timestamp::from_micros(0);
/// Far enough from the last possible timestamp for any delivery date.
const LAST: Timestamp = Timestamp::from_micros(221_845_392_000 * MICROS);
