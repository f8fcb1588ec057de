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
    // A moment ago, and all of it in one window.
    let window = |time: DateTime<Utc>| time.timestamp().div_euclid(900);
    let mut begins = (Utc::now() - TimeDelta::seconds(30)).trunc_subsecs(0);
    if window(begins) != window(begins + TimeDelta::seconds(20)) {
        begins -= TimeDelta::seconds(25);
    }
    let hour = begins.with_minute(0).and_then(|time| time.with_second(0)).context("no such time")?;
    let view = || json!({ "product": vase(20.0) });
    let cart = |quantity: i64| json!({ "product": vase(20.0), "quantity": quantity });
    let purchase = json!({
        "items": [{ "product": vase(20.0), "quantity": 2, "subtotal": 40.0 }],
        "total_amount": 35.0, "discount_amount": 5.0, "shipping_cost": 4.0,
        "shipping_address": { "country": COUNTRY, "state": "", "city": "Vaduz", "latitude": 47.1, "longitude": 9.5 },
        "payment_method": { "id": "card", "name": "Card" },
        "estimated_delivery_date": (begins + TimeDelta::days(2)).to_rfc3339(),
    });
    let started = || json!({ "user_agent": "by hand" });
    let ended = |seconds: i64| json!({ "seconds_duration": seconds });
    let buys = session(
        "figures-buys",
        begins,
        &[
            (0, "session_started", started()),
            (1, "product_viewed", view()),
            (7, "product_added_to_cart", cart(2)),
            (13, "purchase", purchase),
            (20, "session_ended", ended(20)),
        ],
    );
    let leaves = session(
        "figures-leaves",
        begins,
        &[
            (0, "session_started", started()),
            (1, "product_viewed", view()),
            (2, "product_viewed", view()),
            (3, "product_added_to_cart", cart(5)),
            (4, "product_removed_from_cart", cart(2)),
            (5, "session_ended", ended(5)),
        ],
    );
    let bounces =
        session("figures-bounces", begins, &[(0, "session_started", started()), (1, "session_ended", ended(1))]);
    // A day late: its hour is closed, and who does no more than look once is idle at once.
    let yesterday = hour - TimeDelta::days(1);
    let late = session("figures-late", yesterday + TimeDelta::minutes(5), &[(0, "product_viewed", view())]);
    let mut all = 0;
    for events in [&buys, &leaves, &bounces, &late] {
        write(pipeline, &writer, "figures", events)?;
        all += events.len();
    }
    analytics.until_at_least("storepulse_analytics_events_aggregated_total", all as f64, LONG)?;
    pipeline.expect_exact(None)?;
    analytics.stop()?;

    let name = |hour: DateTime<Utc>| hour.format("%Y-%m-%dT%H").to_string();
    let of_hour = [
        ("sessions_count", 3),
        ("viewing_sessions_count", 2),
        ("carting_sessions_count", 2),
        ("buying_sessions_count", 1),
        ("closed_sessions_count", 3),
        ("bounced_sessions_count", 1),
        ("abandoned_carts_count", 1),
        // Three pieces of 20.00.
        ("abandoned_carts_amount_minor", 6_000),
        ("product_views_count", 3),
        ("purchase_count", 1),
        ("total_amount_minor", 3_500),
        ("events_after_close_count", 0),
    ];
    let of_hour = numbers(pipeline, &format!("countries/{COUNTRY}/hours/{}", name(hour)), &of_hour)?;
    for (name, number) in [
        ("average_order_value", 35.0),
        ("items_per_order", 2.0),
        ("discount_share", 0.125),
        ("conversion_rate", 1.0 / 3.0),
    ] {
        let found = of_hour.get(name);
        ensure!(found == Some(&Value::Double(number)), "{name} is {found:?} instead of {number}");
    }
    let closes = (hour + TimeDelta::minutes(65)).timestamp_micros();
    ensure!(of_hour.get("closes_at") == Some(&Value::Timestamp(closes)), "closes_at: {:?}", of_hour.get("closes_at"));
    let quarter = begins.minute() / 15 * 15;
    let of_window = format!("countries/{COUNTRY}/windows/{}:{quarter:02}", name(hour));
    numbers(pipeline, &of_window, &[("sessions_count", 3), ("purchase_count", 1), ("events_after_close_count", 0)])?;
    let of_product = [("views_count", 3), ("purchase_count", 1), ("interest_score", 3 + 7 * 3 - 2 * 2 + 2 * 5)];
    numbers(pipeline, &format!("products/p-figures/hours/{}", name(hour)), &of_product)?;
    let visits = [("unique_visitors_count", 3), ("measured_sessions_count", 3)];
    numbers(pipeline, &format!("countries/{COUNTRY}/visits/{}", name(hour)), &visits)?;

    let of_yesterday = [
        ("product_views_count", 1),
        ("events_after_close_count", 1),
        ("sessions_count", 1),
        ("closed_sessions_count", 1),
        ("bounced_sessions_count", 1),
    ];
    numbers(pipeline, &format!("countries/{COUNTRY}/hours/{}", name(yesterday)), &of_yesterday)?;

    let trending = numbers(pipeline, &format!("countries/{COUNTRY}/leaderboards/trending"), &[])?;
    let Some(Value::Array(bought)) = trending.get("most_bought") else { anyhow::bail!("no list: {trending:?}") };
    let first = bought.first().and_then(|entry| if let Value::Map(entry) = entry { Some(entry) } else { None });
    let first = first.context("nothing was bought")?;
    ensure!(counter(first, "quantity") == Some(2) && bought.len() == 1, "{bought:?}");

    let watermarks = numbers(pipeline, "watermarks/events", &[])?;
    let Some(Value::Timestamp(watermark)) = watermarks.get("watermark") else { anyhow::bail!("no watermark") };
    let closed = (yesterday + TimeDelta::minutes(65)).timestamp_micros();
    ensure!(*watermark >= closed, "yesterday's hour is not final: {watermark} is before {closed}");
    Ok(())
}
