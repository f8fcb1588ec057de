use std::collections::BTreeMap;

use storepulse_events::{Currency, decode};

use super::*;

/// The counters by path. Each event comes at once; its partition's watermark is `watermark` after it.
fn fold_at(events: &[serde_json::Value], record: &str, watermark: &str) -> BTreeMap<String, Vec<i64>> {
    let ms = |time: &str| storepulse_events::Timestamp::parse(time).unwrap().micros() / 1_000;
    let arrival = Arrival { stream_time: ms(record), watermark: ms(watermark) };
    let mut folder = Folder::default();
    for event in events {
        folder.fold(&decode(event.to_string().as_bytes(), Currency::USD).unwrap(), arrival);
    }
    let mut changes = Vec::new();
    folder.drain(|id, change| changes.push((id, change)));
    let count = changes.len();
    let documents: BTreeMap<_, _> = changes
        .into_iter()
        .map(|(id, change)| match change {
            Change::Count { add, .. } => (id.path(), add),
            Change::Trending(trends) => {
                let deeds = trends.iter().fold([0; 5], |sums, t| std::array::from_fn(|i| sums[i] + t.deeds[i]));
                (id.path(), deeds.to_vec())
            }
            other => panic!("without sessions there is no {other:?}"),
        })
        .collect();
    assert_eq!(documents.len(), count, "a document came twice");
    documents
}

fn fold(events: &[serde_json::Value]) -> BTreeMap<String, Vec<i64>> {
    fold_at(events, "2026-11-22T01:00:00Z", "2026-11-21T00:00:00Z")
}

/// A list with values at places, as long as it must be.
fn at(values: &[(usize, i64)]) -> Vec<i64> {
    let mut list = vec![0; values.iter().map(|(place, _)| place + 1).max().unwrap_or(0)];
    values.iter().for_each(|(place, value)| list[*place] = *value);
    list
}

fn event(event_type: &str, country: &str, time: &str, parameters: serde_json::Value) -> serde_json::Value {
    serde_json::json!({
        "event_id": "e", "event_type": event_type, "session_id": "s", "user_id": "u", "timestamp": time,
        "location": {"country": country, "state": "", "city": "", "latitude": 0, "longitude": 0},
        "parameters": parameters,
    })
}

fn product(id: &str, category: &str) -> serde_json::Value {
    serde_json::json!({"id": id, "name": id, "category": {"id": category, "name": ""}, "price": 1, "currency": "USD"})
}

#[test]
fn a_purchase_touches_the_documents_of_the_contract() {
    let purchase = serde_json::json!({
        "items": [
            {"product": product("p1", "c1"), "quantity": 2, "subtotal": 20.5},
            {"product": product("p2", "c1"), "quantity": 3, "subtotal": 9.5},
        ],
        "total_amount": 29.0, "discount_amount": 1.0, "shipping_cost": 4.25,
        "shipping_address": {"country": "FR", "state": "Île-de-France", "city": "", "latitude": 0, "longitude": 0},
        "payment_method": {"id": "card", "name": "Card"}, "estimated_delivery_date": "2026-11-23T01:30:00Z",
    });
    let documents = fold(&[event("purchase", "DE", "2026-11-21T01:00:00Z", purchase)]);
    let mut expected = BTreeMap::new();
    let shop = at(&[(shop::PURCHASES, 1), (shop::AMOUNT, 2900), (shop::DISCOUNT, 100), (shop::ITEMS, 5)]);
    for grain in ["lifetime", "2026-11-21"] {
        for country in ["", "countries/DE/"] {
            expected.insert(format!("{country}statistics/{grain}"), shop.clone());
            expected.insert(format!("{country}categories/c1/statistics/{grain}"), vec![0, 0, 0, 0, 3000, 5, 2]);
            expected.insert(format!("{country}products/p1/statistics/{grain}"), vec![0, 0, 0, 2050, 2, 1]);
            expected.insert(format!("{country}products/p2/statistics/{grain}"), vec![0, 0, 0, 950, 3, 1]);
            expected.insert(format!("{country}payments/card/statistics/{grain}"), vec![1, 2900]);
        }
        // 48.5 hours: half to even.
        expected.insert(format!("countries/FR/states/Île-de-France/shipping/{grain}"), vec![1, 5, 425, 48]);
    }
    for country in ["", "countries/DE/"] {
        expected.insert(format!("{country}hours/2026-11-21T01"), shop.clone());
        expected.insert(format!("{country}leaderboards/trending"), vec![0, 0, 0, 5, 3000]);
    }
    expected.insert("categories/c1/hours/2026-11-21T01".into(), vec![0, 0, 0, 0, 3000, 5, 2]);
    expected.insert("products/p1/hours/2026-11-21T01".into(), vec![0, 0, 0, 2050, 2, 1]);
    expected.insert("products/p2/hours/2026-11-21T01".into(), vec![0, 0, 0, 950, 3, 1]);
    expected.insert("countries/DE/windows/2026-11-21T01:00".into(), shop.clone());
    let minute = [(shop::MINUTES, 1), (shop::MINUTES + 1, 1), (shop::MINUTES + 2, 2900)];
    let mut window = at(&minute);
    window[..shop.len()].copy_from_slice(&shop);
    expected.insert("windows/2026-11-21T01:00".into(), window);
    assert_eq!(documents, expected);
}

#[test]
fn views_and_carts_count_for_product_and_category() {
    let change = |n: u32| serde_json::json!({"product": product("p1", "c1"), "quantity": n});
    let time = "2026-11-21T23:59:59.999999Z";
    let documents = fold(&[
        event("category_viewed", "DE", time, serde_json::json!({"category": {"id": "c1", "name": ""}})),
        event("product_viewed", "DE", time, serde_json::json!({"product": product("p1", "c1")})),
        event("product_viewed", "US", "2026-11-22T00:00:00Z", serde_json::json!({"product": product("p1", "c2")})),
        event("product_added_to_cart", "DE", time, change(3)),
        event("product_removed_from_cart", "DE", time, change(1)),
    ]);
    assert_eq!(documents["products/p1/statistics/lifetime"], [2, 3, 1]);
    assert_eq!(documents["products/p1/statistics/2026-11-22"], [1]);
    assert_eq!(documents["products/p1/hours/2026-11-21T23"], [1, 3, 1]);
    assert_eq!(documents["categories/c1/statistics/lifetime"], [1, 1, 3, 1]);
    assert_eq!(documents["categories/c2/statistics/lifetime"], [0, 1]);
    assert_eq!(documents["countries/DE/products/p1/statistics/2026-11-21"], [1, 3, 1]);
    assert_eq!(documents["statistics/lifetime"], at(&[(shop::PRODUCT_VIEWS, 2)]));
    assert_eq!(documents["countries/US/leaderboards/trending"], [1, 0, 0, 0, 0]);
}

#[test]
fn sessions_count_for_shop_and_country() {
    let time = "2026-11-21T12:00:00Z";
    let documents = fold(&[
        event("session_started", "DE", time, serde_json::json!({"user_agent": "x"})),
        event("session_started", "US", time, serde_json::json!({"user_agent": "x"})),
        event("session_ended", "DE", time, serde_json::json!({"seconds_duration": 61})),
    ]);
    assert_eq!(documents["statistics/lifetime"], [2, 1, 61]);
    assert_eq!(documents["countries/US/statistics/2026-11-21"], [1]);
    assert_eq!(documents.len(), 12);
}

#[test]
fn an_event_after_the_close_counts_and_is_counted_as_such() {
    let view = || serde_json::json!({"product": product("p1", "c1")});
    let events = [event("product_viewed", "DE", "2026-11-21T10:14:00Z", view())];
    // The window closes at 10:20, the hour at 11:05.
    let documents = fold_at(&events, "2026-11-21T10:21:00Z", "2026-11-21T10:20:00Z");
    assert_eq!(documents["countries/DE/windows/2026-11-21T10:00"], at(&[(shop::PRODUCT_VIEWS, 1), (shop::LATE, 1)]));
    assert_eq!(documents["hours/2026-11-21T10"], at(&[(shop::PRODUCT_VIEWS, 1)]));
    let documents = fold_at(&events, "2026-11-21T12:00:00Z", "2026-11-21T11:05:00Z");
    assert_eq!(documents["hours/2026-11-21T10"], at(&[(shop::PRODUCT_VIEWS, 1), (shop::LATE, 1)]));
    assert_eq!(documents["products/p1/hours/2026-11-21T10"], [1, 0, 0, 0, 0, 0, 1]);
    assert_eq!(documents["categories/c1/hours/2026-11-21T10"], [0, 1, 0, 0, 0, 0, 0, 1]);
    assert_eq!(documents["categories/c1/statistics/2026-11-21"], [0, 1]);
    assert_eq!(documents["statistics/2026-11-21"], at(&[(shop::PRODUCT_VIEWS, 1)]));
}

#[test]
fn what_has_expired_is_not_begun_anew() {
    let time = "2026-11-21T10:14:00Z";
    let events = [event("session_started", "DE", time, serde_json::json!({"user_agent": "x"}))];
    let paths = |record: &str| -> Vec<String> { fold_at(&events, record, time).into_keys().collect() };
    let has = |paths: &[String], leaf: &str| paths.iter().any(|path| path.contains(leaf));
    let in_time = paths("2026-12-05T10:14:59.999Z");
    assert!(has(&in_time, "windows/2026-11-21T10:00") && has(&in_time, "hours/"));
    let without_window = paths("2026-12-05T10:15:00Z");
    assert!(!has(&without_window, "windows/") && has(&without_window, "hours/"));
    let without_both = paths("2027-03-01T00:00:00Z");
    assert_eq!(without_both.len(), 4, "{without_both:?}");
}

#[test]
fn a_clock_that_is_ahead_does_not_trend() {
    let view = serde_json::json!({"product": product("p1", "c1")});
    let documents = fold_at(
        &[event("product_viewed", "DE", "2026-11-21T10:15:00Z", view)],
        "2026-11-21T10:14:59Z",
        "2026-11-21T10:00:00Z",
    );
    assert!(!documents.contains_key("leaderboards/trending"));
    assert!(documents.contains_key("windows/2026-11-21T10:15"));
}
