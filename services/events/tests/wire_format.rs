//! The wire format as its users see it: what is accepted, what is refused and why, and that nothing is lost on the way.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, json};
use storepulse_events::*;

fn location() -> Value {
    json!({"country": "DE", "state": "Bayern", "city": "München", "latitude": 48.137, "longitude": 11.575})
}

fn product() -> Value {
    json!({"id": "p1", "name": "Lamp", "category": {"id": "c1", "name": "Home"}, "price": 19.99, "currency": "USD"})
}

fn envelope(event_type: &str, parameters: Value) -> Value {
    json!({
        "event_id": "e1", "event_type": event_type, "session_id": "s1", "user_id": "u1",
        "timestamp": "2026-11-21T05:33:11.123456Z", "location": location(), "parameters": parameters,
    })
}

fn purchase() -> Value {
    envelope(
        "purchase",
        json!({
            "items": [{"product": product(), "quantity": 2, "subtotal": 39.98}],
            "total_amount": 39.98, "discount_amount": 0, "shipping_address": location(), "shipping_cost": 4.5,
            "payment_method": {"id": "card", "name": "Card"}, "estimated_delivery_date": "2026-11-24T05:33:11Z",
        }),
    )
}

fn read(value: &Value) -> Result<(), Rejection> {
    decode(value.to_string().as_bytes(), Currency::USD).map(drop)
}

fn reason(value: &Value) -> Reason {
    read(value).expect_err("should be refused").reason
}

#[test]
fn every_type_of_event_is_read() {
    for (event_type, parameters) in [
        ("session_started", json!({"user_agent": "Mozilla \"5\""})),
        ("category_viewed", json!({"category": {"id": "c1", "name": "Home"}})),
        ("product_viewed", json!({"product": product()})),
        ("product_added_to_cart", json!({"product": product(), "quantity": 3})),
        ("product_removed_from_cart", json!({"product": product(), "quantity": 1})),
        ("session_ended", json!({"seconds_duration": 61})),
    ] {
        read(&envelope(event_type, parameters)).unwrap_or_else(|e| panic!("{event_type}: {e}"));
    }
    read(&purchase()).unwrap();
}

#[test]
fn fields_may_come_in_any_order_and_unknown_ones_are_accepted() {
    let text = r#"{"parameters":{"seconds_duration":5,"x":[1]},"later":{"a":null},"location":{"longitude":1,"latitude":2,
        "city":"","state":"","country":"FR","zip":7},"user_id":"u","timestamp":"2026-11-21T07:33:11+02:00",
        "session_id":"s","event_id":"e","event_type":"session_ended"}"#;
    let event = decode(text.as_bytes(), Currency::USD).unwrap();
    assert_eq!(event.payload, Payload::SessionEnded { seconds_duration: 5 });
    assert_eq!(event.timestamp.to_string(), "2026-11-21T05:33:11.000000Z");
}

#[test]
fn every_required_field_is_required() {
    fn remove_each(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        match value {
            Value::Object(map) => {
                for (key, inner) in map {
                    path.push(key.clone());
                    found.push(path.clone());
                    remove_each(inner, path, found);
                    path.pop();
                }
            }
            Value::Array(items) => {
                for (i, inner) in items.iter().enumerate() {
                    path.push(i.to_string());
                    remove_each(inner, path, found);
                    path.pop();
                }
            }
            _ => {}
        }
    }
    let whole = purchase();
    let mut fields = Vec::new();
    remove_each(&whole, &mut Vec::new(), &mut fields);
    assert_eq!(fields.len(), 36);
    for field in fields {
        let (last, parents) = field.split_last().unwrap();
        let pointer = |parts: &[String]| parts.iter().map(|p| format!("/{p}")).collect::<String>();
        let mut without = whole.clone();
        without.pointer_mut(&pointer(parents)).unwrap().as_object_mut().unwrap().remove(last);
        assert_eq!(reason(&without), Reason::MissingField, "{field:?}");
        for wrong in [json!(null), json!(true), json!([])] {
            let mut mistyped = whole.clone();
            *mistyped.pointer_mut(&pointer(&field)).unwrap() = wrong;
            if last != "items" || read(&mistyped).is_err() {
                assert!(
                    matches!(reason(&mistyped), Reason::WrongType | Reason::MissingField),
                    "{field:?}: {}",
                    read(&mistyped).unwrap_err()
                );
            }
        }
    }
}

#[test]
fn each_kind_of_bad_input_has_its_reason() {
    let with = |pointer: &str, value: Value| {
        let mut event = purchase();
        *event.pointer_mut(pointer).unwrap() = value;
        reason(&event)
    };
    assert_eq!(decode(b"", Currency::USD).unwrap_err().reason, Reason::Empty);
    assert_eq!(decode(&vec![b' '; MAX_EVENT_BYTES + 1], Currency::USD).unwrap_err().reason, Reason::TooLarge);
    assert_eq!(decode(b"{\"event_id\":\"\xff\"}", Currency::USD).unwrap_err().reason, Reason::NotUtf8);
    for text in ["{", "nonsense", "{\"event_id\":\"\\ud800\"}"] {
        assert_eq!(decode(text.as_bytes(), Currency::USD).unwrap_err().reason, Reason::NotJson, "{text}");
    }
    let trailing = format!("{} {{}}", purchase());
    assert_eq!(decode(trailing.as_bytes(), Currency::USD).unwrap_err().reason, Reason::NotJson);
    assert_eq!(reason(&json!([1])), Reason::WrongType);
    assert_eq!(with("/event_type", json!("refund")), Reason::UnknownEventType);
    assert_eq!(with("/location/country", json!("XX")), Reason::ImpossibleCountry);
    assert_eq!(with("/location/latitude", json!(90.1)), Reason::ImpossibleValue);
    assert_eq!(with("/session_id", json!("")), Reason::ImpossibleValue);
    assert_eq!(with("/session_id", json!("s".repeat(501))), Reason::ImpossibleValue);
    assert_eq!(with("/timestamp", json!("2026-11-21")), Reason::ImpossibleTime);
    assert_eq!(with("/parameters/total_amount", json!(-1)), Reason::ImpossibleAmount);
    assert_eq!(with("/parameters/total_amount", json!(1.234)), Reason::ImpossibleAmount);
    assert_eq!(with("/parameters/items/0/quantity", json!(-1)), Reason::ImpossibleValue);
    assert_eq!(with("/parameters/items/0/quantity", json!(0)), Reason::ImpossibleValue);
    assert_eq!(with("/parameters/items/0/quantity", json!(1.5)), Reason::WrongType);
    assert_eq!(with("/parameters/items/0/product/currency", json!("EUR")), Reason::ForeignCurrency);
    assert_eq!(with("/parameters/payment_method/id", json!("")), Reason::ImpossibleValue);
}

#[test]
fn a_reason_does_not_depend_on_the_order_of_the_fields() {
    let early = |parameters: &str| {
        format!(
            r#"{{"parameters":{parameters},"event_type":"product_added_to_cart","event_id":"e","session_id":"s",
            "user_id":"u","timestamp":"2026-11-21T05:33:11Z","location":{}}}"#,
            location()
        )
    };
    let change = |quantity: &str| format!(r#"{{"product":{},"quantity":{quantity}}}"#, product());
    let reason = |text: String| decode(text.as_bytes(), Currency::USD).unwrap_err().reason;
    assert!(decode(early(&change("1")).as_bytes(), Currency::USD).is_ok());
    assert_eq!(reason(early(&change("-1"))), Reason::ImpossibleValue);
    assert_eq!(reason(early(&change("\"1\""))), Reason::WrongType);
    assert_eq!(reason(early("{}")), Reason::MissingField);
}

#[test]
fn a_field_that_comes_twice_is_refused() {
    let text = purchase().to_string().replacen('{', "{\"event_id\":\"other\",", 1);
    assert_eq!(decode(text.as_bytes(), Currency::USD).unwrap_err().reason, Reason::MissingField);
}

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    "\\PC{1,20}|[\"\\\\\u{0}-\u{1f}/%._]{1,8}".prop_map(Cow::Owned)
}

prop_compose! {
    fn a_location()(i in 0usize..249, state in text(), city in text(), lat in -90.0..=90.0, lon in -180.0..=180.0)
        -> Location<'static> {
        Location { country: CountryCode::all().nth(i).unwrap(), state, city, latitude: lat, longitude: lon }
    }
}

prop_compose! {
    fn a_product()(id in text(), name in text(), cid in text(), cname in text(), price in amount())
        -> Product<'static> {
        Product { id, name, category: Category { id: cid, name: cname }, price, currency: "USD".into() }
    }
}

fn amount() -> impl Strategy<Value = Money> {
    (0..=Money::MAX.minor()).prop_map(Money::from_minor)
}

fn quantity() -> impl Strategy<Value = Quantity> {
    (1..=Quantity::MAX).prop_map(|n| Quantity::new(n).unwrap())
}

fn a_time() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.micros()..=Timestamp::MAX.micros()).prop_map(Timestamp::from_micros)
}

prop_compose! {
    fn an_order()(
        items in prop::collection::vec(
            (a_product(), quantity(), amount()).prop_map(|(product, quantity, subtotal)| Item { product, quantity, subtotal }),
            0..4,
        ),
        amounts in [amount(), amount(), amount()],
        shipping_address in a_location(), id in text(), name in text(), estimated_delivery_date in a_time(),
    ) -> Purchase<'static> {
        let [total_amount, discount_amount, shipping_cost] = amounts;
        let payment_method = PaymentMethod { id, name };
        Purchase {
            items, total_amount, discount_amount, shipping_address, shipping_cost, payment_method, estimated_delivery_date,
        }
    }
}

fn a_payload() -> impl Strategy<Value = Payload<'static>> {
    prop_oneof![
        text().prop_map(|user_agent| Payload::SessionStarted { user_agent }),
        (text(), text()).prop_map(|(id, name)| Payload::CategoryViewed { category: Category { id, name } }),
        a_product().prop_map(|product| Payload::ProductViewed { product }),
        (a_product(), quantity())
            .prop_map(|(product, quantity)| Payload::ProductAddedToCart(CartChange { product, quantity })),
        (a_product(), quantity())
            .prop_map(|(product, quantity)| Payload::ProductRemovedFromCart(CartChange { product, quantity })),
        an_order().prop_map(Payload::Purchase),
        any::<u32>().prop_map(|seconds_duration| Payload::SessionEnded { seconds_duration }),
    ]
}

prop_compose! {
    fn an_event()(
        event_id in text(), session_id in text(), user_id in text(), timestamp in a_time(),
        location in a_location(), payload in a_payload(),
    ) -> Event<'static> {
        Event { event_id, session_id, user_id, timestamp, location, payload }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_unchanged(event in an_event()) {
        let mut bytes = Vec::new();
        event.encode_into(&mut bytes);
        prop_assert!(!bytes.contains(&b'\n'));
        prop_assert_eq!(decode(&bytes, Currency::USD).unwrap(), event);
    }

    #[test]
    fn a_cut_message_is_refused(event in an_event(), cut in 0.0..1.0) {
        let mut bytes = Vec::new();
        event.encode_into(&mut bytes);
        bytes.truncate((bytes.len() as f64 * cut) as usize);
        prop_assert!(decode(&bytes, Currency::USD).is_err());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes, Currency::USD);
    }

    #[test]
    fn a_flipped_byte_never_panics(event in an_event(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = Vec::new();
        event.encode_into(&mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes, Currency::USD);
    }
}
