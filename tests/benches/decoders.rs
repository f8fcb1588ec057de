//! JSON decoders on the simulator's own events, into the same types: which one should `storepulse-events` stand on?
//! What came of it is in `docs/decisions/0006-json-decoder.md`.
//!
//! Each decoder is told the event's type beforehand, so that all do the same with serde's derived code; `events` is what
//! the services really call. simd-json writes into its input, and a consumer's message must not be changed, so a copy is
//! part of its work.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;

use clap::Parser;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use storepulse_events::{Currency, decode};
use storepulse_simulator::delivery::Delivery;
use storepulse_simulator::options::Options;
use storepulse_simulator::settings::Assignment;
use storepulse_simulator::world::World;
use storepulse_tests::bench::plain::{self, Decoder, SerdeJson};

struct FromSlice;

impl Decoder for FromSlice {
    fn read<'a, T: Deserialize<'a>>(&'a mut self, message: &'a [u8]) -> bool {
        black_box(serde_json::from_slice::<T>(message)).is_ok()
    }
}

struct Sonic;

impl Decoder for Sonic {
    fn read<'a, T: Deserialize<'a>>(&'a mut self, message: &'a [u8]) -> bool {
        black_box(sonic_rs::from_slice::<T>(message)).is_ok()
    }
}

struct SonicFromStr;

impl Decoder for SonicFromStr {
    fn read<'a, T: Deserialize<'a>>(&'a mut self, message: &'a [u8]) -> bool {
        let text = std::str::from_utf8(message);
        text.is_ok_and(|text| black_box(sonic_rs::from_str::<T>(text)).is_ok())
    }
}

/// Writes into what it reads, so it gets a copy.
struct SimdJson {
    copy: Vec<u8>,
    buffers: simd_json::Buffers,
}

impl SimdJson {
    fn new() -> Self {
        const ROOM: usize = 64 * 1024;
        Self { copy: Vec::with_capacity(ROOM), buffers: simd_json::Buffers::new(ROOM) }
    }
}

impl Decoder for SimdJson {
    fn read<'a, T: Deserialize<'a>>(&'a mut self, message: &'a [u8]) -> bool {
        self.copy.clear();
        self.copy.extend_from_slice(message);
        black_box(simd_json::serde::from_slice_with_buffers::<T>(&mut self.copy, &mut self.buffers)).is_ok()
    }
}

type Message = (usize, Vec<u8>);

fn count(messages: &[Message], decoder: &mut impl Decoder) -> usize {
    messages.iter().filter(|(kind, message)| plain::read(decoder, black_box(message), *kind)).count()
}

fn decoders(c: &mut Criterion) {
    const EVENTS: usize = 20_000;
    let messages = stream(EVENTS);
    let mut group = c.benchmark_group("decoders");
    group.throughput(Throughput::Elements(EVENTS as u64)).sample_size(30);
    group.bench_function("events", |b| {
        b.iter(|| messages.iter().filter(|(_, m)| decode(black_box(m), Currency::USD).is_ok()).count())
    });
    group.bench_function("serde_json", |b| b.iter(|| count(&messages, &mut FromSlice)));
    group.bench_function("serde_json, from_utf8 and from_str", |b| b.iter(|| count(&messages, &mut SerdeJson)));
    group.bench_function("sonic-rs, from_utf8 and from_str", |b| b.iter(|| count(&messages, &mut SonicFromStr)));
    group.bench_function("sonic-rs", |b| b.iter(|| count(&messages, &mut Sonic)));
    group.bench_function("simd-json", |b| {
        let mut decoder = SimdJson::new();
        b.iter(|| count(&messages, &mut decoder))
    });
    group.finish();
}

/// Events of the simulator, each with the number of its type; every decoder must read each of them.
fn stream(events: usize) -> Vec<Message> {
    let options = Options::parse_from(["storepulse-simulator", "--sink=null", "--processes=1", "--seed=1"]);
    let settings = options.settings().expect("the options are valid");
    let world = World::new(1, settings.products, settings.categories, "USD");
    let (started, origin) = (0, settings.origin(0));
    let first = Assignment { worker: 0, seed: 1, incarnation: 0, started, origin, skip: 0, skip_bytes: 0 };
    let mut delivery = Delivery::new(&world, settings.plan(&first), settings.disorder.clone());
    let mut messages = Vec::with_capacity(events);
    while let Some(message) = delivery.next_message().filter(|_| messages.len() < events) {
        let event = decode(message.value, Currency::USD).expect("a generated event is an event");
        messages.push((event.payload.type_index(), message.value.to_vec()));
    }
    assert_eq!(count(&messages, &mut FromSlice), messages.len());
    assert_eq!(count(&messages, &mut Sonic), messages.len());
    assert_eq!(count(&messages, &mut SimdJson::new()), messages.len());
    messages
}

criterion_group!(benches, decoders);
criterion_main!(benches);
