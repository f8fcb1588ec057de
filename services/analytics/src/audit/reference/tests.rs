//! The service's pure parts against the reference: two implementations of one contract, on random events.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::document::state::{BOOKKEEPING, NAME};
use crate::document::story::StoryLimits;
use crate::document::{Change, DeltaBatch, DocumentId, DocumentState};
use crate::fold::Folder;
use crate::session::{Limits, SessionTable};

const LIFETIME: i64 = 100;
const LIFETIME_RECORDS: i64 = 12;
const LIST: usize = 4;

fn location(i: u8) -> Json {
    let country = ["DE", "US", "SG"][usize::from(i % 3)];
    let state = ["Bayern", "", "a/b%c", "__x__"][usize::from(i % 4)];
    json!({"country": country, "state": state, "city": "c", "latitude": 1.5, "longitude": f64::from(i)})
}

fn product(i: u8) -> Json {
    let category = json!({"id": format!("c/{}", i % 2), "name": "C"});
    json!({"id": format!("p{}", i % 5), "name": format!("P{i}"), "category": category, "price": 1, "currency": "USD"})
}

prop_compose! {
    /// A record: milliseconds since the one before, and its bytes.
    fn record()(
        gap in -20..60i64, kind in 0..9u8, session in 0..4u8, id in 0..30u32, a in any::<u8>(), n in 1..50u32,
        cents in 0..100_000i64, hour in 0..72i64,
    ) -> (i64, Vec<u8>) {
        let amount = |c: i64| c as f64 / 100.0;
        let (event_type, parameters) = match kind {
            0 => ("session_started", json!({"user_agent": "x"})),
            1 => ("category_viewed", json!({"category": {"id": format!("c/{}", a % 2), "name": ""}})),
            2 => ("product_viewed", json!({"product": product(a)})),
            3 => ("product_added_to_cart", json!({"product": product(a), "quantity": n})),
            4 => ("product_removed_from_cart", json!({"product": product(a), "quantity": n})),
            5 | 6 => ("purchase", json!({
                "items": [
                    {"product": product(a), "quantity": n, "subtotal": amount(cents)},
                    {"product": product(a / 2), "quantity": 1, "subtotal": amount(cents / 3)},
                ],
                "total_amount": amount(cents), "discount_amount": amount(cents / 7), "shipping_cost": amount(cents / 9),
                "shipping_address": location(a / 3), "payment_method": {"id": format!("m{}", a % 2), "name": "M"},
                "estimated_delivery_date": format!("2026-11-2{}T{:02}:30:00Z", 2 + hour / 24, hour % 24),
            })),
            7 => ("session_ended", json!({"seconds_duration": n})),
            _ => ("refund", json!({})),
        };
        let time = format!("2026-11-2{}T{:02}:00:00Z", 1 + id % 2, id % 24);
        let event = json!({
            "event_id": format!("e{id}"), "event_type": event_type, "session_id": format!("s{session}"), "user_id": "u",
            "timestamp": time, "location": location(a), "parameters": parameters,
        });
        (gap, event.to_string().into_bytes())
    }
}

/// What the service makes of the records, with a commit after each record whose index is in `cuts`.
fn service(records: &[(i64, Vec<u8>)], cuts: &[bool]) -> BTreeMap<String, Fields> {
    let limits = Limits {
        lifetime_ms: LIFETIME,
        lifetime_records: LIFETIME_RECORDS,
        checkpoint_events: 10,
        story_idle_ms: 0,
        story_max_ms: 0,
    };
    let story_limits = StoryLimits { entries: LIST, ..StoryLimits::default() };
    let (mut table, mut folder) = (SessionTable::new(limits), Folder::default());
    let mut states: BTreeMap<DocumentId, DocumentState> = BTreeMap::new();
    let mut delta_offset = 0;
    let mut commit = |table: &mut SessionTable, folder: &mut Folder, next: i64, all: bool| {
        let stories = table.cut(next, next, all).stories.into_iter().map(|patch| {
            let change = Change::Story { first: patch.first, entries: patch.entries };
            (DocumentId::Session(patch.session_id), change)
        });
        let mut changes = Vec::new();
        folder.drain(|id, change| changes.push((id, change)));
        for (id, change) in changes.into_iter().chain(stories) {
            let mut batch = DeltaBatch::default();
            batch.push(&id, &change);
            for (id, change) in batch.into_records().iter().flat_map(|r| DeltaBatch::read(r).unwrap()) {
                let state = states.entry(id.clone()).or_insert_with(|| DocumentState::empty(&id));
                assert!(state.absorb(&id, delta_offset, &change, story_limits).unwrap());
                *state = DocumentState::from_fields(&id, state.to_fields(0, story_limits), 0).unwrap();
                delta_offset += 1;
            }
        }
    };
    let mut time = 0;
    for (offset, (gap, bytes)) in records.iter().enumerate() {
        time += gap;
        match decode(bytes, Currency::USD) {
            Ok(event) if table.observe(&event, offset as i64, time, offset as i64) => folder.fold(&event),
            Ok(_) => {}
            Err(_) => table.tick(offset as i64, time),
        }
        if cuts.get(offset).copied().unwrap_or(false) {
            commit(&mut table, &mut folder, offset as i64 + 1, false);
        }
    }
    commit(&mut table, &mut folder, records.len() as i64, true);
    let clean = |(id, state): (DocumentId, DocumentState)| {
        let mut fields = state.to_fields(0, story_limits);
        fields.remove(BOOKKEEPING);
        fields.remove(NAME);
        (id.path(), fields)
    };
    states.into_iter().map(clean).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_service_computes_what_the_reference_computes(
        records in prop::collection::vec(record(), 1..80), cuts in prop::collection::vec(prop::bool::weighted(0.2), 80),
    ) {
        let mut reference = Reference::new(Rules {
            currency: Currency::USD,
            lifetime_ms: LIFETIME,
            lifetime_records: LIFETIME_RECORDS,
            list_entries: LIST,
        });
        let mut time = 0;
        for (offset, (gap, bytes)) in records.iter().enumerate() {
            time += gap;
            reference.take_record(0, offset as i64, time, bytes);
        }
        let expected = reference.into_documents().documents;
        let found = service(&records, &cuts);
        prop_assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
        for (path, fields) in &expected {
            prop_assert_eq!(&found[path], fields, "{}", path);
        }
    }
}
