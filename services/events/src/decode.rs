//! Bytes to [`Event`], strictly, in one pass over the text.
//!
//! `parameters` can only be understood once `event_type` is known. Writers put the type first, so the decoder
//! reads the parameters straight into their type; when they come first it keeps their text and reads it afterwards.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use crate::model::MAX_ID_BYTES;
use crate::reject::BAD_VALUE;
use crate::{
    CartChange, Category, Currency, Event, Location, Payload, Product, Purchase, Reason, Rejection, Timestamp,
};

/// The largest message that is read as an event, in bytes. The simulator's are a few hundred.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;

/// Decodes one message of the event topic, in the shop's `currency`.
///
/// # Errors
///
/// A [`Rejection`] for anything that is not an event of the format. It never panics, whatever the bytes.
pub fn decode(bytes: &[u8], currency: Currency) -> Result<Event<'_>, Rejection> {
    if bytes.is_empty() {
        return Err(Rejection::new(Reason::Empty, "the message has no value"));
    }
    if bytes.len() > MAX_EVENT_BYTES {
        let detail = format!("the message has {} bytes; allowed are {MAX_EVENT_BYTES}", bytes.len());
        return Err(Rejection::new(Reason::TooLarge, detail));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Rejection::new(Reason::NotUtf8, format!("not UTF-8 from byte {}", e.valid_up_to())))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let event = deserializer.deserialize_map(EventVisitor)?;
    deserializer.end()?;
    check(&event, currency)?;
    Ok(event)
}

/// Text that borrows from the message unless it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Clone, Copy)]
enum Type {
    SessionStarted,
    CategoryViewed,
    ProductViewed,
    ProductAddedToCart,
    ProductRemovedFromCart,
    Purchase,
    SessionEnded,
}

impl Type {
    /// In the order of [`Payload::TYPES`].
    const ALL: [Self; 7] = [
        Self::SessionStarted,
        Self::CategoryViewed,
        Self::ProductViewed,
        Self::ProductAddedToCart,
        Self::ProductRemovedFromCart,
        Self::Purchase,
        Self::SessionEnded,
    ];

    fn parse<E: de::Error>(name: &str) -> Result<Self, E> {
        let position = Payload::TYPES.iter().position(|t| *t == name);
        position.map(|i| Self::ALL[i]).ok_or_else(|| E::unknown_variant(name, &Payload::TYPES))
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    EventId,
    EventType,
    SessionId,
    UserId,
    Timestamp,
    Location,
    Parameters,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct SessionStarted<'a> {
    #[serde(borrow)]
    user_agent: Cow<'a, str>,
}

#[derive(Deserialize)]
struct CategoryViewed<'a> {
    #[serde(borrow)]
    category: Category<'a>,
}

#[derive(Deserialize)]
struct ProductViewed<'a> {
    #[serde(borrow)]
    product: Product<'a>,
}

#[derive(Deserialize)]
struct SessionEnded {
    seconds_duration: u32,
}

impl<'de> DeserializeSeed<'de> for Type {
    type Value = Payload<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Payload<'de>, D::Error> {
        Ok(match self {
            Self::SessionStarted => {
                let SessionStarted { user_agent } = Deserialize::deserialize(deserializer)?;
                Payload::SessionStarted { user_agent }
            }
            Self::CategoryViewed => {
                let CategoryViewed { category } = Deserialize::deserialize(deserializer)?;
                Payload::CategoryViewed { category }
            }
            Self::ProductViewed => {
                let ProductViewed { product } = Deserialize::deserialize(deserializer)?;
                Payload::ProductViewed { product }
            }
            Self::ProductAddedToCart => Payload::ProductAddedToCart(CartChange::deserialize(deserializer)?),
            Self::ProductRemovedFromCart => Payload::ProductRemovedFromCart(CartChange::deserialize(deserializer)?),
            Self::Purchase => Payload::Purchase(Purchase::deserialize(deserializer)?),
            Self::SessionEnded => {
                let SessionEnded { seconds_duration } = Deserialize::deserialize(deserializer)?;
                Payload::SessionEnded { seconds_duration }
            }
        })
    }
}

struct EventVisitor;

/// Sets a field that must come once.
fn set<T, E: de::Error>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), E> {
    if slot.replace(value).is_some() { Err(E::duplicate_field(name)) } else { Ok(()) }
}

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event<'de>, A::Error> {
        let mut event_id: Option<Text<'de>> = None;
        let mut session_id: Option<Text<'de>> = None;
        let mut user_id: Option<Text<'de>> = None;
        let mut event_type: Option<Type> = None;
        let mut timestamp: Option<Timestamp> = None;
        let mut location: Option<Location<'de>> = None;
        let mut payload: Option<Payload<'de>> = None;
        let mut early: Option<&'de RawValue> = None;
        while let Some(field) = map.next_key()? {
            match field {
                Field::EventId => set(&mut event_id, "event_id", map.next_value()?)?,
                Field::SessionId => set(&mut session_id, "session_id", map.next_value()?)?,
                Field::UserId => set(&mut user_id, "user_id", map.next_value()?)?,
                Field::Timestamp => set(&mut timestamp, "timestamp", map.next_value()?)?,
                Field::Location => set(&mut location, "location", map.next_value()?)?,
                Field::EventType => {
                    let name: Text<'de> = map.next_value()?;
                    set(&mut event_type, "event_type", Type::parse(&name.0)?)?;
                }
                Field::Parameters => {
                    if payload.is_some() || early.is_some() {
                        return Err(de::Error::duplicate_field("parameters"));
                    }
                    match event_type {
                        Some(event_type) => payload = Some(map.next_value_seed(event_type)?),
                        None => early = Some(map.next_value()?),
                    }
                }
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let missing = <A::Error as de::Error>::missing_field;
        let event_type = event_type.ok_or_else(|| missing("event_type"))?;
        if let Some(raw) = early {
            // The inner error already says what is wrong; its line and column are those within `parameters`.
            payload = Some(event_type.deserialize(raw).map_err(de::Error::custom)?);
        }
        Ok(Event {
            event_id: event_id.ok_or_else(|| missing("event_id"))?.0,
            session_id: session_id.ok_or_else(|| missing("session_id"))?.0,
            user_id: user_id.ok_or_else(|| missing("user_id"))?.0,
            timestamp: timestamp.ok_or_else(|| missing("timestamp"))?,
            location: location.ok_or_else(|| missing("location"))?,
            payload: payload.ok_or_else(|| missing("parameters"))?,
        })
    }
}

/// What the types alone don't say: ranges of text and coordinates, and the shop's currency.
fn check(event: &Event<'_>, currency: Currency) -> Result<(), Rejection> {
    check_id("event_id", &event.event_id)?;
    check_id("session_id", &event.session_id)?;
    check_id("user_id", &event.user_id)?;
    check_location("location", &event.location)?;
    match &event.payload {
        Payload::SessionStarted { .. } | Payload::SessionEnded { .. } => {}
        Payload::CategoryViewed { category } => check_id("category.id", &category.id)?,
        Payload::ProductViewed { product } => check_product(product, currency)?,
        Payload::ProductAddedToCart(change) | Payload::ProductRemovedFromCart(change) => {
            check_product(&change.product, currency)?;
        }
        Payload::Purchase(purchase) => {
            for item in &purchase.items {
                check_product(&item.product, currency)?;
            }
            check_id("payment_method.id", &purchase.payment_method.id)?;
            check_location("shipping_address", &purchase.shipping_address)?;
        }
    }
    Ok(())
}

fn check_id(name: &str, id: &str) -> Result<(), Rejection> {
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        let detail = format!("{BAD_VALUE} {name} of {} bytes: allowed are 1 to {MAX_ID_BYTES}", id.len());
        return Err(Rejection::new(Reason::ImpossibleValue, detail));
    }
    Ok(())
}

fn check_location(name: &str, location: &Location<'_>) -> Result<(), Rejection> {
    if location.state.len() > MAX_ID_BYTES {
        let detail = format!("{BAD_VALUE} {name}.state of {} bytes: allowed are {MAX_ID_BYTES}", location.state.len());
        return Err(Rejection::new(Reason::ImpossibleValue, detail));
    }
    for (axis, degrees, limit) in [("latitude", location.latitude, 90.0), ("longitude", location.longitude, 180.0)] {
        if !(-limit..=limit).contains(&degrees) {
            let detail = format!("{BAD_VALUE} {name}.{axis} {degrees}: allowed are -{limit} to {limit}");
            return Err(Rejection::new(Reason::ImpossibleValue, detail));
        }
    }
    Ok(())
}

fn check_product(product: &Product<'_>, currency: Currency) -> Result<(), Rejection> {
    check_id("product.id", &product.id)?;
    check_id("product.category.id", &product.category.id)?;
    if product.currency != currency.as_str() {
        let found: String = product.currency.chars().take(16).collect();
        let detail = format!("product.currency is {found:?}; this shop's currency is {currency}");
        return Err(Rejection::new(Reason::ForeignCurrency, detail));
    }
    Ok(())
}
