//! Values as documents carry them.

use storepulse_events::Timestamp;

use crate::store::Value;

pub fn string(text: &str) -> Value {
    Value::String(text.into())
}

pub fn map(entries: Vec<(&str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

pub fn integer(n: impl Into<i128>) -> Value {
    Value::Integer(i64::try_from(n.into()).unwrap_or(i64::MAX))
}

/// An amount of minor units.
pub fn amount(minor: impl Into<i128>) -> Value {
    Value::Double(minor.into() as f64 / 100.0)
}

/// A time in milliseconds, no later than the latest that a Firestore timestamp can hold.
pub fn moment(ms: i64) -> Value {
    Value::Timestamp(ms.saturating_mul(1000).min(Timestamp::MAX.micros()))
}
