use std::collections::BTreeMap;

use storepulse_events::{Currency, decode};

use super::*;

fn fold(events: &[serde_json::Value]) -> BTreeMap<String, Vec<i64>> {
    let mut folder = Folder::default();
    for event in events {
        folder.fold(&decode(event.to_string().as_bytes(), Currency::USD).unwrap());
    }
    let mut changes = Vec::new();
    folder.drain(|id, change| changes.push((id, change)));
    let count = changes.len();
    let documents: BTreeMap<_, _> = changes
        .into_iter()
        .map(|(id, change)| match change {
            Change::Count { add, .. } => {
                let (used, unused) = add.split_at(id.kind().unwrap().counters().len());
                assert!(unused.iter().all(|n| *n == 0), "{id}");
                (id.path(), used.to_vec())
            }
            Change::Story { .. } => panic!("the folder makes no stories"),
        })
        .collect();
    assert_eq!(documents.len(), count, "a document came twice");
    documents
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
    for grain in ["lifetime", "2026-11-21"] {
        for country in ["", "countries/DE/"] {
            expected.insert(format!("{country}statistics/{grain}"), vec![0, 0, 0, 1, 2900, 100, 5]);
            expected.insert(format!("{country}categories/c1/statistics/{grain}"), vec![0, 0, 0, 0, 3000, 5]);
            expected.insert(format!("{country}products/p1/statistics/{grain}"), vec![0, 0, 0, 2050, 2]);
            expected.insert(format!("{country}products/p2/statistics/{grain}"), vec![0, 0, 0, 950, 3]);
            expected.insert(format!("{country}payments/card/statistics/{grain}"), vec![1, 2900]);
        }
        // 48.5 hours: half to even.
        expected.insert(format!("countries/FR/states/Île-de-France/shipping/{grain}"), vec![1, 5, 425, 48]);
    }
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
    assert_eq!(documents["products/p1/statistics/lifetime"], [2, 3, 1, 0, 0]);
    assert_eq!(documents["products/p1/statistics/2026-11-22"], [1, 0, 0, 0, 0]);
    assert_eq!(documents["categories/c1/statistics/lifetime"], [1, 1, 3, 1, 0, 0]);
    assert_eq!(documents["categories/c2/statistics/lifetime"], [0, 1, 0, 0, 0, 0]);
    assert_eq!(documents["countries/DE/products/p1/statistics/2026-11-21"], [1, 3, 1, 0, 0]);
    assert!(!documents.contains_key("statistics/lifetime"));
}

#[test]
fn sessions_count_for_shop_and_country() {
    let time = "2026-11-21T12:00:00Z";
    let documents = fold(&[
        event("session_started", "DE", time, serde_json::json!({"user_agent": "x"})),
        event("session_started", "US", time, serde_json::json!({"user_agent": "x"})),
        event("session_ended", "DE", time, serde_json::json!({"seconds_duration": 61})),
    ]);
    assert_eq!(documents["statistics/lifetime"], [2, 1, 61, 0, 0, 0, 0]);
    assert_eq!(documents["countries/US/statistics/2026-11-21"], [1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(documents.len(), 6);
}
