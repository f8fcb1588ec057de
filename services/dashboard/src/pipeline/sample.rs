//! What one look at all instances gave, and what two of them differ in.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

use super::exposition::Series;

/// An instance of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The service's name.
    pub service: &'static str,
    /// Its address.
    pub address: String,
}

/// A part of a service, as its `/readyz` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its name.
    pub part: String,
    /// Whether it does its work.
    pub ready: bool,
    /// Its state, in a word or two.
    pub state: String,
    /// What more there is to say.
    pub detail: String,
}

/// What an instance answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Its metrics.
    pub series: Vec<Series>,
    /// Whether it is ready.
    pub ready: bool,
    /// Its parts.
    pub parts: Vec<Part>,
}

/// An instance, and what it answered, if it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Scraped {
    /// Which.
    pub instance: Instance,
    /// What.
    pub answer: Option<Answer>,
}

/// All instances at a point in time.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// Instances of analytics.
    pub analytics: Vec<Scraped>,
    /// Simulators.
    pub simulators: Vec<Scraped>,
}

/// All series of a name over all instances that answered.
pub fn series<'a>(of: &'a [Scraped], name: &'a str) -> impl Iterator<Item = &'a Series> + 'a {
    let answers = of.iter().filter_map(|scraped| scraped.answer.as_ref());
    answers.flat_map(|answer| &answer.series).filter(move |series| series.name == name)
}

/// The sum of a metric; none if no instance has it.
pub fn sum(of: &[Scraped], name: &str) -> Option<f64> {
    let values: Vec<f64> = series(of, name).map(|series| series.value).collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// The sums of a metric by a label.
pub fn sums(of: &[Scraped], name: &str, label: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for series in series(of, name) {
        if let Some(value) = series.labels.get(label) {
            *sums.entry(value.clone()).or_insert(0.0) += series.value;
        }
    }
    sums
}

/// How much a counter of each instance that answered both times has grown, by label. One that has become less began anew,
/// and has grown by what it is now.
pub fn growth(then: &[Scraped], now: &[Scraped], name: &str, labels: &[&str]) -> BTreeMap<Vec<String>, f64> {
    let mut grown = BTreeMap::new();
    for after in now {
        let Some(before) = then.iter().find(|before| before.instance == after.instance) else { continue };
        if before.answer.is_none() {
            continue;
        }
        let old: Vec<&Series> = series(std::slice::from_ref(before), name).collect();
        for series in series(std::slice::from_ref(after), name) {
            let known = old.iter().find(|old| old.labels == series.labels).map_or(0.0, |old| old.value);
            let more = if series.value >= known { series.value - known } else { series.value };
            let key = labels.iter().map(|label| series.labels.get(*label).cloned().unwrap_or_default());
            *grown.entry(key.collect()).or_insert(0.0) += more;
        }
    }
    grown
}

/// The quantile of a histogram whose buckets have grown by so much: upper bounds and cumulative counts. It is linear within a
/// bucket, as Prometheus's `histogram_quantile`; none if nothing was observed.
pub fn quantile(buckets: &[(f64, f64)], q: f64) -> Option<f64> {
    let total = buckets.last().map(|(_, count)| *count).filter(|total| *total > 0.0)?;
    let rank = q * total;
    let (mut lower, mut below) = (0.0, 0.0);
    for (upper, count) in buckets {
        if *count >= rank {
            if upper.is_infinite() {
                return Some(lower);
            }
            let within = count - below;
            return Some(if within > 0.0 { lower + (upper - lower) * (rank - below) / within } else { *upper });
        }
        (lower, below) = (*upper, *count);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::exposition::parse;
    use super::*;

    fn scraped(address: &str, text: Option<&str>) -> Scraped {
        let answer = text.map(|text| Answer { series: parse(text), ready: true, parts: Vec::new() });
        Scraped { instance: Instance { service: "analytics", address: address.to_owned() }, answer }
    }

    #[test]
    fn counters_that_began_anew_and_instances_that_are_new_do_not_count_backwards() {
        let then = [
            scraped("a", Some("c{t=\"x\"} 10\nc{t=\"y\"} 1")),
            scraped("b", Some("c{t=\"x\"} 100")),
            scraped("d", None),
        ];
        let now = [
            scraped("a", Some("c{t=\"x\"} 15\nc{t=\"y\"} 1\nc{t=\"z\"} 2")),
            scraped("b", Some("c{t=\"x\"} 7")),
            scraped("d", Some("c{t=\"x\"} 1000")),
            scraped("e", Some("c{t=\"x\"} 1000")),
        ];
        let grown = growth(&then, &now, "c", &["t"]);
        let told: Vec<_> = grown.iter().map(|(key, more)| (key[0].as_str(), *more)).collect();
        assert_eq!(told, [("x", 12.0), ("y", 0.0), ("z", 2.0)]);
        assert_eq!((sum(&now, "c"), sum(&now, "none")), (Some(2025.0), None));
        assert_eq!(sums(&now, "c", "t")["z"], 2.0);
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let buckets = [(0.1, 50.0), (0.5, 90.0), (1.0, 100.0), (f64::INFINITY, 100.0)];
        assert_eq!(quantile(&buckets, 0.5), Some(0.1));
        assert!((quantile(&buckets, 0.7).unwrap() - 0.3).abs() < 1e-9);
        assert_eq!(quantile(&[(1.0, 0.0), (f64::INFINITY, 5.0)], 0.99), Some(1.0));
        assert_eq!((quantile(&[(1.0, 0.0)], 0.5), quantile(&[], 0.5)), (None, None));
    }
}
