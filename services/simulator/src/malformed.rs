//! Messages that are no events: one of every kind that a consumer must refuse without stopping.

use std::borrow::Cow;

use storepulse_events::{Event, Location, MAX_EVENT_BYTES, Payload, Timestamp};

use crate::rng::Rng;
use crate::scene::{borrowed, product};
use crate::world::World;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The JSON text ends too early.
    Truncated,
    /// The text is not JSON at all.
    NotJson,
    /// There are bytes that are not UTF-8.
    NotUtf8,
    /// The message is empty.
    Empty,
    /// `event_type` is not one of the format's.
    UnknownType,
    /// A number is a text.
    WrongType,
    /// A required field is not there.
    MissingField,
    /// A negative number of pieces.
    NegativeQuantity,
    /// A country that ISO 3166-1 does not know.
    ImpossibleCountry,
    /// A negative price.
    NegativeAmount,
    /// A price with three decimals.
    FinerThanMinor,
    /// A time without an offset.
    ImpossibleTime,
    /// A latitude beyond the pole.
    ImpossibleLatitude,
    /// A price in another currency.
    ForeignCurrency,
    /// More bytes than an event may have.
    Oversized,
}

impl Kind {
    /// All kinds; a kind's index here stands for it in the ledger.
    pub const ALL: [Self; 15] = [
        Self::Truncated,
        Self::NotJson,
        Self::NotUtf8,
        Self::Empty,
        Self::UnknownType,
        Self::WrongType,
        Self::MissingField,
        Self::NegativeQuantity,
        Self::ImpossibleCountry,
        Self::NegativeAmount,
        Self::FinerThanMinor,
        Self::ImpossibleTime,
        Self::ImpossibleLatitude,
        Self::ForeignCurrency,
        Self::Oversized,
    ];

    /// The kind as a name in lower case with underscores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::NotJson => "not_json",
            Self::NotUtf8 => "not_utf8",
            Self::Empty => "empty",
            Self::UnknownType => "unknown_type",
            Self::WrongType => "wrong_type",
            Self::MissingField => "missing_field",
            Self::NegativeQuantity => "negative_quantity",
            Self::ImpossibleCountry => "impossible_country",
            Self::NegativeAmount => "negative_amount",
            Self::FinerThanMinor => "finer_than_minor_unit",
            Self::ImpossibleTime => "impossible_time",
            Self::ImpossibleLatitude => "impossible_latitude",
            Self::ForeignCurrency => "foreign_currency",
            Self::Oversized => "oversized",
        }
    }

    /// A random kind; `Oversized`, which costs as much as hundreds of others, is a hundred times rarer than they are.
    pub fn pick(rng: &mut Rng) -> u8 {
        let others = Self::ALL.len() as u64 - 1;
        let drawn = rng.below(others * 100 + 1);
        if drawn == others * 100 { others as u8 } else { (drawn % others) as u8 }
    }
}

/// Writes a malformed message of the kind with this index in [`Kind::ALL`]. It looks like one of the session's events.
pub fn write(
    kind: u8,
    rng: &mut Rng,
    world: &World,
    session_id: &str,
    location: &Location<'_>,
    timestamp: Timestamp,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    let (event_id, user_id) = (rng.uuid(), rng.uuid());
    let category = world.pick_category(rng);
    let index = world.pick_product(rng, category);
    let event = Event {
        event_id: String::from_utf8_lossy(&event_id),
        session_id: Cow::Borrowed(session_id),
        user_id: String::from_utf8_lossy(&user_id),
        timestamp,
        location: borrowed(location),
        payload: Payload::ProductViewed { product: product(world, index) },
    };
    event.encode_into(out);
    let mut edit = |from: &str, to: &str| replace(out, start, from, to);
    match Kind::ALL[usize::from(kind) % Kind::ALL.len()] {
        Kind::Truncated => {
            let keep = 1 + rng.below((out.len() - start) as u64 - 1) as usize;
            out.truncate(start + keep);
        }
        Kind::NotJson => edit("{", "event="),
        Kind::NotUtf8 => {
            edit("\"name\":\"", "\"name\":\"?");
            let name = find(out, start, b"\"name\":\"");
            if let Some(byte) = name.and_then(|at| out.get_mut(at + 8)) {
                *byte = 0xff;
            }
        }
        Kind::Empty => out.truncate(start),
        Kind::UnknownType => edit("product_viewed", "product_teleported"),
        Kind::WrongType => {
            edit("\"price\":", "\"price\":\"");
            edit(",\"currency\"", "\",\"currency\"");
        }
        Kind::MissingField => edit("\"timestamp\":", "\"time\":"),
        Kind::NegativeQuantity => {
            edit("product_viewed", "product_added_to_cart");
            out.truncate(out.len() - 2);
            out.extend_from_slice(b",\"quantity\":-3}}");
        }
        Kind::ImpossibleCountry => {
            let country = format!("\"country\":\"{}\"", location.country);
            edit(&country, "\"country\":\"XX\"");
        }
        Kind::NegativeAmount => edit("\"price\":", "\"price\":-"),
        Kind::FinerThanMinor => edit(",\"currency\"", "5,\"currency\""),
        Kind::ImpossibleTime => edit("Z\",\"user_id\"", "\",\"user_id\""),
        Kind::ImpossibleLatitude => edit("\"latitude\":", "\"latitude\":123.4,\"ignored\":"),
        Kind::ForeignCurrency => {
            let ours = format!("\"currency\":\"{}\"", world.products[index as usize].currency);
            let theirs = if ours.contains("\"XTS\"") { "\"currency\":\"XXX\"" } else { "\"currency\":\"XTS\"" };
            edit(&ours, theirs);
        }
        Kind::Oversized => {
            out.truncate(out.len() - 1);
            out.extend_from_slice(b",\"padding\":\"");
            let missing = (start + MAX_EVENT_BYTES + 1).saturating_sub(out.len());
            out.resize(out.len() + missing, b'.');
            out.extend_from_slice(b"\"}");
        }
    }
}

/// Replaces the first `from` after `start`, if there is one.
fn replace(out: &mut Vec<u8>, start: usize, from: &str, to: &str) {
    if let Some(at) = find(out, start, from.as_bytes()) {
        out.splice(at..at + from.len(), to.bytes());
    }
}

fn find(text: &[u8], start: usize, wanted: &[u8]) -> Option<usize> {
    text[start..].windows(wanted.len()).position(|window| window == wanted).map(|at| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use storepulse_events::{Currency, Reason, decode};

    #[test]
    fn each_kind_is_refused_for_its_own_reason() {
        let world = World::new(1, 100, 8, "USD");
        let mut rng = Rng::new(1);
        for round in 0..200 {
            let location = world.pick_location(&mut rng);
            for (i, kind) in Kind::ALL.into_iter().enumerate() {
                if kind == Kind::Oversized && round > 2 {
                    continue;
                }
                let mut out = b"before".to_vec();
                let time = Timestamp::from_micros(1_790_000_000_000_000);
                write(i as u8, &mut rng, &world, "s-1", &location, time, &mut out);
                let rejection = decode(&out[6..], Currency::USD).expect_err(kind.as_str());
                let expected = match kind {
                    Kind::Truncated | Kind::NotJson => Reason::NotJson,
                    Kind::NotUtf8 => Reason::NotUtf8,
                    Kind::Empty => Reason::Empty,
                    Kind::UnknownType => Reason::UnknownEventType,
                    Kind::WrongType => Reason::WrongType,
                    Kind::MissingField => Reason::MissingField,
                    Kind::NegativeQuantity | Kind::ImpossibleLatitude => Reason::ImpossibleValue,
                    Kind::ImpossibleCountry => Reason::ImpossibleCountry,
                    Kind::NegativeAmount | Kind::FinerThanMinor => Reason::ImpossibleAmount,
                    Kind::ImpossibleTime => Reason::ImpossibleTime,
                    Kind::ForeignCurrency => Reason::ForeignCurrency,
                    Kind::Oversized => Reason::TooLarge,
                };
                if !matches!(kind, Kind::Truncated) {
                    assert_eq!(rejection.reason, expected, "{}: {rejection}", kind.as_str());
                }
            }
        }
    }

    #[test]
    fn every_kind_comes_and_the_large_one_seldom() {
        let mut rng = Rng::new(1);
        let mut counts = [0; Kind::ALL.len()];
        for _ in 0..140_000 {
            counts[usize::from(Kind::pick(&mut rng))] += 1;
        }
        assert!(counts[..14].iter().all(|c| *c > 8_000), "{counts:?}");
        assert!((40..200).contains(&counts[14]), "{counts:?}");
    }
}
