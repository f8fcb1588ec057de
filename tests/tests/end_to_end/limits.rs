//! What stands at a limit: times, batches, sizes.

use anyhow::{Context as _, ensure};
use serde_json::{Value as Json, json};
use storepulse_analytics::store::Value;
use storepulse_tests::by_hand::{Letter, Writer};
use storepulse_tests::letters::{event, product};
use storepulse_tests::{Pipeline, counter};

use crate::under_load::{COUNTED, LONG};

fn letter(session: &str, event: &Json) -> Letter {
    Letter { key: Some(session.into()), value: Some(event.to_string().into_bytes()) }
}

/// Whatever the events' clocks say: each counts on the day that it names, once, in whatever order the days come. No
/// other clock has a say: sessions live by the brokers' time (`LogAppendTime`), and all intervals of analytics are of
/// monotonic clocks (`std::time::Instant`), which no change of this machine's time moves.
pub fn clocks_that_jump_by_years_change_no_sum(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    const TIMES: [&str; 12] = [
        "2026-11-21T05:33:11.123456Z",
        "1999-12-31T23:59:59.999999Z",
        "2031-06-30T12:00:00+14:00",
        "2026-11-20T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59.5Z",
        "2024-02-29T12:00:00Z",
        "2026-11-21T05:33:11.123455Z",
        "2016-12-31T23:59:60Z",
        "2026-11-22T00:30:00+02:00",
    ];
    let mut analytics = pipeline.analytics()?;
    let writer = Writer::lingering(&pipeline.environment("simulator"), "50")?;
    let mut letters = Vec::new();
    let mut counted = 0;
    // Each session sees all times, each beginning elsewhere; every event twice.
    for first in 0..TIMES.len() {
        let session = format!("s-jumps-{first}");
        for step in 0..TIMES.len() {
            let (kind, parameters) = match step {
                0 => ("session_started", json!({ "user_agent": "jumps" })),
                11 => ("session_ended", json!({ "seconds_duration": 7 })),
                _ => ("product_added_to_cart", json!({ "product": product(19.99), "quantity": 2 })),
            };
            let mut event = event(&session, step as u32, kind, parameters);
            event["timestamp"] = json!(TIMES[(first + step) % TIMES.len()]);
            pipeline.reckoning.add_event(&event)?;
            letters.push(letter(&session, &event));
            counted += 1;
        }
    }
    pipeline.wait(writer.write_batch(&letters))?;
    pipeline.wait(writer.write_batch(&letters))?;
    pipeline.reckoning.duplicates += letters.len() as u64;
    analytics.until_at_least(COUNTED, f64::from(counted), LONG)?;
    pipeline.expect_exact(None)?;
    for day in ["0001-01-01", "1969-12-31", "1999-12-31", "2017-01-01", "2024-02-29", "9999-12-31"] {
        let path = format!("statistics/{day}");
        let document = pipeline.document(&path)?.with_context(|| format!("there is no {path}"))?;
        let found = counter(&document.fields, "started_sessions_count");
        ensure!(found == Some(1), "{path}: started_sessions_count is {found:?}");
    }
    analytics.stop()?;
    Ok(())
}

pub fn poison_in_the_middle_of_a_batch_stops_nothing(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    const EACH: u32 = 40;
    let mut analytics = pipeline.analytics()?;
    let writer = Writer::lingering(&pipeline.environment("simulator"), "200")?;
    let session = "s-poisoned-batch";
    let good = |number| event(session, number, "product_viewed", json!({ "product": product(19.99) }));
    let mut letters = Vec::new();
    for number in 0..EACH {
        letters.push(letter(session, &good(number)));
        pipeline.reckoning.add_event(&good(number))?;
    }
    let poison: [&[u8]; 4] = [b"{", b"", &[0xff, 0xfe, 0x00], b"[1, 2, 3]"];
    letters.extend(poison.map(|value| Letter { key: Some(session.into()), value: Some(value.to_vec()) }));
    pipeline.reckoning.rejected += poison.len() as u64;
    for number in EACH..2 * EACH {
        letters.push(letter(session, &good(number)));
        pipeline.reckoning.add_event(&good(number))?;
    }
    let places = pipeline.wait(writer.write_batch(&letters))?;
    let together = places.windows(2).all(|pair| pair[1] == (pair[0].0, pair[0].1 + 1));
    ensure!(together, "they do not stand together: {places:?}");
    analytics.until_at_least(COUNTED, f64::from(2 * EACH), LONG)?;
    pipeline.expect_exact(None)?;
    analytics.stop()?;
    Ok(())
}

pub fn a_history_at_the_size_limit_of_a_document_omits_the_rest_and_stays_exact(
    pipeline: &mut Pipeline,
) -> anyhow::Result<()> {
    /// More than `SESSION_HISTORY_MAX_ENTRIES`.
    const VIEWS: u32 = 1_040;
    /// Orders of 400 lines with ids of 400 bytes: five fill a document.
    const ORDERS: u32 = 8;
    let mut analytics = pipeline.analytics()?;
    let writer = Writer::lingering(&pipeline.environment("simulator"), "5")?;
    let session = "s-at-the-limit";
    let mut events = vec![event(session, 0, "session_started", json!({ "user_agent": "much" }))];
    for number in 1..=VIEWS {
        events.push(event(session, number, "product_viewed", json!({ "product": product(19.99) })));
    }
    for order in 1..=ORDERS {
        let lines: Vec<Json> = (0..400)
            .map(|line| {
                let mut product = product(0.01);
                product["id"] = json!(format!("p-{line:0398}"));
                json!({ "product": product, "quantity": 1, "subtotal": 0.01 })
            })
            .collect();
        let address = event(session, 0, "", Json::Null)["location"].clone();
        let parameters = json!({
            "items": lines, "total_amount": 4.0, "discount_amount": 0.0, "shipping_cost": 1.0,
            "shipping_address": address, "payment_method": { "id": "card", "name": "Card" },
            "estimated_delivery_date": "2026-11-23T00:00:00Z",
        });
        events.push(event(session, VIEWS + order, "purchase", parameters));
    }
    events.push(event(session, VIEWS + ORDERS + 1, "session_ended", json!({ "seconds_duration": 1 })));
    let mut letters = Vec::new();
    for event in &events {
        pipeline.reckoning.add_event(event)?;
        letters.push(letter(session, event));
    }
    pipeline.wait(writer.write_batch(&letters))?;
    analytics.until_at_least(COUNTED, events.len() as f64, LONG)?;
    pipeline.expect_exact(None)?;
    let path = format!("sessions_history/{session}");
    let document = pipeline.document(&path)?.with_context(|| format!("there is no {path}"))?;
    let omitted = |list: &str| counter(&document.fields, &format!("{list}_omitted_count"));
    ensure!(omitted("products_viewed") == Some(40), "views omitted: {:?}", omitted("products_viewed"));
    let kept = match document.fields.get("purchase") {
        Some(Value::Array(orders)) => orders.len() as i64,
        other => anyhow::bail!("no orders: {other:?}"),
    };
    ensure!(kept >= 1 && omitted("purchase") == Some(i64::from(ORDERS) - kept), "orders: {kept} are kept");
    let size = document.fields.size();
    ensure!((600 * 1024..1024 * 1024).contains(&size), "the document has {size} bytes");
    ensure!(!analytics.has_ended(), "analytics has ended");
    analytics.stop()?;
    Ok(())
}
