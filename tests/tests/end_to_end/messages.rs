//! Messages that are not from the simulator.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rdkafka::error::RDKafkaErrorCode;
use serde_json::json;
use storepulse_events::topics;
use storepulse_tests::by_hand::{DeadLetter, Letter, Writer, dead_letters};
use storepulse_tests::letters::{ENVELOPE, TOPIC_TAKES, event, poison, product};
use storepulse_tests::{Pipeline, counter};

const LONG: Duration = Duration::from_secs(60);

pub fn poison_messages_go_to_the_dead_letters_and_the_line_goes_on(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let mut analytics = pipeline.analytics()?;
    let writer = Writer::new(&pipeline.environment("simulator"))?;
    let session = "s-poison";
    let mut sent = Vec::new();
    for (number, (name, reason, value)) in (0..).zip(poison(session)) {
        let key = (reason != "too_large").then(|| session.as_bytes().to_vec());
        let letter = Letter { key, value };
        let place = pipeline.wait(writer.write(&letter)).with_context(|| format!("writing {name}"))?;
        pipeline.reckoning.rejected += 1;
        sent.push((name, reason, letter, place));
        let good = match number {
            0 => event(session, 0, "session_started", json!({ "user_agent": "by hand" })),
            _ => event(session, number, "product_viewed", json!({ "product": product(19.99) })),
        };
        let letter = Letter { key: Some(session.into()), value: Some(good.to_string().into_bytes()) };
        pipeline.wait(writer.write(&letter))?;
        pipeline.reckoning.add_event(&good)?;
    }
    // The largest is the largest.
    let larger = Letter { key: None, value: Some(vec![0xff; TOPIC_TAKES - ENVELOPE + 1]) };
    let refused = pipeline.wait(writer.write(&larger)).err().and_then(|error| error.rdkafka_error_code());
    ensure!(refused == Some(RDKafkaErrorCode::MessageSizeTooLarge), "one byte more: {refused:?}");

    let counted = sent.len() as f64;
    analytics.until_at_least("storepulse_analytics_dead_letters_total", counted, LONG)?;
    analytics.until_at_least("storepulse_analytics_events_aggregated_total", counted, LONG)?;
    pipeline.expect_exact(None)?;
    ensure!(analytics.metrics().sum("storepulse_analytics_dead_letters_total") == counted, "counted twice");
    analytics.stop()?;

    let letters = dead_letters(&pipeline.environment("auditor"))?;
    for (name, reason, letter, (partition, offset)) in sent {
        let origin = [
            ("reason", reason.to_owned()),
            ("source-topic", topics::EVENTS.to_owned()),
            ("source-partition", partition.to_string()),
            ("source-offset", offset.to_string()),
        ];
        let has = |dead: &&DeadLetter, all: &[(&str, String)]| {
            all.iter().all(|(header, value)| dead.headers.get(*header) == Some(value))
        };
        let found: Vec<_> = letters.iter().filter(|dead| has(dead, &origin[1..])).collect();
        ensure!(found.len() == 1, "{name}: {} dead letters", found.len());
        ensure!(has(&found[0], &origin), "{name}: {:?} instead of {origin:?}", found[0].headers);
        ensure!(found[0].letter == letter, "{name}: the dead letter is not the message");
    }
    Ok(())
}

pub fn events_of_other_clients_count(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let mut analytics = pipeline.analytics()?;
    let writer = Writer::new(&pipeline.environment("simulator"))?;
    // A country nobody else is in, and a day that begins elsewhere: 2026-11-20 in UTC.
    let location =
        r#""location":{"city":"Nuuk","planet":"Earth","longitude":-51.7,"latitude":64,"state":"","country":"GL"}"#;
    let (session, time) = ("s-other/client", r#""timestamp":"2026-11-21T00:30:00+02:00""#);
    let product = r#"{"currency":"USD","price":20,"stock":{"left":[1,2]},"category":{"name":"Füße \u2713","id":"c/1"},"name":"","id":"p/1"}"#;
    let purchase = format!(
        r#"{{"estimated_delivery_date":"2026-11-22T22:30:00Z","gift":true,"payment_method":{{"name":"Card","id":"card"}},
             "shipping_cost":5.0,"shipping_address":{{"country":"GL","state":"","city":"Nuuk","latitude":64.2,"longitude":-51.7}},
             "discount_amount":0.5,"total_amount":40.10,"items":[{{"quantity":2,"subtotal":40.1,"product":{product}}}]}}"#
    );
    let parameters = [
        ("session_started", r#"{"user_agent":"other","cookies":null}"#.to_owned()),
        ("product_viewed", format!(r#"{{"product":{product}}}"#)),
        ("purchase", purchase),
        ("session_ended", r#"{"seconds_duration":7}"#.to_owned()),
    ];
    for (number, (event_type, parameters)) in parameters.iter().enumerate() {
        // The parameters before the type that says what they are; line breaks between.
        let text = format!(
            r#" {{ "schema_version": 3, "parameters": {parameters},
                   "user_id": "u-other", {time}, {location}, "session_id": "{session}",
                   "event_id": "other-{number}", "trace": {{"parent": [null, 1.5e3]}}, "event_type": "{event_type}" }} "#
        );
        pipeline.reckoning.add_event(&serde_json::from_str(&text)?)?;
        pipeline.wait(writer.write(&Letter { key: None, value: Some(text.into_bytes()) }))?;
    }
    analytics.until_at_least("storepulse_analytics_events_aggregated_total", parameters.len() as f64, LONG)?;
    pipeline.expect_exact(None)?;
    analytics.stop()?;

    for (path, numbers) in [
        ("countries/GL/statistics/2026-11-20", [("purchase_count", 1), ("total_amount_minor", 4010)]),
        ("countries/GL/statistics/lifetime", [("total_discount_minor", 50), ("total_sessions_duration_seconds", 7)]),
        ("products/p%2F1/statistics/2026-11-20", [("views_count", 1), ("total_items_purchased", 2)]),
    ] {
        let document = pipeline.document(path)?.with_context(|| format!("there is no {path}"))?;
        for (name, number) in numbers {
            let found = counter(&document.fields, name);
            ensure!(found == Some(number), "{path} {name} is {found:?} instead of {number}");
        }
    }
    Ok(())
}
