//! The documents of the tests, as docs/documents.md has them.

use storepulse_analytics::store::{Fields, Value};
use storepulse_events::Timestamp;

pub fn n(count: i64) -> Value {
    Value::Integer(count)
}

pub fn units(amount: f64) -> Value {
    Value::Double(amount)
}

pub fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

pub fn at(time: &str) -> Value {
    Value::Timestamp(Timestamp::parse(time).unwrap().micros())
}

pub fn map<const N: usize>(fields: [(&'static str, Value); N]) -> Value {
    Value::Map(fields.into_iter().collect())
}

/// A counting document, which says what it is.
pub fn counting(path: &str, subject: &str, fields: &[(&'static str, Value)]) -> (String, Fields) {
    let ids: Vec<&str> = path.split('/').collect();
    let mut all: Fields = fields.iter().cloned().collect();
    all.set("subject", text(subject));
    all.set("grain", text(ids[ids.len() - 1]));
    all.set("_storepulse", map([("offset", n(7)), ("partition", n(0))]));
    let is_country = ids[0] == "countries";
    all.set("scope", text(if is_country { "country" } else { "world" }));
    if is_country {
        all.set("country", text(ids[1]));
    }
    (path.to_owned(), all)
}

/// The shop, so many purchases of 10.50 each.
pub fn shop(path: &str, purchases: i64) -> (String, Fields) {
    let fields = [
        ("started_sessions_count", n(purchases * 4)),
        ("purchase_count", n(purchases)),
        ("total_amount", units(purchases as f64 * 10.5)),
        ("total_discount", units(purchases as f64 * 0.5)),
        ("total_items_purchased", n(purchases * 2)),
        ("product_views_count", n(purchases * 10)),
        ("sessions_count", n(purchases * 4)),
        ("viewing_sessions_count", n(purchases * 3)),
        ("carting_sessions_count", n(purchases * 2)),
        ("buying_sessions_count", n(purchases)),
        ("closed_sessions_count", n(purchases * 2)),
        ("bounced_sessions_count", n(purchases)),
        ("abandoned_carts_count", n(purchases)),
        ("abandoned_carts_amount", units(purchases as f64 * 3.25)),
    ];
    counting(path, "shop", &fields)
}

pub fn window(path: &str, events: i64) -> (String, Fields) {
    let minute = map([("events_count", n(events)), ("purchase_count", n(1)), ("total_amount", units(1.25))]);
    let start = Timestamp::parse(&format!("{}:00Z", path.rsplit('/').next().unwrap())).unwrap().micros();
    let fields = [
        ("purchase_count", n(15)),
        ("total_amount", units(18.75)),
        ("closes_at", Value::Timestamp(start + 20 * 60_000_000)),
        ("events_after_close_count", n(2)),
        ("minutes", Value::Array(vec![minute; 15])),
    ];
    counting(path, "shop", &fields)
}

fn product(path: &str, score: i64, more: &[(&'static str, Value)]) -> (String, Fields) {
    let mut fields = vec![
        ("views_count", n(20)),
        ("added_to_cart_quantity", n(5)),
        ("removed_from_cart_quantity", n(1)),
        ("purchase_count", n(2)),
        ("total_items_purchased", n(3)),
        ("total_amount", units(30.25)),
        ("interest_score", n(score)),
        ("conversion_rate", units(0.1)),
    ];
    fields.extend_from_slice(more);
    counting(path, if path.contains("categories/") { "category" } else { "product" }, &fields)
}

fn visits(path: &str) -> (String, Fields) {
    let fields = [
        ("unique_visitors_count", n(321)),
        ("unique_visitors_standard_error", units(0.01625)),
        ("measured_sessions_count", n(300)),
        ("session_length_p50_seconds", units(61.5)),
        ("session_length_p90_seconds", n(120)),
        ("session_length_relative_error", units(0.01)),
    ];
    counting(path, "visits", &fields)
}

fn plain<const N: usize>(path: &str, fields: [(&'static str, Value); N]) -> (String, Fields) {
    (path.to_owned(), fields.into_iter().collect())
}

pub fn all() -> Vec<(String, Fields)> {
    let lamp = |grain: &str| format!("products/p%2F1/statistics/{grain}");
    let named = [("name", text("A lamp, \"bright\""))];
    let order = map([
        ("items", Value::Array(vec![map([("product", text("p/1")), ("quantity", n(2)), ("subtotal", units(20.0))])])),
        ("total_amount", units(19.5)),
        ("discount_amount", units(0.5)),
        ("shipping_cost", units(4.99)),
        ("payment_method", text("card")),
        ("shipping_address", map([("country", text("DE")), ("state", text("Berlin")), ("city", text("Berlin"))])),
        ("estimated_delivery_date", at("2026-11-29T12:00:00Z")),
        ("timestamp", at("2026-11-26T19:05:00Z")),
    ]);
    vec![
        shop("statistics/2026-11-26", 100),
        shop("statistics/2026-11-25", 50),
        shop("statistics/lifetime", 1_000),
        shop("countries/DE/statistics/2026-11-26", 60),
        shop("countries/DE/statistics/2026-11-25", 1),
        shop("countries/FR/statistics/2026-11-26", 40),
        shop("countries/DE/statistics/lifetime", 900),
        window("windows/2026-11-25T10:00", 1),
        window("windows/2026-11-25T19:15", 2),
        window("windows/2026-11-26T19:00", 3),
        window("windows/2026-11-26T19:15", 4),
        window("countries/DE/windows/2026-11-26T19:15", 4),
        shop("hours/2026-11-26T18", 7),
        shop("hours/2026-11-26T19", 8),
        product(&lamp("lifetime"), 500, &named),
        product(&lamp("2026-11-26"), 40, &[]),
        product(&lamp("2026-11-25"), 2, &[]),
        product("products/q/statistics/2026-11-26", 50, &[]),
        product("countries/DE/products/q/statistics/2026-11-26", 5, &[]),
        product("products/p%2F1/hours/2026-11-26T19", 3, &[("closes_at", at("2026-11-26T20:05:00Z"))]),
        product("categories/c1/statistics/2026-11-26", 70, &[("product_related_view_count", n(8))]),
        product("categories/c1/statistics/lifetime", 70, &[("name", text("=Lights"))]),
        visits("visits/2026-11-26"),
        plain(
            "leaderboards/trending",
            [
                ("latest_window", at("2026-11-26T19:15:00Z")),
                (
                    "most_bought",
                    Value::Array(vec![map([
                        ("product", text("q")),
                        ("name", text("Q")),
                        ("quantity", n(9)),
                        ("total_amount", units(9.5)),
                    ])]),
                ),
                ("omitted_products_count", n(0)),
            ],
        ),
        plain("watermarks/events", [("watermark", at("2026-11-26T19:20:00Z")), ("partitions", map([]))]),
        plain(
            "sessions_history/s%2F1",
            [
                ("start_time", at("2026-11-26T19:00:00Z")),
                ("end_time", at("2026-11-26T19:10:00Z")),
                ("session_duration_seconds", n(600)),
                ("user_id", text("u-1")),
                ("agent", text("Mozilla")),
                (
                    "location",
                    map([
                        ("country", text("DE")),
                        ("state", text("Berlin")),
                        ("city", text("Berlin")),
                        ("latitude", units(52.5)),
                        ("longitude", units(13.4)),
                    ]),
                ),
                (
                    "products_viewed",
                    Value::Array(vec![map([("product", text("p/1")), ("timestamp", at("2026-11-26T19:01:00Z"))])]),
                ),
                ("purchase", Value::Array(vec![order])),
                ("products_viewed_omitted_count", n(3)),
            ],
        ),
    ]
}
