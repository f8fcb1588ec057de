//! JSON decoders on the simulator's own events, into the same types: which one should `storepulse-events` stand on?
//! What came of it is in `docs/decisions/0006-json-decoder.md`.
//!
//! Each decoder is told the event's type beforehand, so that all do the same with serde's derived code; `events` is what
//! the services really call. simd-json writes into its input, and a consumer's message must not be changed, so a copy is
//! part of its work.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::borrow::Cow;
use std::hint::black_box;

use clap::Parser;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use storepulse_events::{CartChange, Category, Currency, Location, Product, Purchase, Timestamp, decode};
use storepulse_simulator::delivery::Delivery;
use storepulse_simulator::options::Options;
use storepulse_simulator::settings::Assignment;
use storepulse_simulator::world::World;

#[derive(Deserialize)]
#[allow(dead_code, reason = "what is decoded is thrown away")]
struct Event<'a, P> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    session_id: Cow<'a, str>,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    timestamp: Timestamp,
    #[serde(borrow)]
    location: Location<'a>,
    parameters: P,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what is decoded is thrown away")]
struct Started<'a> {
    #[serde(borrow)]
    user_agent: Cow<'a, str>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what is decoded is thrown away")]
struct CategoryViewed<'a> {
    #[serde(borrow)]
    category: Category<'a>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what is decoded is thrown away")]
struct ProductViewed<'a> {
    #[serde(borrow)]
    product: Product<'a>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what is decoded is thrown away")]
struct Ended {
    seconds_duration: u32,
}

/// Calls a decoder with the type of the event's number.
macro_rules! by_type {
    ($kind:expr, $read:ident($($argument:expr),*)) => {
        match $kind {
            0 => $read::<Started<'_>>($($argument),*),
            1 => $read::<CategoryViewed<'_>>($($argument),*),
            2 => $read::<ProductViewed<'_>>($($argument),*),
            3 | 4 => $read::<CartChange<'_>>($($argument),*),
            5 => $read::<Purchase<'_>>($($argument),*),
            _ => $read::<Ended>($($argument),*),
        }
    };
}

fn with_serde_json<'a, P: Deserialize<'a>>(message: &'a [u8]) -> bool {
    black_box(serde_json::from_slice::<Event<'a, P>>(message)).is_ok()
}

fn with_serde_json_from_str<'a, P: Deserialize<'a>>(message: &'a [u8]) -> bool {
    let text = std::str::from_utf8(message);
    text.is_ok_and(|text| black_box(serde_json::from_str::<Event<'a, P>>(text)).is_ok())
}

fn with_sonic_from_str<'a, P: Deserialize<'a>>(message: &'a [u8]) -> bool {
    let text = std::str::from_utf8(message);
    text.is_ok_and(|text| black_box(sonic_rs::from_str::<Event<'a, P>>(text)).is_ok())
}

fn with_sonic<'a, P: Deserialize<'a>>(message: &'a [u8]) -> bool {
    black_box(sonic_rs::from_slice::<Event<'a, P>>(message)).is_ok()
}

fn with_simd_json<'a, P: Deserialize<'a>>(copy: &'a mut [u8], buffers: &mut simd_json::Buffers) -> bool {
    black_box(simd_json::serde::from_slice_with_buffers::<Event<'a, P>>(copy, buffers)).is_ok()
}

fn decoders(c: &mut Criterion) {
    const EVENTS: usize = 20_000;
    let messages = stream(EVENTS);
    let mut group = c.benchmark_group("decoders");
    group.throughput(Throughput::Elements(EVENTS as u64)).sample_size(30);
    group.bench_function("events", |b| {
        b.iter(|| messages.iter().filter(|(_, m)| decode(black_box(m), Currency::USD).is_ok()).count())
    });
    group.bench_function("serde_json", |b| {
        b.iter(|| messages.iter().filter(|(kind, m)| by_type!(kind, with_serde_json(black_box(m)))).count())
    });
    group.bench_function("serde_json, from_utf8 and from_str", |b| {
        b.iter(|| messages.iter().filter(|(kind, m)| by_type!(kind, with_serde_json_from_str(black_box(m)))).count())
    });
    group.bench_function("sonic-rs, from_utf8 and from_str", |b| {
        b.iter(|| messages.iter().filter(|(kind, m)| by_type!(kind, with_sonic_from_str(black_box(m)))).count())
    });
    group.bench_function("sonic-rs", |b| {
        b.iter(|| messages.iter().filter(|(kind, m)| by_type!(kind, with_sonic(black_box(m)))).count())
    });
    group.bench_function("simd-json", |b| {
        let (mut copy, mut buffers) = (Vec::with_capacity(64 * 1024), simd_json::Buffers::new(64 * 1024));
        b.iter(|| {
            let mut read = |(kind, message): &&(usize, Vec<u8>)| {
                copy.clear();
                copy.extend_from_slice(black_box(message));
                by_type!(kind, with_simd_json(&mut copy, &mut buffers))
            };
            messages.iter().filter(|message| read(message)).count()
        })
    });
    group.finish();
}

/// Events of the simulator, each with the number of its type; every decoder must read each of them.
fn stream(count: usize) -> Vec<(usize, Vec<u8>)> {
    let options = Options::parse_from(["storepulse-simulator", "--sink=null", "--processes=1", "--seed=1"]);
    let settings = options.settings().expect("the options are valid");
    let world = World::new(1, settings.products, settings.categories, "USD");
    let (started, origin) = (0, settings.origin(0));
    let first = Assignment { worker: 0, seed: 1, incarnation: 0, started, origin, skip: 0, skip_bytes: 0 };
    let mut delivery = Delivery::new(&world, settings.plan(&first), settings.disorder.clone());
    let mut messages = Vec::with_capacity(count);
    while let Some(message) = delivery.next_message().filter(|_| messages.len() < count) {
        let event = decode(message.value, Currency::USD).expect("a generated event is an event");
        messages.push((event.payload.type_index(), message.value.to_vec()));
    }
    let mut buffers = simd_json::Buffers::default();
    for (kind, message) in &messages {
        let mut copy = message.clone();
        assert!(by_type!(kind, with_serde_json(message)) && by_type!(kind, with_sonic(message)));
        assert!(by_type!(kind, with_simd_json(&mut copy, &mut buffers)));
    }
    messages
}

criterion_group!(benches, decoders);
criterion_main!(benches);
