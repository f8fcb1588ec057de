//! Events for the tests of the reference. Times are seconds after 2026-11-26T19:00:00Z.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use storepulse_events::Timestamp;

use super::{Expected, Reference, Rules};
use crate::store::{Fields, Value};

pub const HOUR: i64 = 3600;
pub const DAY: i64 = 24 * HOUR;

/// Milliseconds since the Unix epoch.
pub fn ms(seconds: i64) -> i64 {
    Timestamp::parse("2026-11-26T19:00:00Z").unwrap().micros() / 1000 + seconds * 1000
}

pub fn timestamp(seconds: i64) -> Value {
    Value::Timestamp(ms(seconds) * 1000)
}

/// A type of event with its parameters.
pub type Kind = (&'static str, Json);

pub fn started() -> Kind {
    ("session_started", json!({"user_agent": "x"}))
}

pub fn ended(seconds: u32) -> Kind {
    ("session_ended", json!({"seconds_duration": seconds}))
}

pub fn category_viewed(id: &str) -> Kind {
    ("category_viewed", json!({"category": {"id": id, "name": "C"}}))
}

pub fn product(id: &str, price: f64) -> Json {
    json!({"id": id, "name": "P", "category": {"id": "c", "name": "C"}, "price": price, "currency": "USD"})
}

pub fn viewed(id: &str) -> Kind {
    ("product_viewed", json!({"product": product(id, 1.0)}))
}

pub fn added(id: &str, quantity: u32, price: f64) -> Kind {
    ("product_added_to_cart", json!({"product": product(id, price), "quantity": quantity}))
}

pub fn removed(id: &str, quantity: u32, price: f64) -> Kind {
    ("product_removed_from_cart", json!({"product": product(id, price), "quantity": quantity}))
}

/// Items are product, quantity, subtotal; they are delivered 90 minutes after 19:00.
pub fn purchase(items: &[(&str, u32, f64)], total: f64, discount: f64) -> Kind {
    let line = |(id, quantity, subtotal): &(&str, u32, f64)| json!({"product": product(id, 1.0), "quantity": quantity, "subtotal": subtotal});
    let parameters = json!({
        "items": items.iter().map(line).collect::<Vec<_>>(),
        "total_amount": total, "discount_amount": discount, "shipping_cost": 4.5,
        "shipping_address": {"country": "FR", "state": "a/b", "city": "c", "latitude": 1.0, "longitude": 1.0},
        "payment_method": {"id": "m/1", "name": "M"},
        "estimated_delivery_date": "2026-11-26T20:30:00Z",
    });
    ("purchase", parameters)
}

/// An event of session `s`, user `u`, in Germany.
pub fn event(seconds: i64, kind: Kind) -> Json {
    let time = Timestamp::from_micros(ms(seconds) * 1000).to_string();
    json!({
        "event_id": "", "event_type": kind.0, "session_id": "s", "user_id": "u", "timestamp": time,
        "location": {"country": "DE", "state": "s", "city": "c", "latitude": 1.0, "longitude": 1.0},
        "parameters": kind.1,
    })
}

pub fn of(session: &str, mut event: Json) -> Json {
    event["session_id"] = session.into();
    event
}

pub fn by(user: &str, mut event: Json) -> Json {
    event["user_id"] = user.into();
    event
}

pub fn from(country: &str, mut event: Json) -> Json {
    event["location"]["country"] = country.into();
    event
}

/// A topic that is read while it is written.
pub struct Topic {
    pub reference: Reference,
    offsets: BTreeMap<i32, i64>,
    ids: u32,
}

impl Topic {
    pub fn new(rules: Rules) -> Self {
        Self { reference: Reference::new(rules), offsets: BTreeMap::new(), ids: 0 }
    }

    /// A message of partition 0 with a new id, recorded when it happened.
    pub fn now(&mut self, seconds: i64, kind: Kind) {
        self.put(0, seconds, event(seconds, kind));
    }

    /// A message with a new id.
    pub fn put(&mut self, partition: i32, recorded: i64, mut event: Json) {
        self.ids += 1;
        event["event_id"] = format!("e{}", self.ids).into();
        self.bytes(partition, recorded, event.to_string().as_bytes());
    }

    /// A duplicate of the first message.
    pub fn first_again(&mut self, recorded: i64, mut event: Json) {
        event["event_id"] = "e1".into();
        self.bytes(0, recorded, event.to_string().as_bytes());
    }

    pub fn bytes(&mut self, partition: i32, recorded: i64, bytes: &[u8]) {
        let offset = self.offsets.entry(partition).or_default();
        self.reference.take_record(partition, *offset, ms(recorded), bytes);
        *offset += 1;
    }

    pub fn end(self) -> Expected {
        self.reference.into_documents()
    }
}

pub fn integer(fields: &Fields, name: &str) -> i64 {
    let Some(Value::Integer(n)) = fields.get(name) else { panic!("{name} of {fields:?}") };
    *n
}

pub fn double(fields: &Fields, name: &str) -> f64 {
    let Some(Value::Double(x)) = fields.get(name) else { panic!("{name} of {fields:?}") };
    *x
}

pub fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    let Some(Value::String(text)) = fields.get(name) else { panic!("{name} of {fields:?}") };
    text
}

/// The integers of a list of maps, as named.
pub fn rows(fields: &Fields, list: &str, names: &[&str]) -> Vec<Vec<i64>> {
    maps(fields, list).iter().map(|row| names.iter().map(|name| integer(row, name)).collect()).collect()
}

pub fn maps<'a>(fields: &'a Fields, list: &str) -> Vec<&'a Fields> {
    let Some(Value::Array(rows)) = fields.get(list) else { panic!("{list} of {fields:?}") };
    rows.iter().map(|row| if let Value::Map(map) = row { map } else { panic!("{row:?}") }).collect()
}
