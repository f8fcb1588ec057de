//! What one core does without a cluster: the simulator into nothing, and decoding and folding.
//!
//! The simulator is the real program as a process; all else runs on one thread of this process. Rates are events for
//! each second that the thread or the process was on a core, so other programs slow them only through shared caches.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use storepulse_analytics::fold::{Arrival, Folder};
use storepulse_analytics::session::{Limits, SessionTable};
use storepulse_events::{Currency, Event, Payload, decode};

use super::cpu::Cpu;
use super::ground::Programs;
use super::options::Options;
use super::plain::{self, SerdeJson};
use super::report::{Cost, Line, Reach, Row};
use super::say;
use crate::Spec;

/// Events that the simulator makes in one measurement.
const SIMULATED: u64 = 3_000_000;
/// Events in memory that are decoded again and again: about 50 MB, more than any cache holds.
const DECODED: u64 = 100_000;
/// Rounds of what runs in this process; the best counts.
const ROUNDS: u32 = 7;
/// Events between two cuts: what a busy worker has at a commit.
const CUT: usize = 10_000;
/// The longest that the simulator may take.
const SIMULATION: Duration = Duration::from_secs(300);

/// Real events, as the simulator writes them.
///
/// # Errors
/// When it fails.
pub fn sample(programs: &mut Programs, events: u64) -> anyhow::Result<Vec<Vec<u8>>> {
    let file = programs.dir().join("events.jsonl");
    let (sink, count) = (format!("--sink={}", file.display()), format!("--events={events}"));
    let spec = Spec::new("simulator").arguments(["--processes=1", "--seed=1", &sink, &count]);
    programs.start(&spec)?.wait(SIMULATION)?.expect_code(0)?;
    let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    std::fs::remove_file(&file)?;
    let lines: Vec<Vec<u8>> =
        bytes.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec).collect();
    ensure!(lines.len() as u64 == events, "the simulator wrote {} of {events} events", lines.len());
    Ok(lines)
}

/// Events a second of this thread's time: the best of some rounds, of which each handles `events`.
fn best(events: u64, mut round: impl FnMut() -> usize) -> anyhow::Result<f64> {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let before = Cpu::of_this_thread()?;
        black_box(round());
        best = best.min((Cpu::of_this_thread()? - before).total());
    }
    Ok(events as f64 / best.max(1e-6))
}

/// The simulator into nothing.
///
/// # Errors
/// When it fails.
pub fn simulator(programs: &mut Programs, options: &Options) -> anyhow::Result<Vec<Row>> {
    say("simulator into nothing");
    let count = format!("--events={SIMULATED}");
    let spec = Spec::new("simulator").arguments(["--sink=null", "--processes=1", "--seed=1", &count]);
    let mut costs = Vec::new();
    for _ in 0..options.passes {
        let before = Cpu::of_ended_children()?;
        programs.start(&spec)?.wait(SIMULATION)?.expect_code(0)?;
        costs.push(Cpu::of_ended_children()? - before);
    }
    costs.sort_by(|a, b| a.total().total_cmp(&b.total()));
    let cost = costs[costs.len().saturating_sub(1) / 2];
    let rate = SIMULATED as f64 / cost.total();
    let events = sample(programs, 20_000)?;
    let event = typical(&events).context("the simulator makes no typical event")?;
    let decoded = decode(event, Currency::USD).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let wire = Wire::of(&decoded).context("the typical event is one of a cart")?;
    let mut out = Vec::with_capacity(4096);
    const TIMES: u64 = 1_000_000;
    let serde = best(TIMES, || {
        (0..TIMES)
            .map(|_| {
                out.clear();
                // Writing to a vector does not fail.
                let _ = serde_json::to_writer(&mut out, black_box(&wire));
                out.len()
            })
            .sum()
    })?;
    let own = best(TIMES, || {
        (0..TIMES)
            .map(|_| {
                out.clear();
                black_box(&decoded).encode_into(&mut out);
                out.len()
            })
            .sum()
    })?;
    let unit = "events/s per core";
    Ok(vec![Row {
        id: "simulator",
        what: "simulator into nothing, per core",
        lines: vec![
            Line::new("beside serde_json", rate, unit, Reach::RatioAtLeast(0.5))
                .beside("serde_json serialising a ready event in a tight loop", serde),
            Line::new("beside the project's own encoder", rate, unit, Reach::RatioAtLeast(0.5))
                .beside("the project's encoder on a ready event in a tight loop", own),
            Line::new("as it is", rate, unit, Reach::AtLeast(500_000.0)),
        ],
        costs: vec![Cost::new("simulator into nothing", SIMULATED, cost, None)],
        notes: vec![format!(
            "{SIMULATED} events by one worker process, its supervisor's cost included, the median of {} runs. The \
             bound serialises one ready event of {} bytes again and again, on one thread; the simulator makes each \
             event first (sessions, random numbers, ids, coordinates) and keeps the ledger.",
            options.passes,
            event.len()
        )],
    }])
}

/// Decoding and folding.
///
/// # Errors
/// When the simulator fails, or makes an event that can't be decoded.
pub fn decoding(programs: &mut Programs) -> anyhow::Result<Vec<Row>> {
    say("decoding and folding");
    let messages = sample(programs, DECODED)?;
    let kinds: Vec<usize> = messages
        .iter()
        .map(|message| decode(message, Currency::USD).map(|event| event.payload.type_index()))
        .collect::<Result<_, _>>()
        .map_err(|error| anyhow::anyhow!("an event of the simulator is none: {error:?}"))?;
    let count = messages.len() as u64;
    let bound = best(count, || {
        messages.iter().zip(&kinds).filter(|(message, kind)| plain::read(&mut SerdeJson, message, **kind)).count()
    })?;
    let decoded = best(count, || messages.iter().filter(|message| decode(message, Currency::USD).is_ok()).count())?;
    let folded = best(count, || fold(&messages, None))?;
    let with_sessions = best(count, || fold(&messages, Some(SessionTable::new(Limits::default()))))?;
    let bytes: usize = messages.iter().map(Vec::len).sum();
    let (unit, bound_is) = ("events/s per core", "serde_json into the same types, nothing else");
    Ok(vec![Row {
        id: "decode",
        what: "decode and fold, per core",
        lines: vec![
            Line::new("decode and fold", folded, unit, Reach::RatioAtLeast(0.6)).beside(bound_is, bound),
            Line::new("decode alone, with all its checks", decoded, unit, Reach::Nothing).beside(bound_is, bound),
            Line::new("decode, sessions with stories, fold", with_sessions, unit, Reach::Nothing)
                .beside(bound_is, bound),
        ],
        costs: Vec::new(),
        notes: vec![format!(
            "{count} events of the simulator, {:.0} bytes (mean), in memory; rolled up every {CUT} events. The best of \
             {ROUNDS} rounds of one thread. The bound is told each event's type beforehand.",
            bytes as f64 / count as f64
        )],
    }])
}

fn fold(messages: &[Vec<u8>], mut table: Option<SessionTable>) -> usize {
    let (mut folder, mut out) = (Folder::default(), 0);
    for (i, message) in messages.iter().enumerate() {
        let Ok(event) = decode(black_box(message), Currency::USD) else { continue };
        let offset = i64::try_from(i).unwrap_or(i64::MAX);
        let stream_time = event.timestamp.micros() / 1_000;
        let arrival = match &mut table {
            Some(table) => table.observe(&event, offset, stream_time, 0, &mut folder.account),
            None => Some(Arrival { stream_time, watermark: stream_time }),
        };
        if let Some(arrival) = arrival {
            folder.fold(&event, arrival);
        }
        if i % CUT == CUT - 1 {
            folder.drain(|_, _| out += 1);
            out += table.as_mut().map_or(0, |table| table.cut(offset + 1, 0, false).stories.len());
        }
    }
    out
}

/// The event of a cart whose length is nearest to 557 bytes, the mean of the system that this one replaces.
fn typical(events: &[Vec<u8>]) -> Option<&[u8]> {
    const BYTES: usize = 557;
    let carts = events.iter().filter(|event| {
        decode(event, Currency::USD).is_ok_and(|event| matches!(event.payload, Payload::ProductAddedToCart(_)))
    });
    carts.min_by_key(|event| event.len().abs_diff(BYTES)).map(Vec::as_slice)
}

/// An event of a cart as serde writes it.
#[derive(Serialize)]
struct Wire<'a> {
    event_id: &'a str,
    event_type: &'a str,
    session_id: &'a str,
    timestamp: String,
    user_id: &'a str,
    location: WireLocation<'a>,
    parameters: WireCart<'a>,
}

#[derive(Serialize)]
struct WireLocation<'a> {
    country: &'a str,
    state: &'a str,
    city: &'a str,
    latitude: f64,
    longitude: f64,
}

#[derive(Serialize)]
struct WireCart<'a> {
    product: WireProduct<'a>,
    quantity: u32,
}

#[derive(Serialize)]
struct WireProduct<'a> {
    id: &'a str,
    name: &'a str,
    category: WireCategory<'a>,
    price: f64,
    currency: &'a str,
}

#[derive(Serialize)]
struct WireCategory<'a> {
    id: &'a str,
    name: &'a str,
}

impl<'a> Wire<'a> {
    /// Everything ready, the timestamp as text: only writing is left to do.
    fn of(event: &'a Event<'a>) -> Option<Self> {
        let Payload::ProductAddedToCart(change) = &event.payload else { return None };
        let product = &change.product;
        Some(Self {
            event_id: &event.event_id,
            event_type: event.payload.event_type(),
            session_id: &event.session_id,
            timestamp: event.timestamp.to_string(),
            user_id: &event.user_id,
            location: WireLocation {
                country: event.location.country.as_str(),
                state: &event.location.state,
                city: &event.location.city,
                latitude: event.location.latitude,
                longitude: event.location.longitude,
            },
            parameters: WireCart {
                product: WireProduct {
                    id: &product.id,
                    name: &product.name,
                    category: WireCategory { id: &product.category.id, name: &product.category.name },
                    price: product.price.minor() as f64 / 100.0,
                    currency: &product.currency,
                },
                quantity: change.quantity.get(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"event_id":"e","event_type":"product_added_to_cart","session_id":"s","timestamp":"2026-11-21T05:33:11.123456Z","user_id":"u","location":{"country":"DE","state":"Bavaria","city":"Munich","latitude":48.137154,"longitude":11.576124},"parameters":{"product":{"id":"p","name":"Walnut desk lamp","category":{"id":"home","name":"Home & Living"},"price":49.9,"currency":"USD"},"quantity":2}}"#;

    #[test]
    fn the_bounds_do_the_same_work() {
        let event = decode(EVENT.as_bytes(), Currency::USD).unwrap();
        let read = |kind| plain::read(&mut SerdeJson, EVENT.as_bytes(), kind);
        assert!(read(event.payload.type_index()) && !read(5));
        let written = serde_json::to_vec(&Wire::of(&event).unwrap()).unwrap();
        assert_eq!(decode(&written, Currency::USD).unwrap(), event);
        assert_eq!(typical(&[EVENT.into()]), Some(EVENT.as_bytes()));
    }
}
