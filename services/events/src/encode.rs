//! [`Event`] to JSON, straight into a buffer.

use crate::{CartChange, Category, Event, Location, Money, Payload, Product, Purchase, Timestamp};

impl Event<'_> {
    /// Appends the event as one JSON object (no line break). [`crate::decode()`] reads it back unchanged, as long as
    /// its values are in the ranges of the format.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"event_id\":");
        string(out, &self.event_id);
        out.extend_from_slice(b",\"event_type\":\"");
        out.extend_from_slice(self.payload.event_type().as_bytes());
        out.extend_from_slice(b"\",\"session_id\":");
        string(out, &self.session_id);
        out.extend_from_slice(b",\"timestamp\":");
        time(out, self.timestamp);
        out.extend_from_slice(b",\"user_id\":");
        string(out, &self.user_id);
        out.extend_from_slice(b",\"location\":");
        location(out, &self.location);
        out.extend_from_slice(b",\"parameters\":");
        payload(out, &self.payload);
        out.push(b'}');
    }
}

fn payload(out: &mut Vec<u8>, payload: &Payload<'_>) {
    match payload {
        Payload::SessionStarted { user_agent } => {
            out.extend_from_slice(b"{\"user_agent\":");
            string(out, user_agent);
        }
        Payload::CategoryViewed { category: c } => {
            out.extend_from_slice(b"{\"category\":");
            category(out, c);
        }
        Payload::ProductViewed { product: p } => {
            out.extend_from_slice(b"{\"product\":");
            product(out, p);
        }
        Payload::ProductAddedToCart(CartChange { product: p, quantity })
        | Payload::ProductRemovedFromCart(CartChange { product: p, quantity }) => {
            out.extend_from_slice(b"{\"product\":");
            product(out, p);
            out.extend_from_slice(b",\"quantity\":");
            integer(out, quantity.get());
        }
        Payload::Purchase(p) => return purchase(out, p),
        Payload::SessionEnded { seconds_duration } => {
            out.extend_from_slice(b"{\"seconds_duration\":");
            integer(out, *seconds_duration);
        }
    }
    out.push(b'}');
}

fn purchase(out: &mut Vec<u8>, purchase: &Purchase<'_>) {
    out.extend_from_slice(b"{\"items\":[");
    for (i, item) in purchase.items.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b"{\"product\":" } else { b",{\"product\":" });
        product(out, &item.product);
        out.extend_from_slice(b",\"quantity\":");
        integer(out, item.quantity.get());
        money(out, b",\"subtotal\":", item.subtotal);
        out.push(b'}');
    }
    money(out, b"],\"total_amount\":", purchase.total_amount);
    money(out, b",\"discount_amount\":", purchase.discount_amount);
    out.extend_from_slice(b",\"shipping_address\":");
    location(out, &purchase.shipping_address);
    money(out, b",\"shipping_cost\":", purchase.shipping_cost);
    out.extend_from_slice(b",\"payment_method\":{\"id\":");
    string(out, &purchase.payment_method.id);
    out.extend_from_slice(b",\"name\":");
    string(out, &purchase.payment_method.name);
    out.extend_from_slice(b"},\"estimated_delivery_date\":");
    time(out, purchase.estimated_delivery_date);
    out.push(b'}');
}

fn location(out: &mut Vec<u8>, location: &Location<'_>) {
    out.extend_from_slice(b"{\"country\":\"");
    out.extend_from_slice(location.country.as_str().as_bytes());
    out.extend_from_slice(b"\",\"state\":");
    string(out, &location.state);
    out.extend_from_slice(b",\"city\":");
    string(out, &location.city);
    out.extend_from_slice(b",\"latitude\":");
    float(out, location.latitude);
    out.extend_from_slice(b",\"longitude\":");
    float(out, location.longitude);
    out.push(b'}');
}

fn category(out: &mut Vec<u8>, category: &Category<'_>) {
    out.extend_from_slice(b"{\"id\":");
    string(out, &category.id);
    out.extend_from_slice(b",\"name\":");
    string(out, &category.name);
    out.push(b'}');
}

fn product(out: &mut Vec<u8>, product: &Product<'_>) {
    out.extend_from_slice(b"{\"id\":");
    string(out, &product.id);
    out.extend_from_slice(b",\"name\":");
    string(out, &product.name);
    out.extend_from_slice(b",\"category\":");
    category(out, &product.category);
    money(out, b",\"price\":", product.price);
    out.extend_from_slice(b",\"currency\":");
    string(out, &product.currency);
    out.push(b'}');
}

fn money(out: &mut Vec<u8>, prefix: &[u8], amount: Money) {
    out.extend_from_slice(prefix);
    amount.write_json(out);
}

fn time(out: &mut Vec<u8>, time: Timestamp) {
    out.push(b'"');
    time.write_rfc3339(out);
    out.push(b'"');
}

fn integer(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn string(out: &mut Vec<u8>, text: &str) {
    // Nothing to escape is by far the most common case, and a plain copy is several times faster.
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        json(out, text);
    }
}

fn float(out: &mut Vec<u8>, value: f64) {
    json(out, &value);
}

/// Appends a scalar by serde_json. Writing a scalar to a vector can't fail.
fn json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}
