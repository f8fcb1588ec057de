//! The wire format of storepulse: what travels over Kafka, and nothing else.
//!
//! # Layout
//!
//! - [`model`]: the types of an event ([`Event`], [`Payload`], [`Product`], …), borrowing from the message.
//! - [`decode()`]: bytes to [`Event`], strictly; a bad message becomes a [`Rejection`] with a [`Reason`].
//! - [`Event::encode_into`]: the inverse, appending JSON to a buffer without intermediate values.
//! - [`Money`], [`Timestamp`], [`CountryCode`], [`Currency`], [`Quantity`]: values that are checked once, here.
//! - [`topics`]: the names of the Kafka topics, shared by all services.
//! - [`schema`]: the JSON Schema of the format, generated from the types.
//!
//! Start reading at [`model::Event`].

pub mod country;
pub mod decode;
mod encode;
pub mod model;
pub mod money;
pub mod reject;
pub mod schema;
pub mod timestamp;
pub mod topics;

pub use country::CountryCode;
pub use decode::{MAX_EVENT_BYTES, decode};
pub use model::{CartChange, Category, Event, Item, Location, Payload, PaymentMethod, Product, Purchase, Quantity};
pub use money::{Currency, Money};
pub use reject::{Reason, Rejection};
pub use timestamp::{Day, Timestamp};
