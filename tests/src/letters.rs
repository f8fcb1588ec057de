//! Events and other messages made by hand.

use serde_json::{Value as Json, json};

/// The event topic's `max.message.bytes`.
pub const TOPIC_TAKES: usize = 1_048_576;
/// Of those, a batch of one record without key and headers needs so many for itself: 61 for the batch, 11 for the
/// record (<https://kafka.apache.org/documentation/#recordbatch>).
pub const ENVELOPE: usize = 61 + 11;

/// An event of a session. Its id is the session's with the number.
pub fn event(session: &str, number: u32, event_type: &str, parameters: Json) -> Json {
    json!({
        "event_id": format!("{session}-{number}"),
        "session_id": session,
        "user_id": "u-by-hand",
        "event_type": event_type,
        "timestamp": "2026-11-21T05:33:11.123456Z",
        "location": {
            "country": "FR", "state": "Île-de-France", "city": "Paris", "latitude": 48.8566, "longitude": 2.3522,
        },
        "parameters": parameters,
    })
}

/// A product, as events have it.
pub fn product(price: f64) -> Json {
    let category = json!({ "id": "c-by-hand", "name": "Handmade" });
    json!({ "id": "p-by-hand", "name": "A \"vase\"", "category": category, "price": price, "currency": "USD" })
}

/// An event with one thing altered: the value at a JSON pointer.
fn altered(mut event: Json, pointer: &str, value: Json) -> Vec<u8> {
    if let Some(place) = event.pointer_mut(pointer) {
        *place = value;
    }
    event.to_string().into_bytes()
}

/// What can't be an event: what it is, the reason that its dead letter must give, and the value.
pub fn poison(session: &str) -> Vec<(&'static str, &'static str, Option<Vec<u8>>)> {
    let view = || event(session, 900, "product_viewed", json!({ "product": product(19.99) }));
    let add = || event(session, 901, "product_added_to_cart", json!({ "product": product(19.99), "quantity": 2 }));
    let text = view().to_string().into_bytes();
    let mut padded = view();
    padded["padding"] = json!("x".repeat(300 * 1024));
    let not_utf8 = String::from_utf8_lossy(&text).replace("Paris", "Par?s").into_bytes();
    let not_utf8 = not_utf8.iter().map(|byte| if *byte == b'?' { 0xe9 } else { *byte }).collect();
    vec![
        ("truncated JSON", "not_json", Some(text[..text.len() / 2].to_vec())),
        ("an unknown type", "unknown_event_type", Some(altered(view(), "/event_type", json!("product_teleported")))),
        ("a wrong type", "wrong_type", Some(altered(add(), "/parameters/quantity", json!("two")))),
        ("no UTF-8", "not_utf8", Some(not_utf8)),
        ("a tombstone", "empty", None),
        ("nothing", "empty", Some(Vec::new())),
        ("a negative quantity", "impossible_value", Some(altered(add(), "/parameters/quantity", json!(-2)))),
        ("an impossible country", "impossible_country", Some(altered(view(), "/location/country", json!("XX")))),
        ("a foreign currency", "foreign_currency", Some(altered(view(), "/parameters/product/currency", json!("EUR")))),
        ("300 KiB", "too_large", Some(padded.to_string().into_bytes())),
        ("the largest that the topic takes", "too_large", Some(largest())),
    ]
}

/// The largest message that the topic takes, without a key: noise, which no compression makes smaller.
pub fn largest() -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..TOPIC_TAKES - ENVELOPE).map(|_| noise()).collect()
}
