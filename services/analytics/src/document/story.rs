//! The history document of a session: what an event adds to it, and how entries become fields.
//!
//! An entry is what one event adds. Entries are encoded one after another in postcard's format, so that a session
//! collects its story in one growing buffer.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use storepulse_events::{Event, Location, Money, Payload, Timestamp};

use crate::store::value::Name;
use crate::store::{Fields, Value};

/// The lists of a history document. Each is capped; what does not fit is counted in `<list>_omitted_count`.
pub const LISTS: [&str; 5] = ["categories_viewed", "products_viewed", "added_to_cart", "removed_from_cart", "purchase"];

/// How long a history document may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoryLimits {
    /// The most entries of one list.
    pub entries: usize,
    /// The most bytes of all fields, as Firestore counts them; entries beyond it are omitted. Firestore's limit for a
    /// document is 1 MiB.
    pub bytes: usize,
}

impl Default for StoryLimits {
    fn default() -> Self {
        Self { entries: 1_000, bytes: 900 * 1024 }
    }
}

/// A place, as an entry carries it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place<'a> {
    country: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(borrow)]
    city: Cow<'a, str>,
    latitude: f64,
    longitude: f64,
}

/// What one event adds to its session's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Entry<'a> {
    /// The session began: time, user, place, user agent.
    Started(i64, #[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Place<'a>, #[serde(borrow)] Cow<'a, str>),
    /// A category was seen: time, category.
    Category(i64, #[serde(borrow)] Cow<'a, str>),
    /// A product was seen: time, product.
    Product(i64, #[serde(borrow)] Cow<'a, str>),
    /// Pieces went into the cart: time, product, quantity.
    Added(i64, #[serde(borrow)] Cow<'a, str>, u32),
    /// Pieces came out of the cart: time, product, quantity.
    Removed(i64, #[serde(borrow)] Cow<'a, str>, u32),
    /// An order.
    Purchase(#[serde(borrow)] Order<'a>),
    /// The session ended: time, seconds.
    Ended(i64, u32),
}

/// An order, as an entry carries it. Amounts in minor units, times in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order<'a> {
    time: i64,
    #[serde(borrow)]
    items: Vec<(Cow<'a, str>, u32, i64)>,
    total_amount: i64,
    discount_amount: i64,
    shipping_cost: i64,
    #[serde(borrow)]
    payment_method: Cow<'a, str>,
    #[serde(borrow)]
    shipping_address: Place<'a>,
    estimated_delivery: i64,
}

impl<'a> Place<'a> {
    fn of(location: &'a Location<'_>) -> Self {
        Self {
            country: Cow::Borrowed(location.country.as_str()),
            state: Cow::Borrowed(&location.state),
            city: Cow::Borrowed(&location.city),
            latitude: location.latitude,
            longitude: location.longitude,
        }
    }

    fn value(&self) -> Value {
        map([
            ("country", text(&self.country)),
            ("state", text(&self.state)),
            ("city", text(&self.city)),
            ("latitude", Value::Double(self.latitude)),
            ("longitude", Value::Double(self.longitude)),
        ])
    }
}

impl<'a> Entry<'a> {
    /// What `event` adds.
    pub fn of(event: &'a Event<'_>) -> Self {
        let time = event.timestamp.micros();
        match &event.payload {
            Payload::SessionStarted { user_agent } => Self::Started(
                time,
                Cow::Borrowed(&event.user_id),
                Place::of(&event.location),
                Cow::Borrowed(user_agent),
            ),
            Payload::CategoryViewed { category } => Self::Category(time, Cow::Borrowed(&category.id)),
            Payload::ProductViewed { product } => Self::Product(time, Cow::Borrowed(&product.id)),
            Payload::ProductAddedToCart(c) => Self::Added(time, Cow::Borrowed(&c.product.id), c.quantity.get()),
            Payload::ProductRemovedFromCart(c) => Self::Removed(time, Cow::Borrowed(&c.product.id), c.quantity.get()),
            Payload::Purchase(p) => {
                let line = |i: &'a storepulse_events::Item<'_>| {
                    (Cow::Borrowed(&*i.product.id), i.quantity.get(), i.subtotal.minor())
                };
                Self::Purchase(Order {
                    time,
                    items: p.items.iter().map(line).collect(),
                    total_amount: p.total_amount.minor(),
                    discount_amount: p.discount_amount.minor(),
                    shipping_cost: p.shipping_cost.minor(),
                    payment_method: Cow::Borrowed(&p.payment_method.id),
                    shipping_address: Place::of(&p.shipping_address),
                    estimated_delivery: p.estimated_delivery_date.micros(),
                })
            }
            Payload::SessionEnded { seconds_duration } => Self::Ended(time, *seconds_duration),
        }
    }

    /// Appends the encoded entry.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        let buffer = std::mem::take(out);
        // Encoding into a growing vector can't fail.
        *out = postcard::to_extend(self, buffer).unwrap_or_default();
    }
}

/// A history document: fields, and entries that are to be added to them.
///
/// Almost every story is taken in once, written once and forgotten. So entries are kept as they came until the fields
/// are asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Story {
    told: Told,
    untold: Vec<u8>,
}

/// So many bytes of entries are kept as they came; more become fields.
const MAX_UNTOLD: usize = 64 * 1024;

impl Story {
    /// From the fields of a stored document (without bookkeeping).
    pub fn from_fields(fields: Fields) -> Self {
        let size = fields.size();
        Self { told: Told { fields, size }, untold: Vec::new() }
    }

    /// Roughly the memory that the story takes beyond its own size, in bytes.
    pub fn heap_bytes(&self) -> usize {
        // A value in memory takes about four times what Firestore counts.
        self.untold.len() + 4 * self.told.size
    }

    /// The fields.
    pub fn fields(&self, limits: StoryLimits) -> Fields {
        let mut told = self.told.clone();
        told.apply(&self.untold, limits);
        told.fields
    }

    /// Adds encoded entries in their order.
    ///
    /// # Errors
    ///
    /// If the bytes are not entries; then none is added.
    pub fn apply(&mut self, entries: &[u8], limits: StoryLimits) -> Result<(), postcard::Error> {
        let mut rest = entries;
        while !rest.is_empty() {
            rest = postcard::take_from_bytes::<Entry<'_>>(rest)?.1;
        }
        self.untold.extend_from_slice(entries);
        if self.untold.len() > MAX_UNTOLD {
            self.told.apply(&std::mem::take(&mut self.untold), limits);
        }
        Ok(())
    }
}

/// The fields of a history document, with their size kept up to date.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    fields: Fields,
    size: usize,
}

impl Told {
    /// Applies entries, which have been read before.
    fn apply(&mut self, mut entries: &[u8], limits: StoryLimits) {
        while let Ok((entry, rest)) = postcard::take_from_bytes::<Entry<'_>>(entries) {
            self.add(&entry, limits);
            entries = rest;
        }
    }

    fn add(&mut self, entry: &Entry<'_>, limits: StoryLimits) {
        match entry {
            Entry::Started(time, user, place, agent) => {
                self.set("start_time", Value::Timestamp(*time));
                self.set("user_id", text(user));
                self.set("location", place.value());
                self.set("agent", text(agent));
            }
            Entry::Ended(time, seconds) => {
                self.set("end_time", Value::Timestamp(*time));
                self.set("session_duration_seconds", Value::Integer(i64::from(*seconds)));
            }
            Entry::Category(time, id) => {
                self.push("categories_viewed", [("category", text(id)), timestamp(*time)], limits);
            }
            Entry::Product(time, id) => {
                self.push("products_viewed", [("product", text(id)), timestamp(*time)], limits);
            }
            Entry::Added(time, id, n) => {
                self.push("added_to_cart", [("product", text(id)), quantity(*n), timestamp(*time)], limits);
            }
            Entry::Removed(time, id, n) => {
                self.push("removed_from_cart", [("product", text(id)), quantity(*n), timestamp(*time)], limits);
            }
            Entry::Purchase(order) => self.push("purchase", order.fields(), limits),
        }
    }

    fn set(&mut self, name: impl Into<Name>, value: Value) {
        let name = name.into();
        self.size += value.size() + name.len() + 1;
        let length = name.len() + 1;
        if let Some(old) = self.fields.set(name, value) {
            self.size -= old.size() + length;
        }
    }

    fn push<const N: usize>(&mut self, list: &'static str, entry: [(&'static str, Value); N], limits: StoryLimits) {
        let entry = map(entry);
        let size = entry.size();
        let values = match self.fields.get_mut(list) {
            Some(Value::Array(values)) => values,
            _ => {
                self.set(list, Value::Array(Vec::new()));
                match self.fields.get_mut(list) {
                    Some(Value::Array(values)) => values,
                    _ => return,
                }
            }
        };
        if values.len() < limits.entries && self.size + size <= limits.bytes {
            values.push(entry);
            self.size += size;
        } else {
            let name = format!("{list}_omitted_count");
            let omitted = match self.fields.get(&name) {
                Some(Value::Integer(n)) => n + 1,
                _ => 1,
            };
            self.set(name, Value::Integer(omitted));
        }
    }
}

impl Order<'_> {
    fn fields(&self) -> [(&'static str, Value); 8] {
        let item = |(id, n, subtotal): &(Cow<'_, str>, u32, i64)| {
            map([("product", text(id)), quantity(*n), ("subtotal", amount(*subtotal))])
        };
        [
            ("items", Value::Array(self.items.iter().map(item).collect())),
            ("total_amount", amount(self.total_amount)),
            ("discount_amount", amount(self.discount_amount)),
            ("shipping_cost", amount(self.shipping_cost)),
            ("payment_method", text(&self.payment_method)),
            ("shipping_address", self.shipping_address.value()),
            ("estimated_delivery_date", Value::Timestamp(self.estimated_delivery)),
            timestamp(self.time),
        ]
    }
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn amount(minor: i64) -> Value {
    Value::Double(Money::from_minor(minor).units())
}

fn timestamp(micros: i64) -> (&'static str, Value) {
    ("timestamp", Value::Timestamp(Timestamp::from_micros(micros).micros()))
}

fn quantity(pieces: u32) -> (&'static str, Value) {
    ("quantity", Value::Integer(i64::from(pieces)))
}

fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    Value::Map(entries.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        entries.iter().for_each(|e| e.encode_into(&mut bytes));
        bytes
    }

    fn views(n: usize) -> Vec<u8> {
        encoded(&(0..n).map(|i| Entry::Product(i as i64, Cow::Owned(format!("p{i}")))).collect::<Vec<_>>())
    }

    #[test]
    fn a_story_is_the_same_in_one_piece_or_in_many() {
        let entries = [
            Entry::Category(5, "c".into()),
            Entry::Added(6, "p".into(), 2),
            Entry::Removed(7, "p".into(), 1),
            Entry::Ended(8, 3),
        ];
        let limits = StoryLimits::default();
        let mut whole = Story::default();
        whole.apply(&encoded(&entries), limits).unwrap();
        let mut pieces = Story::default();
        for entry in &entries {
            pieces.apply(&encoded(std::slice::from_ref(entry)), limits).unwrap();
            pieces = Story::from_fields(pieces.fields(limits));
        }
        assert_eq!(whole.fields(limits), pieces.fields(limits));
    }

    #[test]
    fn a_list_is_capped_and_says_what_it_omits() {
        let mut story = Story::default();
        let limits = StoryLimits { entries: 4, bytes: 10_000 };
        story.apply(&views(10), limits).unwrap();
        let fields = story.fields(limits);
        assert!(matches!(fields.get("products_viewed"), Some(Value::Array(v)) if v.len() == 4));
        assert_eq!(fields.get("products_viewed_omitted_count"), Some(&Value::Integer(6)));
    }

    #[test]
    fn a_document_stays_below_its_size() {
        let mut story = Story::default();
        let limits = StoryLimits { entries: 1_000_000, bytes: 5_000 };
        story.apply(&views(10_000), limits).unwrap();
        assert!(story.untold.is_empty(), "so much is not kept as it came");
        let size = story.fields(limits).size();
        assert!(size <= limits.bytes + 100, "{size}");
        assert_eq!(story.told.size, size);
    }

    #[test]
    fn bytes_that_are_no_entries_change_nothing() {
        let (mut story, limits) = (Story::default(), StoryLimits::default());
        let mut bytes = views(2);
        bytes.push(0xff);
        assert!(story.apply(&bytes, limits).is_err());
        assert_eq!(story, Story::default());
    }
}
