//! What the tests share: running a worker in memory, and adding up its messages in another way than it does itself.

#![allow(dead_code, missing_docs, reason = "each test binary uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use serde_json::{Value, json};
use storepulse_events::{Currency, Event, Payload, decode};
use storepulse_simulator::delivery::Message;
use storepulse_simulator::fact::Kind;
use storepulse_simulator::ledger::Sum;
use storepulse_simulator::options::Options;
use storepulse_simulator::protocol::Report;
use storepulse_simulator::settings::{Assignment, Settings};
use storepulse_simulator::sink::{Sink, SinkError};
use storepulse_simulator::tally::Tally;
use storepulse_simulator::worker::work;
use storepulse_simulator::world::World;

pub fn settings(flags: &[&str]) -> Settings {
    let flags = flags.iter().copied().filter(|flag| !flag.is_empty());
    Options::parse_from(["storepulse-simulator", "--sink=null"].into_iter().chain(flags)).settings().unwrap()
}

pub fn first_assignment(settings: &Settings, worker: u32, seed: u64) -> Assignment {
    // In the past, so that no pace waits.
    let started = 1_700_000_000_000_000;
    let origin = settings.origin(started);
    Assignment { worker, seed, incarnation: 0, started, origin, skip: 0, skip_bytes: 0 }
}

/// A sink that keeps what it gets.
#[derive(Default)]
pub struct Memory {
    pub sent: Vec<(String, Vec<u8>, Kind)>,
}

impl Sink for &mut Memory {
    fn send(&mut self, message: &Message<'_>, tally: &mut Tally, _: &dyn Fn() -> bool) -> Result<bool, SinkError> {
        let key = String::from_utf8(message.key.to_vec()).unwrap();
        self.sent.push((key, message.value.to_vec(), message.fact.kind));
        tally.add(&message.fact, message.lines);
        Ok(true)
    }

    fn settle(&mut self, _: &mut Tally) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Runs one worker to its end, or until it has sent `limit` messages. Returns what it sent and what it reported.
pub fn run_worker(settings: &Settings, assignment: &Assignment, limit: usize) -> (Memory, Vec<Report>) {
    struct Limited<'a>(&'a mut Memory, &'a AtomicBool, usize);
    impl Sink for Limited<'_> {
        fn send(&mut self, m: &Message<'_>, tally: &mut Tally, s: &dyn Fn() -> bool) -> Result<bool, SinkError> {
            if self.0.sent.len() >= self.2 {
                self.1.store(true, Ordering::Relaxed);
                return Ok(false);
            }
            (&mut *self.0).send(m, tally, s)
        }
        fn settle(&mut self, _: &mut Tally) -> Result<(), SinkError> {
            Ok(())
        }
    }
    let (mut memory, stop, mut output) = (Memory::default(), AtomicBool::new(false), Vec::new());
    work(settings, assignment, &mut Limited(&mut memory, &stop, limit), &stop, &mut output).unwrap();
    let reports = output.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap());
    let reports = reports.collect();
    (memory, reports)
}

/// Runs all workers of a finite run, one after another.
pub fn run_all(settings: &Settings, seed: u64) -> (Vec<Memory>, Value) {
    let mut sum = Sum::default();
    let runs = (0..settings.processes).map(|worker| {
        let (memory, reports) = run_worker(settings, &first_assignment(settings, worker, seed), usize::MAX);
        assert!(reports.last().unwrap().finished);
        reports.iter().for_each(|report| sum.add(&report.part));
        memory
    });
    let runs = runs.collect();
    let world = World::new(seed, settings.products, settings.categories, settings.currency.as_str());
    let ledger = sum.ledger(seed, &world, settings.currency.as_str());
    (runs, serde_json::to_value(ledger).unwrap())
}

/// Adds up messages as a reader of the topic would: by decoding them, each event id once. Returns the parts of a
/// ledger that can be told from the messages.
pub fn add_up<'a>(messages: impl Iterator<Item = &'a [u8]>) -> Value {
    let mut seen = BTreeSet::new();
    let (mut refused, mut again) = (0u64, 0u64);
    let mut types: BTreeMap<&str, u64> = Payload::TYPES.into_iter().map(|t| (t, 0)).collect();
    let mut cells: BTreeMap<(String, String), BTreeMap<&str, i64>> = BTreeMap::new();
    let mut products: BTreeMap<String, BTreeMap<&str, i64>> = BTreeMap::new();
    let mut payments: BTreeMap<String, BTreeMap<&str, i64>> = BTreeMap::new();
    for message in messages {
        let Ok(event) = decode(message, Currency::USD) else {
            refused += 1;
            continue;
        };
        if !seen.insert(event.event_id.to_string()) {
            again += 1;
            continue;
        }
        *types.get_mut(event.payload.event_type()).unwrap() += 1;
        let place = (event.location.country.to_string(), event.timestamp.day().to_string());
        let mut cell = |name, by: i64| *cells.entry(place.clone()).or_default().entry(name).or_default() += by;
        let mut product =
            |id: &str, name, by: i64| *products.entry(id.to_owned()).or_default().entry(name).or_default() += by;
        match &event.payload {
            Payload::SessionStarted { .. } => cell("started_sessions_count", 1),
            Payload::CategoryViewed { .. } => {}
            Payload::ProductViewed { product: p } => product(&p.id, "views_count", 1),
            Payload::ProductAddedToCart(c) => product(&c.product.id, "added_to_cart_quantity", c.quantity.get().into()),
            Payload::ProductRemovedFromCart(c) => {
                product(&c.product.id, "removed_from_cart_quantity", c.quantity.get().into());
            }
            Payload::SessionEnded { seconds_duration } => {
                cell("ended_sessions_count", 1);
                cell("total_sessions_duration_seconds", (*seconds_duration).into());
            }
            Payload::Purchase(order) => {
                cell("purchase_count", 1);
                cell("total_amount_minor", order.total_amount.minor());
                cell("total_discount_minor", order.discount_amount.minor());
                cell("total_items_purchased", order.items.iter().map(|i| i64::from(i.quantity.get())).sum());
                let payment = payments.entry(order.payment_method.id.to_string()).or_default();
                *payment.entry("usage_count").or_default() += 1;
                *payment.entry("total_amount_minor").or_default() += order.total_amount.minor();
                for item in &order.items {
                    product(&item.product.id, "total_amount_minor", item.subtotal.minor());
                    product(&item.product.id, "total_items_purchased", item.quantity.get().into());
                }
            }
        }
    }
    json!({
        "events": seen.len(), "events_by_type": types, "duplicates": again, "malformed": refused,
        "cells": cells.into_iter().map(|((country, day), c)| {
            let mut cell = json!({"country": country, "day": day});
            cell.as_object_mut().unwrap().extend(filled(&c, &CELL));
            cell
        }).collect::<Vec<_>>(),
        "products": entries(products, &PRODUCT), "payments": entries(payments, &["usage_count", "total_amount_minor"]),
    })
}

const CELL: [&str; 7] = [
    "started_sessions_count",
    "ended_sessions_count",
    "total_sessions_duration_seconds",
    "purchase_count",
    "total_amount_minor",
    "total_discount_minor",
    "total_items_purchased",
];
const PRODUCT: [&str; 5] = [
    "views_count",
    "added_to_cart_quantity",
    "removed_from_cart_quantity",
    "total_amount_minor",
    "total_items_purchased",
];

fn filled(counts: &BTreeMap<&str, i64>, names: &[&str]) -> serde_json::Map<String, Value> {
    names.iter().map(|name| ((*name).to_owned(), json!(counts.get(name).unwrap_or(&0)))).collect()
}

fn entries(by_id: BTreeMap<String, BTreeMap<&str, i64>>, names: &[&str]) -> Vec<Value> {
    let mut list = Vec::new();
    for (id, counts) in by_id {
        let mut entry = json!({ "id": id });
        entry.as_object_mut().unwrap().extend(filled(&counts, names));
        list.push(entry);
    }
    list
}

/// Compares what can be told from the messages with the ledger.
#[track_caller]
pub fn assert_ledger_is(ledger: &Value, recomputed: &Value) {
    for part in ["events", "events_by_type", "duplicates", "malformed", "cells", "products"] {
        assert_eq!(ledger[part], recomputed[part], "{part}");
    }
    let sorted = |value: &Value| {
        let mut list: Vec<String> = value.as_array().unwrap().iter().map(Value::to_string).collect();
        list.sort();
        list
    };
    assert_eq!(sorted(&ledger["payments"]), sorted(&recomputed["payments"]), "payments");
}

/// The unique events among messages, by id.
pub fn unique(messages: &[(String, Vec<u8>, Kind)]) -> Vec<(&str, Event<'_>)> {
    let originals = messages.iter().filter(|(_, _, kind)| matches!(kind, Kind::Original { .. }));
    originals.map(|(key, value, _)| (key.as_str(), decode(value, Currency::USD).unwrap())).collect()
}
