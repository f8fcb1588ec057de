//! Speed of one worker on one core, into nothing: sessions, JSON and ledger, without and with disorder; and the bound
//! that it is compared with, a ready event serialised again and again.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Parser;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use storepulse_events::{Currency, decode};
use storepulse_simulator::delivery::Delivery;
use storepulse_simulator::options::Options;
use storepulse_simulator::settings::Assignment;
use storepulse_simulator::tally::Tally;
use storepulse_simulator::world::World;

fn generate(c: &mut Criterion) {
    let mut group = c.benchmark_group("generate");
    group.throughput(Throughput::Elements(1));
    let disorder = ["--late=0.02", "--duplicates=0.02", "--out-of-order=0.02", "--malformed=0.01"];
    for (name, more) in [("orderly", &[][..]), ("disorderly", &disorder[..])] {
        group.bench_function(name, |b| b.iter_custom(|n| messages(more, n)));
    }
    let event = sample();
    let event = decode(&event, Currency::USD).expect("a generated event is an event");
    let mut out = Vec::with_capacity(2048);
    group.bench_function("bound", |b| {
        b.iter(|| {
            out.clear();
            black_box(&event).encode_into(&mut out);
            out.len()
        });
    });
    group.finish();
}

fn options(more: &[&str]) -> Options {
    let first = ["storepulse-simulator", "--sink=null", "--processes=1", "--seed=1"];
    Options::parse_from(first.iter().chain(more))
}

fn with_delivery<T>(more: &[&str], run: impl FnOnce(&mut Delivery<'_>, &mut Tally) -> T) -> T {
    let settings = options(more).settings().expect("the options are valid");
    let world = World::new(1, settings.products, settings.categories, "USD");
    let (started, origin) = (0, settings.origin(0));
    let first = Assignment { worker: 0, seed: 1, incarnation: 0, started, origin, skip: 0, skip_bytes: 0 };
    let mut delivery = Delivery::new(&world, settings.plan(&first), settings.disorder.clone());
    let mut tally = Tally::new(world.products.len(), world.payment_methods.len());
    run(&mut delivery, &mut tally)
}

/// Time for `n` messages after a warm-up, with as many sessions as a worker has by default.
fn messages(more: &[&str], n: u64) -> Duration {
    with_delivery(more, |delivery, tally| {
        let mut take = |count| {
            for _ in 0..count {
                let Some(message) = delivery.next_message() else { return };
                tally.add(&message.fact, message.lines);
                black_box(message.value);
            }
        };
        take(10_000);
        let start = Instant::now();
        take(n);
        start.elapsed()
    })
}

/// An event of the typical length, 557 bytes or a little more.
fn sample() -> Vec<u8> {
    with_delivery(&[], |delivery, _| {
        loop {
            let Some(message) = delivery.next_message() else { return Vec::new() };
            if (557..580).contains(&message.value.len()) {
                return message.value.to_vec();
            }
        }
    })
}

criterion_group!(benches, generate);
criterion_main!(benches);
