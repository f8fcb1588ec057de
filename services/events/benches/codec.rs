//! Speed of the codec on a typical event.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use storepulse_events::{Currency, decode};

const EVENT: &str = r#"{"event_id":"6f1e1c76-3c55-4f0e-9a35-0d5d5a4f0c11","event_type":"product_added_to_cart","session_id":"0b8a4b3e-6f0c-4c2a-8d25-6a7a3b1f9e20","timestamp":"2026-11-21T05:33:11.123456Z","user_id":"8d1f7a52-2b1c-4a43-b6a5-4f6c8f0e7d31","location":{"country":"DE","state":"Bavaria","city":"Munich","latitude":48.137154,"longitude":11.576124},"parameters":{"product":{"id":"prod-0042","name":"Walnut desk lamp","category":{"id":"home","name":"Home & Living"},"price":49.90,"currency":"USD"},"quantity":2}}"#;

fn codec(c: &mut Criterion) {
    let mut group = c.benchmark_group("codec");
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode", |b| b.iter(|| decode(black_box(EVENT.as_bytes()), Currency::USD).is_ok()));
    let event = decode(EVENT.as_bytes(), Currency::USD).expect("the sample is an event");
    let mut out = Vec::with_capacity(1024);
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            black_box(&event).encode_into(&mut out);
            out.len()
        })
    });
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
