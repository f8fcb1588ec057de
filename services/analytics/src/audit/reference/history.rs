//! Histories of sessions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use storepulse_events::{CartChange, Event, Location, Payload, Purchase};

use super::identity::legal;
use super::values::{amount, map, string};
use crate::store::{Fields, Value};

/// A history document's fields together may have this many bytes.
const HISTORY_BYTES: usize = 900 * 1024;

/// Histories by path, and the partitions that their events came from.
#[derive(Default)]
pub struct Histories {
    histories: BTreeMap<String, BTreeMap<String, Value>>,
    partitions: HashMap<String, BTreeSet<i32>>,
}

impl Histories {
    /// Adds to the session's history.
    pub fn tell(&mut self, event: &Event<'_>, partition: i32, limit: usize) {
        let path = format!("sessions_history/{}", legal(&event.session_id));
        self.partitions.entry(path.clone()).or_default().insert(partition);
        let history = self.histories.entry(path).or_default();
        let time = Value::Timestamp(event.timestamp.micros());
        match &event.payload {
            Payload::SessionStarted { user_agent } => {
                history.insert("start_time".into(), time);
                history.insert("user_id".into(), string(&event.user_id));
                history.insert("location".into(), place(&event.location));
                history.insert("agent".into(), string(user_agent));
            }
            Payload::SessionEnded { seconds_duration } => {
                history.insert("end_time".into(), time);
                history.insert("session_duration_seconds".into(), Value::Integer((*seconds_duration).into()));
            }
            Payload::CategoryViewed { category } => {
                append(
                    history,
                    limit,
                    "categories_viewed",
                    vec![("category", string(&category.id)), ("timestamp", time)],
                );
            }
            Payload::ProductViewed { product } => {
                append(history, limit, "products_viewed", vec![("product", string(&product.id)), ("timestamp", time)]);
            }
            Payload::ProductAddedToCart(change) => append(history, limit, "added_to_cart", cart(change, time)),
            Payload::ProductRemovedFromCart(change) => append(history, limit, "removed_from_cart", cart(change, time)),
            Payload::Purchase(purchase) => append(history, limit, "purchase", order(purchase, time)),
        }
    }

    /// The documents.
    pub fn documents(&mut self) -> impl Iterator<Item = (String, Fields)> {
        std::mem::take(&mut self.histories).into_iter().map(|(path, fields)| (path, fields.into_iter().collect()))
    }

    /// Those whose events are in several partitions.
    pub fn unordered(self) -> BTreeSet<String> {
        self.partitions.into_iter().filter(|(_, partitions)| partitions.len() > 1).map(|(path, _)| path).collect()
    }
}

fn place(location: &Location<'_>) -> Value {
    map(vec![
        ("country", string(location.country.as_str())),
        ("state", string(&location.state)),
        ("city", string(&location.city)),
        ("latitude", Value::Double(location.latitude)),
        ("longitude", Value::Double(location.longitude)),
    ])
}

fn cart(change: &CartChange<'_>, time: Value) -> Vec<(&'static str, Value)> {
    let quantity = Value::Integer(change.quantity.get().into());
    vec![("product", string(&change.product.id)), ("quantity", quantity), ("timestamp", time)]
}

fn order(purchase: &Purchase<'_>, time: Value) -> Vec<(&'static str, Value)> {
    let items = purchase.items.iter().map(|item| {
        map(vec![
            ("product", string(&item.product.id)),
            ("quantity", Value::Integer(item.quantity.get().into())),
            ("subtotal", amount(item.subtotal.minor())),
        ])
    });
    vec![
        ("items", Value::Array(items.collect())),
        ("total_amount", amount(purchase.total_amount.minor())),
        ("discount_amount", amount(purchase.discount_amount.minor())),
        ("shipping_cost", amount(purchase.shipping_cost.minor())),
        ("payment_method", string(&purchase.payment_method.id)),
        ("shipping_address", place(&purchase.shipping_address)),
        ("estimated_delivery_date", Value::Timestamp(purchase.estimated_delivery_date.micros())),
        ("timestamp", time),
    ]
}

/// Appends to a list unless it or the document is full; then counts.
fn append(history: &mut BTreeMap<String, Value>, limit: usize, list: &str, entry: Vec<(&str, Value)>) {
    let entry = map(entry);
    // A list that is not there yet takes its name.
    let values = history.entry(list.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
    let long = matches!(values, Value::Array(values) if values.len() >= limit);
    let size: usize = history.iter().map(|(name, value)| name.len() + 1 + weight(value)).sum();
    if !long && size + weight(&entry) <= HISTORY_BYTES {
        if let Some(Value::Array(values)) = history.get_mut(list) {
            values.push(entry);
        }
        return;
    }
    let omitted = history.entry(format!("{list}_omitted_count")).or_insert(Value::Integer(0));
    if let Value::Integer(n) = omitted {
        *n += 1;
    }
}

/// What a value weighs in Firestore's account.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 1,
        Value::Array(values) => values.iter().map(weight).sum(),
        Value::Map(map) => map.iter().map(|(name, value)| name.len() + 1 + weight(value)).sum(),
        Value::Integer(_) | Value::Double(_) | Value::Timestamp(_) => 8,
    }
}
