//! The service's pure parts against the reference: two implementations of one contract, on random events.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::compare;
use super::*;
use crate::document::rules as document_rules;
use crate::document::story::StoryLimits;
use crate::document::{Change, DeltaBatch, DocumentId, DocumentRules, DocumentState};
use crate::fold::Folder;
use crate::session::{Limits, SessionTable};

const LIFETIME: i64 = 100;
const LIFETIME_RECORDS: i64 = 12;
const LIST: usize = 4;
const IDLE: i64 = 40;
const LATENESS: i64 = 30;
/// Hours and windows are kept for less than they last, so that some have expired when events come for them.
const RETENTION: i64 = 90;
/// The records' times begin here: two quarters of an hour and a day meet.
const START: &str = "2026-11-21T23:59:59.500Z";

/// The service's rules.
fn document_rules() -> DocumentRules {
    DocumentRules {
        story: StoryLimits { entries: LIST, ..StoryLimits::default() },
        lateness_ms: LATENESS,
        hours_retention_ms: RETENTION,
        windows_retention_ms: RETENTION,
        watermark_idle_ms: 50,
        trending_windows: 2,
        trending_size: 3,
        weights: document_rules::Weights { view: 2, cart: 3, removal: -1, purchase: 7 },
    }
}

/// The same for the reference.
fn rules() -> Rules {
    Rules {
        currency: Currency::USD,
        lifetime_ms: LIFETIME,
        lifetime_records: LIFETIME_RECORDS,
        list_entries: LIST,
        allowed_lateness_ms: LATENESS,
        session_idle_ms: IDLE,
        watermark_idle_ms: 50,
        hours_retention_ms: RETENTION,
        windows_retention_ms: RETENTION,
        trending_windows: 2,
        trending_size: 3,
        weights: Weights { view: 2, cart: 3, removal: -1, purchase: 7 },
    }
}

fn start_ms() -> i64 {
    storepulse_events::Timestamp::parse(START).unwrap().micros() / 1_000
}

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
        // Around the records' times, and some long before or after.
        let base = match id % 5 {
            0 => i64::from(id) * 3_600_000 - 40_000_000,
            1 => i64::from(id) * 600_000 - 9_000_000,
            _ => i64::from(id) * 40 - 100,
        };
        let time = match id {
            28 => "9999-12-31T23:59:59Z".to_owned(),
            29 => "0001-01-01T00:00:00Z".to_owned(),
            _ => storepulse_events::Timestamp::from_micros((start_ms() + base) * 1_000 + i64::from(a)).to_string(),
        };
        let event = json!({
            "event_id": format!("e{id}"), "event_type": event_type, "session_id": format!("s{session}"),
            "user_id": format!("u{}", a % 3),
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
        idle_ms: IDLE,
    };
    let rules = document_rules();
    let (mut table, mut folder) = (SessionTable::new(limits), Folder::new(rules));
    let mut states: BTreeMap<DocumentId, DocumentState> = BTreeMap::new();
    let mut delta_offset = 0;
    let mut commit = |table: &mut SessionTable, folder: &mut Folder, next: i64, all: bool| {
        let stories = table.cut(next, next, all).stories.into_iter().map(|patch| {
            let change = Change::Story { first: patch.first, entries: patch.entries };
            (DocumentId::Session(patch.session_id), change)
        });
        let mut changes = Vec::new();
        folder.drain(|id, change| changes.push((id, change)));
        if table.watermark() > i64::MIN {
            changes.push((DocumentId::Watermarks, Change::Watermarks(vec![(0, table.watermark())])));
        }
        for (id, change) in changes.into_iter().chain(stories) {
            let mut batch = DeltaBatch::default();
            batch.push(&id, &change);
            for (id, change) in batch.into_records().iter().flat_map(|r| DeltaBatch::read(r).unwrap()) {
                let state = states.entry(id.clone()).or_insert_with(|| DocumentState::empty(&id));
                assert!(state.absorb(&id, delta_offset, &change, &rules).unwrap());
                *state = DocumentState::from_fields(&id, state.to_fields(&id, 0, &rules), 0).unwrap();
                delta_offset += 1;
            }
        }
    };
    let mut time = start_ms();
    for (offset, (gap, bytes)) in records.iter().enumerate() {
        time += gap;
        match decode(bytes, Currency::USD) {
            Ok(event) => {
                let arrival = table.observe(&event, offset as i64, time, offset as i64, &mut folder.account);
                arrival.into_iter().for_each(|arrival| folder.fold(&event, arrival));
            }
            Err(_) => table.tick(offset as i64, time, &mut folder.account),
        }
        if cuts.get(offset).copied().unwrap_or(false) {
            commit(&mut table, &mut folder, offset as i64 + 1, false);
        }
    }
    commit(&mut table, &mut folder, records.len() as i64, true);
    let clean = |(id, state): (DocumentId, DocumentState)| {
        let mut fields = state.to_fields(&id, 0, &rules);
        compare::comparable(&id.path(), &mut fields);
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
        let mut reference = Reference::new(rules());
        let mut time = start_ms();
        for (offset, (gap, bytes)) in records.iter().enumerate() {
            time += gap;
            reference.take_record(0, offset as i64, time, bytes);
        }
        let expected = reference.into_documents();
        let found = service(&records, &cuts);
        let differences = compare::documents(&expected, &found, i64::MIN);
        let texts: Vec<String> = differences.iter().map(ToString::to_string).collect();
        prop_assert!(texts.is_empty(), "{}", texts.join("\n"));
    }
}
