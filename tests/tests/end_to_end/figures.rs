//! Hours, windows, sessions, visits, trending products and watermarks, number by number.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Timelike as _, Utc};
use serde_json::{Value as Json, json};
use storepulse_analytics::store::{Fields, Value};
use storepulse_tests::by_hand::{Letter, Writer};
use storepulse_tests::letters::{event, product};
use storepulse_tests::{Pipeline, counter};

const LONG: Duration = Duration::from_secs(60);

/// A country that nobody else is in.
const COUNTRY: &str = "LI";

/// What a visitor does, each with its seconds after the beginning.
fn session(name: &str, begins: DateTime<Utc>, steps: &[(i64, &str, Json)]) -> Vec<Json> {
    let make = |(number, (seconds, event_type, parameters)): (u32, &(i64, &str, Json))| {
        let mut event = event(name, number, event_type, parameters.clone());
        event["timestamp"] = (begins + TimeDelta::seconds(*seconds)).to_rfc3339().into();
        event["location"]["country"] = COUNTRY.into();
        event["user_id"] = format!("user-of-{name}").into();
        event
    };
    (0..).zip(steps).map(make).collect()
}

fn vase(price: f64) -> Json {
    let mut vase = product(price);
    vase["id"] = "p-figures".into();
    vase
}

fn write(pipeline: &mut Pipeline, writer: &Writer, key: &str, events: &[Json]) -> anyhow::Result<()> {
    for event in events {
        pipeline.reckoning.add_event(event)?;
        // All in one partition, in this order.
        let letter = Letter { key: Some(key.into()), value: Some(event.to_string().into_bytes()) };
        pipeline.wait(writer.write(&letter))?;
    }
    Ok(())
}

fn numbers(pipeline: &Pipeline, path: &str, wanted: &[(&str, i64)]) -> anyhow::Result<Fields> {
    let document = pipeline.document(path)?.with_context(|| format!("there is no {path}"))?;
    for (name, number) in wanted {
        let found = counter(&document.fields, name);
        ensure!(found == Some(*number), "{path} {name} is {found:?} instead of {number}");
    }
    Ok(document.fields)
}

pub fn hours_sessions_and_trends_say_what_happened_and_what_came_late(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let mut analytics = pipeline.analytics()?;
    let writer = Writer::new(&pipeline.environment("simulator"))?;
    // Yesterday, so that nothing else is at that time; in the past, so that event time can go on from there.
    let hour = (Utc::now() - TimeDelta::days(1)).trunc_subsecs(0);
    let hour = hour.with_minute(0).and_then(|time| time.with_second(0)).context("no such time")?;
    let view = || json!({ "product": vase(20.0) });
    let cart = |quantity: i64| json!({ "product": vase(20.0), "quantity": quantity });
    let purchase = json!({
        "items": [{ "product": vase(20.0), "quantity": 2, "subtotal": 40.0 }],
        "total_amount": 35.0, "discount_amount": 5.0, "shipping_cost": 4.0,
        "shipping_address": { "country": COUNTRY, "state": "", "city": "Vaduz", "latitude": 47.1, "longitude": 9.5 },
        "payment_method": { "id": "card", "name": "Card" },
        "estimated_delivery_date": (hour + TimeDelta::days(2)).to_rfc3339(),
    });
    let started = || json!({ "user_agent": "by hand" });
    let buys = session(
        "figures-buys",
        hour,
        &[
            (0, "session_started", started()),
            (10, "product_viewed", view()),
            (70, "product_added_to_cart", cart(2)),
            (130, "purchase", purchase),
            (200, "session_ended", json!({ "seconds_duration": 200 })),
        ],
    );
    let leaves = session(
        "figures-leaves",
        hour + TimeDelta::minutes(16),
        &[
            (0, "session_started", started()),
            (1, "product_viewed", view()),
            (2, "product_viewed", view()),
            (3, "product_added_to_cart", cart(5)),
            (4, "product_removed_from_cart", cart(2)),
        ],
    );
    let bounces = session(
        "figures-bounces",
        hour + TimeDelta::minutes(20),
        &[(0, "session_started", started()), (1, "session_ended", json!({ "seconds_duration": 1 }))],
    );
    // Two hours on: the hour is closed, and who left without a word is idle. Then something late.
    let later = session("figures-later", hour + TimeDelta::hours(2), &[(0, "session_started", started())]);
    let late = session("figures-late", hour + TimeDelta::minutes(5), &[(0, "product_viewed", view())]);
    let mut all = 0;
    for events in [&buys, &leaves, &bounces, &later, &late] {
        write(pipeline, &writer, "figures", events)?;
        all += events.len();
    }
    analytics.until_at_least("storepulse_analytics_events_aggregated_total", all as f64, LONG)?;
    pipeline.expect_exact(None)?;
    analytics.stop()?;

    let (day, name) = (hour.format("%Y-%m-%d").to_string(), hour.format("%Y-%m-%dT%H").to_string());
    let funnel = [
        ("sessions_count", 4),
        ("viewing_sessions_count", 3),
        ("carting_sessions_count", 2),
        ("buying_sessions_count", 1),
        // Who came late did no more than look once, and was idle at once.
        ("bounced_sessions_count", 2),
        ("abandoned_carts_count", 1),
        // Three pieces of 20.00.
        ("abandoned_carts_amount_minor", 6_000),
        ("closed_sessions_count", 4),
        ("product_views_count", 4),
        ("purchase_count", 1),
        ("total_amount_minor", 3_500),
        ("events_after_close_count", 1),
    ];
    let of_hour = numbers(pipeline, &format!("countries/{COUNTRY}/hours/{name}"), &funnel)?;
    let double = |fields: &Fields, name: &str, number: f64| {
        let found = fields.get(name).cloned();
        ensure!(found == Some(Value::Double(number)), "{name} is {found:?} instead of {number}");
        Ok(())
    };
    double(&of_hour, "average_order_value", 35.0)?;
    double(&of_hour, "items_per_order", 2.0)?;
    double(&of_hour, "discount_share", 0.125)?;
    double(&of_hour, "conversion_rate", 0.25)?;
    let closes = (hour + TimeDelta::minutes(65)).timestamp_micros();
    ensure!(of_hour.get("closes_at") == Some(&Value::Timestamp(closes)), "closes_at: {:?}", of_hour.get("closes_at"));

    let second = format!("countries/{COUNTRY}/windows/{name}:15");
    let of_second = [("sessions_count", 2), ("purchase_count", 0), ("events_after_close_count", 0)];
    numbers(pipeline, &second, &of_second)?;
    let of_product = [("views_count", 4), ("purchase_count", 1), ("interest_score", 4 + 7 * 3 - 2 * 2 + 2 * 5)];
    numbers(pipeline, &format!("products/p-figures/hours/{name}"), &of_product)?;
    let visits = [("unique_visitors_count", 4), ("measured_sessions_count", 4)];
    numbers(pipeline, &format!("countries/{COUNTRY}/visits/{name}"), &visits)?;
    // At midnight the session of two hours later is another day's.
    let of_day = if hour.hour() < 22 { 5 } else { 4 };
    numbers(pipeline, &format!("countries/{COUNTRY}/visits/{day}"), &[("unique_visitors_count", of_day)])?;

    let trending = numbers(pipeline, &format!("countries/{COUNTRY}/leaderboards/trending"), &[])?;
    let Some(Value::Array(bought)) = trending.get("most_bought") else { anyhow::bail!("no list: {trending:?}") };
    let first = bought.first().and_then(|entry| if let Value::Map(entry) = entry { Some(entry) } else { None });
    let first = first.context("nothing was bought")?;
    ensure!(counter(first, "quantity") == Some(2) && bought.len() == 1, "{bought:?}");

    let watermarks = numbers(pipeline, "watermarks/events", &[])?;
    let Some(Value::Timestamp(watermark)) = watermarks.get("watermark") else { anyhow::bail!("no watermark") };
    ensure!(*watermark >= closes, "the hour is not final: {watermark} is before {closes}");
    Ok(())
}
