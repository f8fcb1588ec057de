//! The contract's rules, one event after another, in plain maps. Slow, and plain to read: this is what "exact" means.
//!
//! - [`sessions`]: duplicates, watermarks, and what a session adds up to.
//! - [`counting`], [`fields`]: counters of the shop, categories, products, payment methods, deliveries.
//! - [`visits`]: visitors and lengths of sessions. [`trending`]: products of the last hours. [`history`]: of sessions.

mod counting;
mod fields;
mod grain;
mod history;
mod identity;
mod sessions;
mod trending;
mod values;
mod visits;

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::Message;
use rdkafka::message::BorrowedMessage;
use storepulse_events::{Currency, decode};
use xxhash_rust::xxh3::xxh3_64;

use super::topics::Letter;
use crate::store::{Fields, Value};
use counting::{Arrival, Counting};
use history::Histories;
use sessions::{Found, Partition};
use trending::Trending;
use visits::Visits;

/// What the rules depend on.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The shop's currency.
    pub currency: Currency,
    /// How long a session is known after its last event, in milliseconds of broker time.
    pub lifetime_ms: i64,
    /// For how many records of its partition a session is known after its last event.
    pub lifetime_records: i64,
    /// The most entries of a list of a session's history.
    pub list_entries: usize,
    /// How long after its end an hour or window closes, in milliseconds.
    pub allowed_lateness_ms: i64,
    /// Event time after its latest event after which a session is closed, in milliseconds.
    pub session_idle_ms: i64,
    /// How far behind the highest a partition's watermark may be and still count, in milliseconds.
    pub watermark_idle_ms: i64,
    /// How long after their end hours are kept, in milliseconds.
    pub hours_retention_ms: i64,
    /// How long after their end windows are kept, in milliseconds.
    pub windows_retention_ms: i64,
    /// How many windows of 15 minutes trending products are from.
    pub trending_windows: i64,
    /// The most products of a list of trending products.
    pub trending_size: usize,
    /// What interest is made of.
    pub weights: Weights,
}

/// What a product's interest score is made of.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    /// Of a view.
    pub view: i64,
    /// Of a piece put into a cart.
    pub cart: i64,
    /// Of a piece taken out of a cart.
    pub removal: i64,
    /// Of a piece bought.
    pub purchase: i64,
}

/// What holds when nothing is set.
impl Default for Rules {
    fn default() -> Self {
        const DAY_MS: i64 = 86_400_000;
        Self {
            currency: Currency::USD,
            lifetime_ms: 600_000,
            lifetime_records: 200_000,
            list_entries: 1000,
            allowed_lateness_ms: 300_000,
            session_idle_ms: 1_800_000,
            watermark_idle_ms: 3_600_000,
            hours_retention_ms: 90 * DAY_MS,
            windows_retention_ms: 14 * DAY_MS,
            trending_windows: 3 * 4,
            trending_size: 20,
            weights: Weights { view: 1, cart: 3, removal: -2, purchase: 5 },
        }
    }
}

/// The documents that should be in the store.
#[derive(Default)]
pub struct Expected {
    /// Fields by path.
    pub documents: BTreeMap<String, Fields>,
    /// Histories of sessions whose events are in several partitions: the order of their lists is not defined.
    pub unordered: BTreeSet<String>,
    /// How far estimated fields may be from the truth, by path.
    pub bounds: BTreeMap<String, Vec<Bound>>,
    /// Trending documents from which products may have been dropped, by path, with the true quantities bought: of their
    /// lists only `most_bought` is compared, and must not say more.
    pub partial: BTreeMap<String, BTreeMap<String, i64>>,
}

/// How far an estimated field may be from the truth.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Name of the field.
    pub field: &'static str,
    /// The truth.
    pub exact: f64,
    /// The greatest error.
    pub error: f64,
    /// What it means when it is more.
    pub problem: &'static str,
}

/// Computes the documents from messages.
#[derive(Default)]
pub struct Reference {
    rules: Rules,
    partitions: BTreeMap<i32, Partition>,
    counting: Counting,
    visits: Visits,
    trending: BTreeMap<String, Trending>,
    histories: Histories,
    /// Messages taken.
    pub messages: u64,
    /// Events counted.
    pub events: u64,
    /// Events not counted.
    pub duplicates: u64,
    /// The dead letters that should exist.
    pub rejected: Vec<Letter>,
}

impl Reference {
    /// Nothing happened yet.
    pub fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Takes the next message of a partition.
    pub fn take(&mut self, message: &BorrowedMessage<'_>) {
        let time = message.timestamp().to_millis().unwrap_or(0);
        self.take_record(message.partition(), message.offset(), time, message.payload().unwrap_or_default());
    }

    /// Takes the next message of a partition, in parts; `time` is its record's, in milliseconds.
    pub fn take_record(&mut self, partition: i32, offset: i64, time: i64, payload: &[u8]) {
        self.messages += 1;
        let rules = self.rules;
        let state = self.partitions.entry(partition).or_default();
        let mut found = state.tick(offset, time, &rules);
        // No earlier than that of any record before it.
        let time = state.stream_time;
        match decode(payload, rules.currency) {
            Err(rejection) => {
                let (origin, reason) = ((partition, offset), rejection.reason.to_string());
                self.rejected.push(Letter { origin, reason, hash: xxh3_64(payload) });
            }
            Ok(event) => {
                let arrival = Arrival { record_ms: time, watermark: state.watermark };
                found.extend(state.move_watermark(&event, time, &rules));
                match state.take(&event, offset, &rules) {
                    None => self.duplicates += 1,
                    Some(session) => {
                        found.push(session);
                        self.events += 1;
                        self.counting.event(&event, arrival, &rules);
                        self.visits.event(&event, time, &rules);
                        trending::take(&mut self.trending, &event, time, &rules);
                        self.histories.tell(&event, partition, rules.list_entries);
                    }
                }
            }
        }
        self.count_sessions(&found, time);
    }

    fn count_sessions(&mut self, found: &[Found], time: i64) {
        for found in found {
            self.counting.session(found, time, &self.rules);
            self.visits.session(found, time, &self.rules);
        }
    }

    /// The documents.
    pub fn into_documents(mut self) -> Expected {
        let mut expected = Expected::default();
        let rules = &self.rules;
        for (identity, counters) in &self.counting.documents {
            let minutes = match identity.grain {
                grain::Grain::Window(number) => self.counting.minutes.get(&number),
                _ => None,
            };
            expected.documents.insert(identity.path(), fields::fields(identity, counters, minutes, rules));
        }
        for (identity, visit) in &self.visits.documents {
            let (fields, bounds) = visit.fields(identity, rules);
            expected.documents.insert(identity.path(), fields);
            expected.bounds.insert(identity.path(), bounds);
        }
        for (path, trending) in &self.trending {
            let (fields, partial) = trending.fields(rules);
            expected.documents.insert(path.clone(), fields);
            expected.partial.extend(partial.map(|quantities| (path.clone(), quantities)));
        }
        if let Some(fields) = self.watermarks() {
            expected.documents.insert("watermarks/events".into(), fields);
        }
        expected.documents.extend(self.histories.documents());
        expected.unordered = self.histories.unordered();
        expected
    }

    /// The watermarks of the partitions and the lowest of those that are not idle.
    fn watermarks(&self) -> Option<Fields> {
        let of_partitions = self.partitions.iter().filter_map(|(n, partition)| Some((*n, partition.watermark?)));
        let watermarks: BTreeMap<i32, i64> = of_partitions.collect();
        let highest = *watermarks.values().max()?;
        let lowest = watermarks.values().filter(|w| highest - **w <= self.rules.watermark_idle_ms).min()?;
        let mut fields = Fields::default();
        let partitions = watermarks.iter().map(|(n, watermark)| (n.to_string(), values::moment(*watermark)));
        fields.set("partitions", Value::Map(partitions.collect()));
        fields.set("watermark", values::moment(*lowest));
        Some(fields)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_counting;
#[cfg(test)]
mod tests_sessions;
#[cfg(test)]
mod tests_support;
#[cfg(test)]
mod tests_trending;
#[cfg(test)]
mod tests_visits;
