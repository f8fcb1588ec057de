//! The contract's rules, one event after another, in plain maps. Slow, and plain to read: this is what "exact" means.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use rdkafka::Message;
use rdkafka::message::BorrowedMessage;
use storepulse_events::{CartChange, Currency, Event, Location, Payload, Purchase, decode};
use xxhash_rust::xxh3::xxh3_64;

use super::topics::Letter;
use crate::store::{Fields, Value};

/// What the rules depend on.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The shop's currency.
    pub currency: Currency,
    /// How long a session is known after its last event, in milliseconds of broker time.
    pub lifetime_ms: i64,
    /// For how many records of its partition a session is known after its last event.
    pub lifetime_records: i64,
    /// The most entries of a list of a session's history.
    pub list_entries: usize,
}

/// A history document's fields together may have this many bytes.
const HISTORY_BYTES: usize = 900 * 1024;

/// The documents that should be in the store.
pub struct Expected {
    /// Fields by path.
    pub documents: BTreeMap<String, Fields>,
    /// Histories of sessions whose events are in several partitions: the order of their lists is not defined.
    pub unordered: BTreeSet<String>,
}

/// A session as far as duplicates are concerned.
struct Known {
    last: i64,
    last_offset: i64,
    ids: HashSet<String>,
    /// The ids in the order in which they came.
    order: VecDeque<String>,
}

/// A session remembers so many ids.
const REMEMBERED: usize = 40_000;

/// Computes the documents from messages.
pub struct Reference {
    rules: Rules,
    /// Counters by document path and field; amounts in minor units, their names marked by [`is_amount`].
    counters: BTreeMap<String, BTreeMap<&'static str, i128>>,
    histories: BTreeMap<String, BTreeMap<String, Value>>,
    history_partitions: HashMap<String, BTreeSet<i32>>,
    known: HashMap<(i32, String), Known>,
    stream_time: HashMap<i32, i64>,
    /// Messages taken.
    pub messages: u64,
    /// Events counted.
    pub events: u64,
    /// Events not counted.
    pub duplicates: u64,
    /// The dead letters that should exist.
    pub rejected: Vec<Letter>,
}

impl Reference {
    /// Nothing happened yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            counters: BTreeMap::new(),
            histories: BTreeMap::new(),
            history_partitions: HashMap::new(),
            known: HashMap::new(),
            stream_time: HashMap::new(),
            messages: 0,
            events: 0,
            duplicates: 0,
            rejected: Vec::new(),
        }
    }

    /// Takes the next message of a partition.
    pub fn take(&mut self, message: &BorrowedMessage<'_>) {
        let time = message.timestamp().to_millis().unwrap_or(0);
        self.take_record(message.partition(), message.offset(), time, message.payload().unwrap_or_default());
    }

    /// Takes the next message of a partition, in parts.
    pub fn take_record(&mut self, partition: i32, offset: i64, time: i64, payload: &[u8]) {
        self.messages += 1;
        let stream_time = self.stream_time.entry(partition).or_insert(i64::MIN);
        *stream_time = time.max(*stream_time);
        let now = *stream_time;
        let event = match decode(payload, self.rules.currency) {
            Ok(event) => event,
            Err(rejection) => {
                let (origin, reason) = ((partition, offset), rejection.reason.to_string());
                self.rejected.push(Letter { origin, reason, hash: xxh3_64(payload) });
                return;
            }
        };
        let fresh = || Known { last: now, last_offset: offset, ids: HashSet::new(), order: VecDeque::new() };
        let known = self.known.entry((partition, event.session_id.to_string())).or_insert_with(fresh);
        if now - known.last > self.rules.lifetime_ms || offset - known.last_offset > self.rules.lifetime_records {
            *known = fresh();
        }
        (known.last, known.last_offset) = (now, offset);
        if !known.ids.insert(event.event_id.to_string()) {
            self.duplicates += 1;
            return;
        }
        known.order.push_back(event.event_id.to_string());
        if known.order.len() > REMEMBERED
            && let Some(oldest) = known.order.pop_front()
        {
            known.ids.remove(&oldest);
        }
        self.events += 1;
        self.count(&event);
        self.tell(&event, partition);
    }

    fn count(&mut self, event: &Event<'_>) {
        let country = format!("countries/{}/", event.location.country);
        match &event.payload {
            Payload::SessionStarted { .. } => self.add(event, &country, "statistics", &[("started_sessions_count", 1)]),
            Payload::SessionEnded { seconds_duration } => {
                let fields =
                    [("ended_sessions_count", 1), ("total_sessions_duration_seconds", i128::from(*seconds_duration))];
                self.add(event, &country, "statistics", &fields);
            }
            Payload::CategoryViewed { category } => {
                self.add(event, &country, &of("categories", &category.id), &[("views_count", 1)]);
            }
            Payload::ProductViewed { product } => {
                self.add(event, &country, &of("products", &product.id), &[("views_count", 1)]);
                let category = of("categories", &product.category.id);
                self.add(event, &country, &category, &[("product_related_view_count", 1)]);
            }
            Payload::ProductAddedToCart(c) => self.add_cart(event, &country, c, "added_to_cart_quantity"),
            Payload::ProductRemovedFromCart(c) => self.add_cart(event, &country, c, "removed_from_cart_quantity"),
            Payload::Purchase(purchase) => self.add_purchase(event, &country, purchase),
        }
    }

    fn add_cart(&mut self, event: &Event<'_>, country: &str, change: &CartChange<'_>, field: &'static str) {
        let fields = [(field, i128::from(change.quantity.get()))];
        self.add(event, country, &of("products", &change.product.id), &fields);
        self.add(event, country, &of("categories", &change.product.category.id), &fields);
    }

    fn add_purchase(&mut self, event: &Event<'_>, country: &str, purchase: &Purchase<'_>) {
        let pieces: i128 = purchase.items.iter().map(|i| i128::from(i.quantity.get())).sum();
        let total = i128::from(purchase.total_amount.minor());
        let discount = i128::from(purchase.discount_amount.minor());
        let shop = [
            ("purchase_count", 1),
            ("total_amount", total),
            ("total_discount", discount),
            ("total_items_purchased", pieces),
        ];
        self.add(event, country, "statistics", &shop);
        let payment = of("payments", &purchase.payment_method.id);
        self.add(event, country, &payment, &[("usage_count", 1), ("total_amount", total)]);
        for item in &purchase.items {
            let fields = [
                ("total_amount", i128::from(item.subtotal.minor())),
                ("total_items_purchased", i128::from(item.quantity.get())),
            ];
            self.add(event, country, &of("products", &item.product.id), &fields);
            self.add(event, country, &of("categories", &item.product.category.id), &fields);
        }
        // Half to even over whole hours, on exact integers.
        let micros = purchase.estimated_delivery_date.micros() - event.timestamp.micros();
        let hours = half_even(micros.into(), 3_600_000_000);
        let address = &purchase.shipping_address;
        let fields = [
            ("shipping_count", 1),
            ("total_items_delivered", pieces),
            ("total_shipping_cost", i128::from(purchase.shipping_cost.minor())),
            ("estimated_delivery_hours_waiting", hours),
        ];
        let path = format!("countries/{}/states/{}/shipping", address.country, legal(&address.state));
        for grain in grains(event) {
            self.add_to(format!("{path}/{grain}"), &fields);
        }
    }

    /// Adds to a collection's documents of the lifetime and the day, for all and for the country.
    fn add(&mut self, event: &Event<'_>, country: &str, collection: &str, fields: &[(&'static str, i128)]) {
        for grain in grains(event) {
            self.add_to(format!("{collection}/{grain}"), fields);
            self.add_to(format!("{country}{collection}/{grain}"), fields);
        }
    }

    fn add_to(&mut self, path: String, fields: &[(&'static str, i128)]) {
        let document = self.counters.entry(path).or_default();
        for (field, value) in fields {
            *document.entry(field).or_default() += value;
        }
    }

    /// Adds to the session's history.
    fn tell(&mut self, event: &Event<'_>, partition: i32) {
        let path = format!("sessions_history/{}", legal(&event.session_id));
        self.history_partitions.entry(path.clone()).or_default().insert(partition);
        let limit = self.rules.list_entries;
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
    pub fn into_documents(self) -> Expected {
        let mut documents: BTreeMap<String, Fields> = BTreeMap::new();
        for (path, counters) in self.counters {
            let mut fields = Fields::default();
            for name in fields_of(&path) {
                let value = counters.get(name).copied().unwrap_or(0);
                let value = if is_amount(name) {
                    Value::Double(value as f64 / 100.0)
                } else {
                    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
                };
                fields.set(*name, value);
            }
            documents.insert(path, fields);
        }
        documents.extend(self.histories.into_iter().map(|(path, fields)| (path, fields.into_iter().collect())));
        let several = self.history_partitions.into_iter().filter(|(_, partitions)| partitions.len() > 1);
        Expected { documents, unordered: several.map(|(path, _)| path).collect() }
    }
}

fn grains(event: &Event<'_>) -> [String; 2] {
    ["lifetime".into(), event.timestamp.to_string()[..10].to_owned()]
}

fn of(collection: &str, id: &str) -> String {
    format!("{collection}/{}/statistics", legal(id))
}

/// The fields of a counting document, told by its path.
fn fields_of(path: &str) -> &'static [&'static str] {
    let parts: Vec<&str> = path.split('/').collect();
    let parts = if parts[0] == "countries" { &parts[2..] } else { &parts[..] };
    match parts[0] {
        "categories" => &[
            "views_count",
            "product_related_view_count",
            "added_to_cart_quantity",
            "removed_from_cart_quantity",
            "total_amount",
            "total_items_purchased",
        ],
        "products" => &[
            "views_count",
            "added_to_cart_quantity",
            "removed_from_cart_quantity",
            "total_amount",
            "total_items_purchased",
        ],
        "payments" => &["usage_count", "total_amount"],
        "states" => {
            &["shipping_count", "total_items_delivered", "total_shipping_cost", "estimated_delivery_hours_waiting"]
        }
        _ => &[
            "started_sessions_count",
            "ended_sessions_count",
            "total_sessions_duration_seconds",
            "purchase_count",
            "total_amount",
            "total_discount",
            "total_items_purchased",
        ],
    }
}

fn is_amount(field: &str) -> bool {
    matches!(field, "total_amount" | "total_discount" | "total_shipping_cost")
}

/// Round half to even of `n / d`, for positive `d`.
fn half_even(n: i128, d: i128) -> i128 {
    let (floor, rest) = (n.div_euclid(d), n.rem_euclid(d));
    match (rest * 2).cmp(&d) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
    }
}

/// An id as a document id of the store.
fn legal(id: &str) -> String {
    let reserved = id == "." || id == ".." || id.starts_with("__");
    let mut out = String::new();
    for (i, c) in id.chars().enumerate() {
        match c {
            '%' | '/' | '\u{0}'..='\u{1f}' | '\u{7f}' => out += &format!("%{:02X}", c as u32),
            _ if reserved && i == 0 => out += &format!("%{:02X}", c as u32),
            _ => out.push(c),
        }
    }
    if id.is_empty() { "%".into() } else { out }
}

fn string(text: &str) -> Value {
    Value::String(text.into())
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
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

fn amount(minor: i64) -> Value {
    Value::Double(minor as f64 / 100.0)
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

#[cfg(test)]
mod tests;
