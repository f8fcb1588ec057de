//! Why a message can't be an event.

use std::fmt;

/// Start of the message of an error about a country code; [`Reason::of`] recognises it.
pub(crate) const IMPOSSIBLE_COUNTRY: &str = "impossible country code";
/// Start of the message of an error about an amount.
pub(crate) const BAD_AMOUNT: &str = "impossible amount";
/// Start of the message of an error about a time.
pub(crate) const BAD_TIMESTAMP: &str = "impossible time";
/// Start of the message of an error about any other value.
pub(crate) const BAD_VALUE: &str = "impossible value";

/// The kind of a rejection: few values, fit for a metric label and a dead letter's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The message has no value (a tombstone) or an empty one.
    Empty,
    /// The message is larger than [`crate::MAX_EVENT_BYTES`].
    TooLarge,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The text is not one JSON value.
    NotJson,
    /// A required field is not there, or is there twice.
    MissingField,
    /// A field has another JSON type than the format says.
    WrongType,
    /// `event_type` is none of the format's.
    UnknownEventType,
    /// A country code that ISO 3166-1 does not assign.
    ImpossibleCountry,
    /// An amount that is negative, too large, or finer than a minor unit.
    ImpossibleAmount,
    /// A time that is not RFC 3339 with an offset.
    ImpossibleTime,
    /// Another value outside its range.
    ImpossibleValue,
    /// A price in another currency than the shop's.
    ForeignCurrency,
}

impl Reason {
    /// All reasons, in the order of their checks.
    pub const ALL: [Self; 12] = [
        Self::Empty,
        Self::TooLarge,
        Self::NotUtf8,
        Self::NotJson,
        Self::MissingField,
        Self::WrongType,
        Self::UnknownEventType,
        Self::ImpossibleCountry,
        Self::ImpossibleAmount,
        Self::ImpossibleTime,
        Self::ImpossibleValue,
        Self::ForeignCurrency,
    ];

    /// The reason as a label: lower case with underscores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::UnknownEventType => "unknown_event_type",
            Self::ImpossibleCountry => "impossible_country",
            Self::ImpossibleAmount => "impossible_amount",
            Self::ImpossibleTime => "impossible_time",
            Self::ImpossibleValue => "impossible_value",
            Self::ForeignCurrency => "foreign_currency",
        }
    }

    /// Sorts an error of the JSON decoder: its category first, then the words that its message starts with.
    fn of(error: &serde_json::Error) -> Self {
        if !error.is_data() {
            return Self::NotJson;
        }
        let message = error.to_string();
        let starts = |prefix: &str| message.starts_with(prefix);
        if starts("missing field") || starts("duplicate field") {
            Self::MissingField
        } else if starts("unknown variant") {
            Self::UnknownEventType
        } else if starts(IMPOSSIBLE_COUNTRY) {
            Self::ImpossibleCountry
        } else if starts(BAD_AMOUNT) {
            Self::ImpossibleAmount
        } else if starts(BAD_TIMESTAMP) {
            Self::ImpossibleTime
        } else if starts(BAD_VALUE) {
            Self::ImpossibleValue
        } else {
            Self::WrongType
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message that is not an event of the format: it belongs in the dead-letter queue. Retrying can't help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Rejection {
    /// The kind.
    pub reason: Reason,
    /// What exactly, where, and what is allowed. At most a few hundred bytes; may quote parts of the message.
    pub detail: String,
}

impl Rejection {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        const LIMIT: usize = 300;
        let mut detail = detail.into();
        if detail.len() > LIMIT {
            let cut = (0..=LIMIT).rev().find(|i| detail.is_char_boundary(*i)).unwrap_or(0);
            detail.truncate(cut);
            detail.push('…');
        }
        Self { reason, detail }
    }
}

impl From<serde_json::Error> for Rejection {
    fn from(error: serde_json::Error) -> Self {
        Self::new(Reason::of(&error), error.to_string())
    }
}
