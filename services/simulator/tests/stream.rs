//! Promises about what is sent, checked on the messages themselves.

#![allow(missing_docs, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{add_up, assert_ledger_is, first_assignment, run_all, run_worker, settings, unique};
use proptest::prelude::*;
use storepulse_events::{Currency, Event, Money, Payload, decode};
use storepulse_simulator::fact::Kind;
use storepulse_simulator::ledger::Sum;

const DISORDER: [&str; 4] = ["--late=0.1", "--duplicates=0.1", "--out-of-order=0.1", "--malformed=0.1"];

fn with<'a>(flags: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    flags.iter().chain(more).copied().collect()
}

/// Checks the events of one session in the order of their timestamps.
fn check_session(events: &[&Event<'_>]) {
    let first = events[0];
    let mut cart: BTreeMap<String, u32> = BTreeMap::new();
    for (i, event) in events.iter().enumerate() {
        assert_eq!((&event.user_id, &event.location), (&first.user_id, &first.location));
        match &event.payload {
            Payload::SessionStarted { user_agent } => assert!(i == 0 && !user_agent.is_empty()),
            _ => assert!(i > 0, "a session starts with session_started, not {}", event.payload.event_type()),
        }
        match &event.payload {
            Payload::ProductAddedToCart(change) => {
                *cart.entry(change.product.id.to_string()).or_default() += change.quantity.get();
            }
            Payload::ProductRemovedFromCart(change) => {
                let left = cart.get_mut(&*change.product.id).expect("removed things were in the cart");
                *left = left.checked_sub(change.quantity.get()).expect("not more is removed than was there");
            }
            Payload::Purchase(order) => {
                let bought: BTreeMap<_, _> =
                    order.items.iter().map(|item| (item.product.id.to_string(), item.quantity.get())).collect();
                cart.retain(|_, pieces| *pieces > 0);
                assert_eq!(bought, cart, "the cart is bought");
                let mut sum = Money::ZERO;
                for item in &order.items {
                    let subtotal = item.product.price.minor() * i64::from(item.quantity.get());
                    assert_eq!(item.subtotal.minor(), subtotal);
                    sum += item.subtotal;
                }
                assert_eq!(order.total_amount + order.discount_amount, sum);
                assert!(order.estimated_delivery_date >= event.timestamp);
            }
            Payload::SessionEnded { seconds_duration } => {
                assert_eq!(i + 1, events.len(), "nothing follows the end");
                let micros = event.timestamp.micros() - first.timestamp.micros();
                assert_eq!(i64::from(*seconds_duration), micros / 1_000_000);
            }
            _ => {}
        }
    }
}

fn check_sessions(messages: &[(String, Vec<u8>, Kind)]) {
    let mut sessions: BTreeMap<String, Vec<Event<'_>>> = BTreeMap::new();
    for (key, event) in unique(messages) {
        assert_eq!(key, event.session_id, "the key is the session");
        sessions.entry(key.to_owned()).or_default().push(event);
    }
    let mut of_users: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    for events in sessions.values_mut() {
        events.sort_by_key(|event| event.timestamp);
        check_session(&events.iter().collect::<Vec<_>>());
        let (first, last) = (&events[0], &events[events.len() - 1]);
        let times = (first.timestamp.micros(), last.timestamp.micros());
        of_users.entry(first.user_id.to_string()).or_default().push(times);
    }
    for times in of_users.values_mut() {
        times.sort_unstable();
        assert!(times.windows(2).all(|w| w[0].1 <= w[1].0), "a user is in one session at a time");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn sessions_are_well_formed_and_the_ledger_is_exact(
        seed: u64,
        events in 1u64..4_000,
        processes in 1u32..4,
        sessions in 1u32..60,
        add in 0.0..=1.0f64,
        remove in 0.0..=1.0f64,
        purchase in 0.0..=1.0f64,
        max_quantity in 1u32..=1000,
        disorderly: bool,
        rate: bool,
    ) {
        let flags = [
            format!("--events={events}"), format!("--processes={processes}"), format!("--sessions={sessions}"),
            format!("--add-to-cart-probability={add}"), format!("--remove-from-cart-probability={remove}"),
            format!("--purchase-probability={purchase}"), format!("--max-cart-quantity={max_quantity}"),
            // Sessions shorter than two microseconds would share timestamps.
            "--min-event-interval-seconds=0.001".into(),
            if rate { "--rate=1000000".to_owned() } else { String::new() },
        ];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let flags = if disorderly { with(&flags, &DISORDER) } else { flags };
        let (runs, ledger) = run_all(&settings(&flags), seed);
        prop_assert_eq!(ledger["events"].as_u64(), Some(events), "exactly as many as asked for");
        for run in &runs {
            check_sessions(&run.sent);
        }
        let all: Vec<_> = runs.iter().flat_map(|run| &run.sent).collect();
        assert_ledger_is(&ledger, &add_up(all.iter().map(|(_, value, _)| value.as_slice())));
        for (_, value, kind) in all {
            prop_assert_eq!(decode(value, Currency::USD).is_ok(), !matches!(kind, Kind::Malformed(_)));
        }
    }

    #[test]
    fn a_restarted_worker_sends_what_is_missing_and_nothing_else(seed: u64, died_after in 0usize..2_500) {
        let settings = settings(&with(&["--events=2000", "--processes=1", "--sessions=20"], &DISORDER));
        let mut assignment = first_assignment(&settings, 0, seed);
        let (whole, reports) = run_worker(&settings, &assignment, usize::MAX);
        let mut undisturbed = Sum::default();
        reports.iter().for_each(|report| undisturbed.add(&report.part));

        let (before, reports) = run_worker(&settings, &assignment, died_after);
        let mut sum = Sum::default();
        reports.iter().for_each(|report| sum.add(&report.part));
        assignment.skip = sum.counts.messages;
        let (after, reports) = run_worker(&settings, &assignment, usize::MAX);
        reports.iter().for_each(|report| sum.add(&report.part));
        prop_assert_eq!([before.sent, after.sent].concat(), whole.sent);
        let world = storepulse_simulator::world::World::new(seed, 100, 8, "USD");
        prop_assert_eq!(sum.ledger(seed, &world, "USD"), undisturbed.ledger(seed, &world, "USD"));
    }
}

#[test]
fn the_same_seed_sends_the_same_bytes_and_another_seed_others() {
    let settings = settings(&with(&["--events=3000", "--processes=2"], &DISORDER));
    let (first, second, other) = (run_all(&settings, 5), run_all(&settings, 5), run_all(&settings, 6));
    let sent = |runs: &[common::Memory]| runs.iter().map(|run| run.sent.clone()).collect::<Vec<_>>();
    assert_eq!(sent(&first.0), sent(&second.0));
    assert_eq!(first.1, second.1);
    assert_ne!(sent(&first.0), sent(&other.0));
    assert_ne!(first.0[0].sent, first.0[1].sent, "workers differ");
}

/// Pins the stream: a change of these bytes breaks the promise that a seed means the same events in every version.
#[test]
fn the_stream_of_a_seed_never_changes() {
    let (runs, ledger) = run_all(&settings(&with(&["--events=20000", "--processes=1"], &DISORDER)), 1);
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in runs[0].sent.iter().flat_map(|(_, value, _)| value) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    }
    let revenue = ledger["totals"]["total_amount_minor"].as_i64().unwrap();
    assert_eq!((format!("{hash:016x}").as_str(), revenue), ("34d4acccaf6a2a2b", 13_804_838));
}

#[test]
fn disorder_and_time_of_day_change_no_event() {
    let flags = ["--events=3000", "--processes=1"];
    let ids = |flags: &[&str]| {
        let (runs, _) = run_all(&settings(flags), 3);
        let mut events: Vec<_> = unique(&runs[0].sent)
            .into_iter()
            .map(|(key, event)| {
                (event.event_id.to_string(), key.to_owned(), format!("{:?}", event.payload.type_index()))
            })
            .collect();
        events.sort();
        events
    };
    let plain = ids(&flags);
    assert_eq!(plain, ids(&with(&flags, &DISORDER)));
    assert_eq!(plain, ids(&with(&flags, &["--rate=1000000"])));
}

#[test]
fn disorder_is_what_was_asked_for() {
    let settings = settings(&with(&["--events=20000", "--processes=1", "--sessions=50"], &DISORDER));
    let (runs, ledger) = run_all(&settings, 1);
    for name in ["late", "out_of_order", "duplicates", "malformed"] {
        let count = ledger[name].as_u64().unwrap();
        assert!((1_800..2_200).contains(&count), "{name}: {count}");
    }
    let kinds = ledger["malformed_by_kind"].as_object().unwrap();
    assert!(kinds.iter().filter(|(name, _)| *name != "oversized").all(|(_, n)| n.as_u64().unwrap() > 50), "{kinds:?}");
    let (mut newest, mut newest_in_session) = (i64::MIN, BTreeMap::new());
    let (mut late, mut behind) = (0, 0);
    let mut ids = BTreeSet::new();
    for (key, value, kind) in &runs[0].sent {
        let Ok(event) = decode(value, Currency::USD) else { continue };
        let time = event.timestamp.micros();
        match kind {
            Kind::Original { late: true, .. } => late += usize::from(time < newest - 20_000_000),
            Kind::Original { out_of_order: true, .. } => {
                behind += usize::from(newest_in_session.get(key).is_some_and(|newest| time < *newest));
            }
            Kind::Duplicate => assert!(ids.contains(&event.event_id.to_string()), "a copy comes after its original"),
            _ => {}
        }
        ids.insert(event.event_id.to_string());
        newest = newest.max(time);
        let newest = newest_in_session.entry(key.clone()).or_insert(time);
        *newest = time.max(*newest);
    }
    assert!(late > 1_700, "{late} really come late");
    assert!(behind > 1_200, "{behind} really come behind a later event of their session");
}

#[test]
fn a_backfill_stays_in_its_range_and_follows_the_sun() {
    let flags = ["--from=2026-03-01", "--to=2026-03-03", "--processes=1", "--sessions=40"];
    let (runs, ledger) = run_all(&settings(&flags), 1);
    let days: Vec<_> = ledger["by_day"].as_array().unwrap().iter().map(|d| d["day"].as_str().unwrap()).collect();
    assert_eq!(days, ["2026-03-01", "2026-03-02"]);
    let (mut evening, mut dawn) = (0, 0);
    for (_, event) in unique(&runs[0].sent) {
        if !matches!(event.payload, Payload::SessionStarted { .. }) {
            continue;
        }
        let local = event.timestamp.micros() as f64 / 3.6e9 + event.location.longitude / 15.0;
        match local.rem_euclid(24.0) as u32 {
            18..=21 => evening += 1,
            2..=5 => dawn += 1,
            _ => {}
        }
    }
    assert!(evening > dawn * 3 / 2, "{evening} sessions in the evening, {dawn} before dawn");
}

#[test]
fn events_of_real_time_and_of_a_rate_carry_the_wall_clock() {
    let run = |flags: &[&str]| {
        let settings = settings(flags);
        let now = storepulse_simulator::worker::wall_clock();
        let mut assignment = first_assignment(&settings, 0, 1);
        (assignment.started, assignment.origin) = (now, settings.origin(now));
        let (memory, _) = run_worker(&settings, &assignment, usize::MAX);
        let elapsed = storepulse_simulator::worker::wall_clock() - now;
        (now, elapsed, unique(&memory.sent).iter().map(|(_, e)| e.timestamp.micros()).collect::<Vec<_>>())
    };
    let (now, elapsed, times) = run(&["--rate=2000", "--events=1000", "--processes=1"]);
    assert_eq!(times[0], now);
    assert_eq!(times[999], now + 499_500);
    assert!(elapsed >= 499_000, "{elapsed}");
    let (now, elapsed, times) = run(&[
        "--speed=20",
        "--events=200",
        "--processes=1",
        "--max-event-interval-seconds=1",
        "--min-event-interval-seconds=0",
    ]);
    assert!(times[0] >= now && times.is_sorted());
    assert!(elapsed >= (times[199] - now) / 20 - 2_000, "{elapsed}");
}
