//! What the API answers about the pipeline.

use std::time::Duration;

use serde::Serialize;
use storepulse_events::Timestamp;

use super::audit::Audit;
use super::sample::{Part, Sample, Scraped, growth, quantile, series, sum, sums};
use crate::clock::rfc3339;
use crate::views::now::Pulse;

/// Over how long rates are taken.
const RATE: Duration = Duration::from_secs(10);
/// The least time between two samples that a rate is taken of.
const LEAST: Duration = Duration::from_secs(1);
/// A lag that grows by less is normal.
const LEAST_GROWTH: f64 = 100.0;

const AGGREGATED: &str = "storepulse_analytics_events_aggregated_total";
const PRODUCED: &str = "storepulse_simulator_events_produced_total";
const WRITTEN: &str = "storepulse_analytics_documents_written_total";
const LAG: &str = "storepulse_analytics_lag_events";
const LATENCY: &str = "storepulse_analytics_event_to_store_seconds_bucket";

/// See `docs/dashboard-api.md`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct PipelineView {
    pub as_of: String,
    pub health: &'static str,
    pub reasons: Vec<String>,
    pub services: Vec<Service>,
    pub produced_per_second: Option<f64>,
    pub aggregated_per_second: Option<f64>,
    pub partitions: Vec<Partition>,
    pub latency: Vec<Latency>,
    pub duplicates: Option<i64>,
    pub dead_letters: Vec<DeadLetters>,
    pub documents_per_event: Option<f64>,
    pub documents_written: Vec<Written>,
    pub brokers: Vec<Broker>,
    pub watermark: Option<String>,
    pub audit: Option<Audit>,
}

/// An instance of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Service {
    pub name: &'static str,
    pub instance: String,
    pub reachable: bool,
    pub ready: bool,
    pub parts: Vec<Part>,
}

/// A partition of the event topic.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Partition {
    pub partition: i64,
    pub lag_events: Option<i64>,
    pub lag_seconds: Option<f64>,
}

/// From event to store, of the last minute.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Latency {
    pub tier: String,
    pub p50_seconds: Option<f64>,
    pub p99_seconds: Option<f64>,
}

/// Messages that are no events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct DeadLetters {
    pub reason: String,
    pub count: i64,
}

/// Documents written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Written {
    pub tier: String,
    pub count: i64,
}

/// A Kafka broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Broker {
    pub broker: String,
    pub state: &'static str,
}

/// What samples, the oldest first and one at least, say.
pub fn of(samples: &[&Sample], audit: Option<Audit>, now: Timestamp) -> (PipelineView, Pulse) {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return nothing(audit, now) };
    let since = |least: Duration| {
        // The youngest that is old enough, else the oldest there is.
        let old = samples.iter().rev().find(|sample| last.at.duration_since(sample.at) >= least);
        old.unwrap_or(first)
    };
    let analytics = &last.analytics;
    let before = since(RATE);
    let seconds = last.at.duration_since(before.at);
    let rate = |then: &[Scraped], now: &[Scraped], name: &str| {
        sum(now, name).filter(|_| seconds >= LEAST && sum(then, name).is_some())?;
        let grown: f64 = growth(then, now, name, &[]).values().sum();
        Some((grown / seconds.as_secs_f64() * 10.0).round() / 10.0)
    };
    let aggregated_per_second = rate(&before.analytics, analytics, AGGREGATED);
    let (health, reasons) = health(samples, last, aggregated_per_second);
    let (events, written) = (sum(analytics, AGGREGATED), sum(analytics, WRITTEN));
    let view = PipelineView {
        as_of: rfc3339(now),
        health,
        reasons,
        services: analytics.iter().chain(&last.simulators).map(service).collect(),
        produced_per_second: rate(&before.simulators, &last.simulators, PRODUCED),
        aggregated_per_second,
        partitions: partitions(analytics),
        latency: latencies(&since(Duration::MAX).analytics, analytics),
        duplicates: sum(analytics, "storepulse_analytics_duplicates_total").map(whole),
        dead_letters: sums(analytics, "storepulse_analytics_dead_letters_total", "reason")
            .into_iter()
            .map(|(reason, count)| DeadLetters { reason, count: whole(count) })
            .collect(),
        documents_per_event: events.zip(written).filter(|(events, _)| *events > 0.0).map(|(e, written)| written / e),
        documents_written: sums(analytics, WRITTEN, "tier")
            .into_iter()
            .map(|(tier, count)| Written { tier, count: whole(count) })
            .collect(),
        brokers: brokers(analytics),
        watermark: None,
        audit,
    };
    let open = series(analytics, "storepulse_analytics_sessions");
    let open: Vec<f64> =
        open.filter(|s| s.labels.get("state").is_some_and(|state| state == "open")).map(|s| s.value).collect();
    let pulse = Pulse {
        active_sessions: (!open.is_empty()).then(|| whole(open.iter().sum())),
        events_per_second: aggregated_per_second,
        lag_events: sum(analytics, LAG).map(whole),
    };
    (view, pulse)
}

fn nothing(audit: Option<Audit>, now: Timestamp) -> (PipelineView, Pulse) {
    let sample = Sample { at: std::time::Instant::now(), analytics: Vec::new(), simulators: Vec::new() };
    of(&[&sample], audit, now)
}

/// Metrics that count are whole.
const fn whole(value: f64) -> i64 {
    value.round() as i64
}

fn service(scraped: &Scraped) -> Service {
    let answer = scraped.answer.as_ref();
    Service {
        name: scraped.instance.service,
        instance: scraped.instance.address.clone(),
        reachable: answer.is_some(),
        ready: answer.is_some_and(|answer| answer.ready),
        parts: answer.map(|answer| answer.parts.clone()).unwrap_or_default(),
    }
}

/// How it is, and why it is not well.
fn health(samples: &[&Sample], last: &Sample, events_per_second: Option<f64>) -> (&'static str, Vec<String>) {
    let answers = |of: &[Scraped]| of.iter().filter(|scraped| scraped.answer.is_some()).count();
    if !last.analytics.is_empty() && answers(&last.analytics) == 0 {
        return ("down", vec!["No instance of analytics answers.".to_owned()]);
    }
    let mut reasons = Vec::new();
    for scraped in last.analytics.iter().chain(&last.simulators) {
        let (name, address) = (scraped.instance.service, &scraped.instance.address);
        let Some(answer) = &scraped.answer else {
            reasons.push(format!("The {name} at {address} does not answer."));
            continue;
        };
        let unready: Vec<_> = answer.parts.iter().filter(|part| !part.ready).collect();
        for part in &unready {
            reasons.push(format!("The part {} of the {name} at {address} is not ready: {}.", part.part, part.state));
        }
        if !answer.ready && unready.is_empty() {
            reasons.push(format!("The {name} at {address} is not ready."));
        }
    }
    if let Some((then, now)) = growing_lag(samples, last, events_per_second) {
        reasons.push(format!("The lag grows: {then} events ten seconds ago, {now} now."));
    }
    (if reasons.is_empty() { "ok" } else { "degraded" }, reasons)
}

/// The lag ten seconds ago and now, if it never became less meanwhile and grew by more than a second's events.
fn growing_lag(samples: &[&Sample], last: &Sample, events_per_second: Option<f64>) -> Option<(i64, i64)> {
    let begin = samples.iter().rposition(|sample| last.at.duration_since(sample.at) >= RATE)?;
    let lags: Option<Vec<f64>> = samples[begin..].iter().map(|sample| sum(&sample.analytics, LAG)).collect();
    let lags = lags?;
    let (then, now) = (*lags.first()?, *lags.last()?);
    let normal = events_per_second.unwrap_or(0.0).max(LEAST_GROWTH);
    (lags.is_sorted() && now - then > normal).then(|| (whole(then), whole(now)))
}

fn partitions(analytics: &[Scraped]) -> Vec<Partition> {
    let of = |name: &'static str| sums(analytics, name, "partition");
    let (events, seconds) = (of(LAG), of("storepulse_analytics_lag_seconds"));
    let mut numbers: Vec<(i64, &String)> =
        events.keys().chain(seconds.keys()).filter_map(|label| Some((label.parse().ok()?, label))).collect();
    numbers.sort();
    numbers.dedup();
    let partition = |(partition, label): (i64, &String)| Partition {
        partition,
        lag_events: events.get(label).copied().map(whole),
        lag_seconds: seconds.get(label).copied(),
    };
    numbers.into_iter().map(partition).collect()
}

fn latencies(then: &[Scraped], now: &[Scraped]) -> Vec<Latency> {
    let grown = growth(then, now, LATENCY, &["tier", "le"]);
    let mut by_tier = std::collections::BTreeMap::<&str, Vec<(f64, f64)>>::new();
    for (labels, count) in &grown {
        let [tier, le] = labels.as_slice() else { continue };
        let bound = if le == "+Inf" { Some(f64::INFINITY) } else { le.parse().ok() };
        by_tier.entry(tier).or_default().extend(bound.map(|bound| (bound, *count)));
    }
    let latency = |(tier, mut buckets): (&str, Vec<(f64, f64)>)| {
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let (p50_seconds, p99_seconds) = (quantile(&buckets, 0.5), quantile(&buckets, 0.99));
        Latency { tier: tier.to_owned(), p50_seconds, p99_seconds }
    };
    let mut latencies: Vec<Latency> = by_tier.into_iter().map(latency).collect();
    let order = |tier: &str| ["hot", "warm", "cold", "session"].iter().position(|known| *known == tier);
    latencies.sort_by_key(|latency| order(&latency.tier).unwrap_or(usize::MAX));
    latencies
}

/// Connected is what one instance at least has a connection to.
fn brokers(analytics: &[Scraped]) -> Vec<Broker> {
    let connections = sums(analytics, "storepulse_analytics_broker_connected", "broker");
    let state = |connections: f64| if connections > 0.0 { "connected" } else { "disconnected" };
    connections.into_iter().map(|(broker, connections)| Broker { broker, state: state(connections) }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::exposition::parse;
    use super::super::sample::{Answer, Instance};
    use super::*;

    fn scraped(service: &'static str, text: &str, ready: bool) -> Scraped {
        let part = Part { part: "store".into(), ready, state: "unavailable".into(), detail: String::new() };
        let answer = Answer { series: parse(text), ready, parts: vec![part] };
        Scraped { instance: Instance { service, address: "127.0.0.1:1".into() }, answer: Some(answer) }
    }

    fn sample(at: Instant, seconds: u64, analytics: &str) -> Sample {
        let produced = format!("{PRODUCED}{{event_type=\"purchase\"}} {}", seconds * 200);
        Sample {
            at: at + Duration::from_secs(seconds),
            analytics: vec![scraped("analytics", analytics, true)],
            simulators: vec![scraped("simulator", &produced, true)],
        }
    }

    fn at() -> Timestamp {
        Timestamp::from_micros(0)
    }

    #[test]
    fn rates_and_latencies_are_differences() {
        let text = |n: u64| {
            format!(
                "{AGGREGATED}{{event_type=\"purchase\"}} {}\n{WRITTEN}{{tier=\"hot\"}} {}\n{LAG}{{partition=\"10\"}} 5\n\
                 {LAG}{{partition=\"9\"}} 7\nstorepulse_analytics_lag_seconds{{partition=\"9\"}} 0.5\n\
                 storepulse_analytics_sessions{{state=\"open\"}} 42\nstorepulse_analytics_sessions{{state=\"ended\"}} 8\n\
                 {LATENCY}{{tier=\"hot\",le=\"0.5\"}} {}\n{LATENCY}{{tier=\"hot\",le=\"1\"}} {}\n\
                 {LATENCY}{{tier=\"hot\",le=\"+Inf\"}} {}\nstorepulse_analytics_broker_connected{{broker=\"1\"}} 1\n\
                 storepulse_analytics_broker_connected{{broker=\"2\"}} 0\n\
                 storepulse_analytics_dead_letters_total{{reason=\"not_json\"}} 3\nstorepulse_analytics_duplicates_total 4\n",
                100 + n * 100,
                n,
                50 + n,
                50 + n * 2,
                50 + n * 2
            )
        };
        let begin = Instant::now();
        let samples = [sample(begin, 0, &text(0)), sample(begin, 12, &text(12)), sample(begin, 22, &text(22))];
        let (view, pulse) = of(&samples.iter().collect::<Vec<_>>(), None, at());
        assert_eq!((view.health, view.reasons.len()), ("ok", 0));
        assert_eq!((view.produced_per_second, view.aggregated_per_second), (Some(200.0), Some(100.0)));
        let numbers: Vec<_> = view.partitions.iter().map(|p| (p.partition, p.lag_events, p.lag_seconds)).collect();
        assert_eq!(numbers, [(9, Some(7), Some(0.5)), (10, Some(5), None)]);
        assert_eq!((view.latency[0].tier.as_str(), view.latency[0].p50_seconds), ("hot", Some(0.5)));
        assert!((view.latency[0].p99_seconds.unwrap() - 0.99).abs() < 0.001);
        assert_eq!((view.duplicates, view.dead_letters[0].count, view.documents_written[0].count), (Some(4), 3, 22));
        let states: Vec<_> = view.brokers.iter().map(|b| (b.broker.as_str(), b.state)).collect();
        assert_eq!(states, [("1", "connected"), ("2", "disconnected")]);
        assert_eq!(
            (pulse.active_sessions, pulse.lag_events, pulse.events_per_second),
            (Some(42), Some(12), Some(100.0))
        );
    }

    #[test]
    fn a_first_look_has_no_rates() {
        let (view, _) = of(&[&sample(Instant::now(), 0, AGGREGATED)], None, at());
        assert_eq!((view.produced_per_second, view.aggregated_per_second), (None, None));
    }

    #[test]
    fn no_analytics_is_down_and_a_part_that_is_not_ready_degrades() {
        let mut gone = sample(Instant::now(), 0, "");
        gone.analytics[0].answer = None;
        let (view, pulse) = of(&[&gone], None, at());
        assert_eq!((view.health, view.services[0].reachable, pulse), ("down", false, Pulse::default()));
        let mut unready = sample(Instant::now(), 0, "");
        unready.analytics[0] = scraped("analytics", "", false);
        let (view, _) = of(&[&unready], None, at());
        assert_eq!(view.health, "degraded");
        assert_eq!(view.reasons, ["The part store of the analytics at 127.0.0.1:1 is not ready: unavailable."]);
    }

    #[test]
    fn a_lag_that_grows_for_ten_seconds_degrades_and_one_that_varies_does_not() {
        let begin = Instant::now();
        let lags = |lags: [u64; 6]| {
            let samples: Vec<Sample> = (0..)
                .zip(lags)
                .map(|(n, lag)| sample(begin, n * 2, &format!("{LAG}{{partition=\"0\"}} {lag}")))
                .collect();
            of(&samples.iter().collect::<Vec<_>>(), None, at()).0.health
        };
        assert_eq!(lags([0, 100, 300, 300, 900, 2_000]), "degraded");
        assert_eq!(lags([0, 100, 300, 200, 900, 2_000]), "ok");
        assert_eq!(lags([0, 10, 20, 30, 40, 50]), "ok");
    }
}
