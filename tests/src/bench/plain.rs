//! The simulator's events as serde reads them, with a decoder of choice: what decoding into the project's types costs
//! without anything else. The decoder is told each event's type beforehand.

use std::borrow::Cow;
use std::hint::black_box;

use serde::Deserialize;
use storepulse_events::{CartChange, Category, Location, Product, Purchase, Timestamp};

/// Reads one message.
pub trait Decoder {
    /// Reads a message as a `T`, throws it away, and says whether it could.
    fn read<'a, T: Deserialize<'a>>(&'a mut self, message: &'a [u8]) -> bool;
}

/// serde_json in its faster way: `from_slice` would check each string by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct SerdeJson;

impl Decoder for SerdeJson {
    fn read<'a, T: Deserialize<'a>>(&'a mut self, message: &'a [u8]) -> bool {
        let text = std::str::from_utf8(message);
        text.is_ok_and(|text| black_box(serde_json::from_str::<T>(text)).is_ok())
    }
}

/// Decodes a message whose type is number `kind` of [`storepulse_events::Payload::TYPES`]; says whether it could.
pub fn read<'a>(decoder: &'a mut impl Decoder, message: &'a [u8], kind: usize) -> bool {
    match kind {
        0 => decoder.read::<Event<'a, Started<'a>>>(message),
        1 => decoder.read::<Event<'a, CategoryViewed<'a>>>(message),
        2 => decoder.read::<Event<'a, ProductViewed<'a>>>(message),
        3 | 4 => decoder.read::<Event<'a, CartChange<'a>>>(message),
        5 => decoder.read::<Event<'a, Purchase<'a>>>(message),
        _ => decoder.read::<Event<'a, Ended>>(message),
    }
}

/// An event of a known type, with the project's own types for what is in it.
#[derive(Deserialize)]
#[allow(dead_code, reason = "what is decoded is thrown away")]
struct Event<'a, P> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    session_id: Cow<'a, str>,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    timestamp: Timestamp,
    #[serde(borrow)]
    location: Location<'a>,
    parameters: P,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what is decoded is thrown away")]
struct Started<'a> {
    #[serde(borrow)]
    user_agent: Cow<'a, str>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what is decoded is thrown away")]
struct CategoryViewed<'a> {
    #[serde(borrow)]
    category: Category<'a>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what is decoded is thrown away")]
struct ProductViewed<'a> {
    #[serde(borrow)]
    product: Product<'a>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what is decoded is thrown away")]
struct Ended {
    seconds_duration: u32,
}
