//! Every event counts exactly once, whatever happens meanwhile.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value as Json;
use storepulse_analytics::store::Value;
use storepulse_tests::{Pipeline, Service, counter};

/// Events counted by an instance since it was started.
pub const COUNTED: &str = "storepulse_analytics_events_aggregated_total";
/// Events that the simulator has sent and had acknowledged.
pub const SENT: &str = "storepulse_simulator_events_produced_total";
pub const PARTITIONS: &str = "storepulse_analytics_partitions_assigned";
/// For anything that the system needs a rebalance, an election or a time-out for.
pub const LONG: Duration = Duration::from_secs(90);
/// Events a second: more than a start costs, less than the machine can.
const STREAM: [&str; 6] = [
    "--rate=1200",
    "--late=0.02",
    "--late-by-seconds=3",
    "--duplicates=0.02",
    "--out-of-order=0.05",
    "--malformed=0.003",
];

pub fn a_finite_run_ends_exact_to_the_cent(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let analytics = pipeline.analytics()?;
    // Few shoppers and much simulated time: several days.
    let run = pipeline.simulate(&[
        "--from=2026-02-27",
        "--events=20000",
        "--seed=1",
        "--sessions=4",
        "--late=0.03",
        "--duplicates=0.03",
        "--out-of-order=0.05",
        "--malformed=0.01",
    ])?;
    let (path, ledger) = pipeline.finish(run)?;
    for disorder in ["late", "duplicates", "out_of_order", "malformed"] {
        ensure!(ledger[disorder].as_u64() > Some(100), "hardly anything {disorder}: {}", ledger[disorder]);
    }
    let audit = pipeline.expect_exact(Some(&path))?;
    ensure!(audit.events == 20_000 && audit.ledger_entries > 100 && audit.sessions > 100, "{audit:?}");
    analytics.stop()?;
    documents_say_what_the_ledger_says(pipeline, &ledger)?;
    histories_say_what_the_ledger_says(pipeline, &ledger)
}

/// A few documents as any Firestore client sees them, number by number.
fn documents_say_what_the_ledger_says(pipeline: &Pipeline, ledger: &Json) -> anyhow::Result<()> {
    let list = |name: &str| ledger[name].as_array().with_context(|| format!("the ledger has no {name}"));
    let text = |entry: &Json, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let mut wanted = vec![("statistics/lifetime".to_owned(), ledger["totals"].clone())];
    let days = list("by_day")?;
    ensure!(days.len() >= 2, "all on one day");
    wanted.extend(days.iter().map(|entry| (format!("statistics/{}", text(entry, "day")), entry.clone())));
    for cell in list("cells")?.iter().step_by(7) {
        wanted.push((format!("countries/{}/statistics/{}", text(cell, "country"), text(cell, "day")), cell.clone()));
    }
    for (name, collection) in [("products", "products"), ("payments", "payments")] {
        for entry in list(name)?.iter().step_by(3) {
            wanted.push((format!("{collection}/{}/statistics/lifetime", text(entry, "id")), entry.clone()));
        }
    }
    let mut compared = 0;
    for (path, numbers) in wanted {
        let document = pipeline.ask_firestore("GET", &path)?;
        for (name, number) in numbers.as_object().into_iter().flatten().filter(|(_, number)| number.is_i64()) {
            let is_amount = name.ends_with("_minor");
            let field = &document["fields"][name.trim_end_matches("_minor")];
            let found = match is_amount {
                true => field["doubleValue"].as_f64().map(|units| (units * 100.0).round() as i64),
                false => field["integerValue"].as_str().and_then(|digits| digits.parse().ok()),
            };
            ensure!(found == number.as_i64(), "{path} {name}: the ledger says {number}, the document {field}");
            compared += 1;
        }
    }
    ensure!(compared > 200, "only {compared} numbers were compared");
    Ok(())
}

/// All histories of sessions together.
fn histories_say_what_the_ledger_says(pipeline: &Pipeline, ledger: &Json) -> anyhow::Result<()> {
    let store = pipeline.store()?;
    let histories = pipeline.wait(async { store.scan("sessions_history").await })?;
    let [mut started, mut ended, mut seconds, mut purchases, mut minor, mut pieces, mut views] = [0_i64; 7];
    for (_, history) in &histories {
        let list = |name: &str| match history.get(name) {
            Some(Value::Array(entries)) => entries.as_slice(),
            _ => &[],
        };
        started += i64::from(history.get("start_time").is_some());
        ended += i64::from(history.get("end_time").is_some());
        seconds += counter(history, "session_duration_seconds").unwrap_or(0);
        views += list("products_viewed").len() as i64;
        for purchase in list("purchase") {
            let Value::Map(purchase) = purchase else { continue };
            purchases += 1;
            minor += counter(purchase, "total_amount_minor").context("a purchase without an amount")?;
            let Some(Value::Array(items)) = purchase.get("items") else { continue };
            for item in items {
                let Value::Map(item) = item else { continue };
                pieces += counter(item, "quantity").context("an item without a quantity")?;
            }
        }
    }
    let totals = &ledger["totals"];
    for (name, found, said) in [
        ("sessions started", started, &totals["started_sessions_count"]),
        ("sessions ended", ended, &totals["ended_sessions_count"]),
        ("seconds", seconds, &totals["total_sessions_duration_seconds"]),
        ("purchases", purchases, &totals["purchase_count"]),
        ("minor units", minor, &totals["total_amount_minor"]),
        ("pieces", pieces, &totals["total_items_purchased"]),
        ("product views", views, &ledger["events_by_type"]["product_viewed"]),
    ] {
        ensure!(Some(found) == said.as_i64(), "{name}: the ledger says {said}, the histories {found}");
    }
    Ok(())
}

pub fn a_kill_of_analytics_in_mid_stream_counts_nothing_twice_and_loses_nothing(
    pipeline: &mut Pipeline,
) -> anyhow::Result<()> {
    let mut analytics = pipeline.analytics()?;
    let mut run = pipeline.simulate(&[&STREAM[..], &["--seed=2"]].concat())?;
    let mut random = 2_u64;
    for _ in 0..5 {
        // A linear congruential generator (Knuth's MMIX): the same moments in every run, as far as there is a same.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = 200.0 + ((random >> 33) % 2_500) as f64;
        analytics.until_at_least(COUNTED, moment, LONG)?;
        ensure!(!run.simulator.has_ended(), "the stream has ended");
        analytics.kill()?;
        analytics = pipeline.start(&pipeline.analytics_spec())?;
    }
    analytics.until_at_least(COUNTED, 500.0, LONG)?;
    pipeline.end(run)?;
    pipeline.expect_exact(None)?;
    analytics.stop()?;
    Ok(())
}

pub fn two_instances_share_the_work_and_stay_exact(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let mut first = pipeline.analytics()?;
    let run = pipeline.simulate(&[&STREAM[..], &["--seed=3"]].concat())?;
    first.until_at_least(COUNTED, 1_500.0, LONG)?;
    let mut second = pipeline.start(&pipeline.analytics_spec())?;
    for stage in ["stage=\"aggregate\"", "stage=\"materialise\""] {
        let both = |count: f64| (1.0..12.0).contains(&count);
        second.until_metrics("it has a share", LONG, |metrics| both(metrics.sum_where(PARTITIONS, stage)))?;
        first.until_metrics("it has a share", LONG, |metrics| both(metrics.sum_where(PARTITIONS, stage)))?;
    }
    let counted = first.metrics().sum(COUNTED);
    first.until_at_least(COUNTED, counted + 1_000.0, LONG)?;
    second.until_at_least(COUNTED, 1_000.0, LONG)?;
    first.stop()?;
    for stage in ["stage=\"aggregate\"", "stage=\"materialise\""] {
        second.until_metrics("it has everything", LONG, |metrics| metrics.sum_where(PARTITIONS, stage) == 12.0)?;
    }
    let counted = second.metrics().sum(COUNTED);
    second.until_at_least(COUNTED, counted + 1_000.0, LONG)?;
    second.kill()?;
    let mut third = pipeline.start(&pipeline.analytics_spec())?;
    third.until_at_least(COUNTED, 1_000.0, LONG)?;
    pipeline.end(run)?;
    pipeline.expect_exact(None)?;
    third.stop()?;
    Ok(())
}

/// The group's protocol in which the brokers hand out the partitions.
pub fn instances_of_the_consumer_protocol_take_over_and_stay_exact(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    const STAGES: [&str; 2] = ["stage=\"aggregate\"", "stage=\"materialise\""];
    let spec = pipeline.analytics_spec().without("KAFKA_SESSION_TIMEOUT_MS").set("KAFKA_GROUP_PROTOCOL", "consumer");
    // From the one protocol to the other, while both are there.
    let mut classic = pipeline.analytics()?;
    let run = pipeline.simulate(&[&STREAM[..], &["--seed=35"]].concat())?;
    classic.until_at_least(COUNTED, 1_000.0, LONG)?;
    let mut first = pipeline.start(&spec)?;
    for stage in STAGES {
        first.until_metrics("it has a share", LONG, |metrics| metrics.sum_where(PARTITIONS, stage) >= 1.0)?;
    }
    classic.stop()?;
    let mut second = pipeline.start(&spec)?;
    let share = |count: f64| (1.0..12.0).contains(&count);
    for stage in STAGES {
        second.until_metrics("it has a share", LONG, |metrics| share(metrics.sum_where(PARTITIONS, stage)))?;
        first.until_metrics("it has a share", LONG, |metrics| share(metrics.sum_where(PARTITIONS, stage)))?;
    }
    let counted = first.metrics().sum(COUNTED);
    first.until_at_least(COUNTED, counted + 1_000.0, LONG)?;
    second.until_at_least(COUNTED, 1_000.0, LONG)?;

    // A dead one.
    first.kill()?;
    let has_everything = |service: &mut Service| {
        STAGES.into_iter().try_for_each(|stage| {
            service.until_metrics("it has everything", LONG, |metrics| metrics.sum_where(PARTITIONS, stage) == 12.0)
        })
    };
    has_everything(&mut second)?;
    let counted = second.metrics().sum(COUNTED);
    second.until_at_least(COUNTED, counted + 1_000.0, LONG)?;

    // One that does not know that it was taken for dead.
    let mut third = pipeline.start(&spec)?;
    for stage in STAGES {
        third.until_metrics("it has a share", LONG, |metrics| metrics.sum_where(PARTITIONS, stage) >= 1.0)?;
    }
    third.until_at_least(COUNTED, 500.0, LONG)?;
    third.pause(true);
    has_everything(&mut second)?;
    third.pause(false);
    third.until_at_least("storepulse_analytics_stage_restarts_total", 1.0, LONG)?;
    for stage in STAGES {
        third.until_metrics("it has a share again", LONG, |metrics| metrics.sum_where(PARTITIONS, stage) >= 1.0)?;
    }
    pipeline.end(run)?;
    pipeline.expect_exact(None)?;
    second.stop()?;
    third.stop()?;
    Ok(())
}

pub fn a_broker_lost_in_mid_stream_costs_nothing(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let mut analytics = pipeline.analytics()?;
    let mut run = pipeline.simulate(&[&STREAM[..], &["--seed=4"]].concat())?;
    analytics.until_at_least(COUNTED, 1_500.0, LONG)?;
    pipeline.kill_broker(2)?;
    // Without the broker the stream goes on, from the one end to the other.
    let (sent, counted) = (run.simulator.metrics().sum(SENT), analytics.metrics().sum(COUNTED));
    run.simulator.until_at_least(SENT, sent + 4_000.0, LONG)?;
    analytics.until_at_least(COUNTED, counted + 4_000.0, LONG)?;
    pipeline.start_broker(2)?;
    let counted = analytics.metrics().sum(COUNTED);
    analytics.until_at_least(COUNTED, counted + 2_000.0, LONG)?;
    pipeline.end(run)?;
    pipeline.expect_exact(None)?;
    analytics.stop()?;
    Ok(())
}

pub fn a_store_outage_is_waited_out(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let mut analytics = pipeline.analytics()?;
    let mut run = pipeline.simulate(&[&STREAM[..], &["--seed=5"]].concat())?;
    analytics.until_at_least(COUNTED, 1_500.0, LONG)?;
    pipeline.pause_store(true)?;
    let sent = run.simulator.metrics().sum(SENT);
    analytics.until_unready("store")?;
    run.simulator.until_at_least(SENT, sent + 15_000.0, LONG)?;
    analytics.until_unready("store")?;
    pipeline.pause_store(false)?;
    analytics.until_ready()?;
    pipeline.end(run)?;
    pipeline.expect_exact(None)?;
    analytics.stop()?;
    Ok(())
}
