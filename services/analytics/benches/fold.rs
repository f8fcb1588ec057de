//! Speed of the pure parts on a stream that the simulator would make: decoding alone, and decoding, sessions and
//! folding as a worker does it, with a cut every 10,000 events.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use storepulse_analytics::fold::{Arrival, Folder};
use storepulse_analytics::session::{Limits, SessionTable};
use storepulse_events::{Currency, decode};

/// A stream of well-formed events: `count` of them, of sessions that run side by side, over countries and products.
fn stream(count: usize) -> Vec<Vec<u8>> {
    let countries = ["US", "DE", "FR", "BR", "IN", "JP", "CN", "GB", "ES", "IT"];
    (0..count)
        .map(|i| {
            let (session, step) = (i % 1000 + i / 15_000 * 1000, i / 1000 % 15);
            let (country, product) = (countries[session % 10], (i * 7919) % 100);
            let item = format!(
                r#"{{"id":"product-{product:04}","name":"Walnut desk lamp","category":{{"id":"category-{}","name":"Home & Living"}},"price":49.90,"currency":"USD"}}"#,
                product % 8
            );
            let (event_type, parameters) = match step {
                0 => ("session_started", r#"{"user_agent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"}"#.into()),
                1 | 4 | 7 => (
                    "category_viewed",
                    format!(r#"{{"category":{{"id":"category-{}","name":"Home & Living"}}}}"#, product % 8),
                ),
                14 => ("session_ended", r#"{"seconds_duration":631}"#.into()),
                9 | 11 => ("product_added_to_cart", format!(r#"{{"product":{item},"quantity":2}}"#)),
                _ => ("product_viewed", format!(r#"{{"product":{item}}}"#)),
            };
            format!(
                r#"{{"event_id":"6f1e1c76-3c55-4f0e-9a35-{i:012x}","event_type":"{event_type}","session_id":"0b8a4b3e-6f0c-4c2a-8d25-{session:012x}","timestamp":"2026-11-21T05:33:11.123456Z","user_id":"8d1f7a52-2b1c-4a43-b6a5-4f6c8f0e7d31","location":{{"country":"{country}","state":"Bavaria","city":"Munich","latitude":48.137154,"longitude":11.576124}},"parameters":{parameters}}}"#
            )
            .into_bytes()
        })
        .collect()
}

fn fold(c: &mut Criterion) {
    const EVENTS: usize = 30_000;
    let messages = stream(EVENTS);
    let mut group = c.benchmark_group("fold");
    group.throughput(Throughput::Elements(EVENTS as u64)).sample_size(20);
    group.bench_function("decode", |b| {
        b.iter(|| messages.iter().filter(|m| decode(black_box(m), Currency::USD).is_ok()).count())
    });
    group.bench_function("decode_and_fold", |b| {
        b.iter(|| {
            let mut folder = Folder::default();
            let mut changes = 0;
            for (i, message) in messages.iter().enumerate() {
                if let Ok(event) = decode(black_box(message), Currency::USD) {
                    let stream_time = event.timestamp.micros() / 1_000;
                    folder.fold(&event, Arrival { stream_time, watermark: stream_time });
                }
                if i % 10_000 == 9_999 {
                    folder.drain(|_, _| changes += 1);
                }
            }
            changes
        })
    });
    group.bench_function("decode_sessions_and_fold", |b| {
        b.iter(|| {
            let (mut folder, mut table) = (Folder::default(), SessionTable::new(Limits::default()));
            let mut out = 0;
            for (i, message) in messages.iter().enumerate() {
                if let Ok(event) = decode(black_box(message), Currency::USD) {
                    let stream_time = event.timestamp.micros() / 1_000;
                    if let Some(arrival) = table.observe(&event, i as i64, stream_time, 0, &mut folder.account) {
                        folder.fold(&event, arrival);
                    }
                }
                if i % 10_000 == 9_999 {
                    folder.drain(|_, _| out += 1);
                    out += table.cut(i as i64 + 1, 0, false).stories.len();
                }
            }
            out
        })
    });
    group.finish();
}

criterion_group!(benches, fold);
criterion_main!(benches);
