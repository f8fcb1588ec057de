//! What sessions add to documents between two cuts.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::live::{Live, live_at};
use crate::document::counters::SESSION_COUNTERS;
use crate::document::{DocumentRules, Window};
use crate::session::conduct::{Conduct, Tally};

/// Where a session began: window, country, and which documents of that time still take something in.
type Place = (i32, u16, Live);

/// An hour and a country, and whether the hour's document still takes something in.
type HourPlace = (i32, u16, bool);

/// See the [module](self).
#[derive(Default)]
pub struct Account {
    rules: DocumentRules,
    pub(super) counters: HashMap<Place, [i64; SESSION_COUNTERS]>,
    pub(super) lengths: HashMap<HourPlace, BTreeMap<u16, i64>>,
    pub(super) users: HashMap<HourPlace, Vec<u64>>,
    held: usize,
}

impl Account {
    /// With nothing in it.
    pub fn new(rules: DocumentRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Takes in that a session adds something else than before; `stream_time` is that of the partition when it
    /// is found.
    pub fn change(&mut self, conduct: &Conduct, before: &Tally, after: &Tally, stream_time: i64) {
        if before == after {
            return;
        }
        let (window, country) = conduct.began();
        let live = live_at(Window::from_number(window), stream_time, &self.rules);
        let held = &mut self.held;
        let sums = self.counters.entry((window, country, live)).or_insert_with(|| {
            *held += 1;
            [0; SESSION_COUNTERS]
        });
        for ((sum, after), before) in sums.iter_mut().zip(after.counters).zip(before.counters) {
            *sum += after - before;
        }
        if before.length != after.length {
            let place = (Window::from_number(window).hour().number(), country, live.hour());
            let lengths = self.lengths.entry(place).or_default();
            for (bucket, count) in before.length.map(|b| (b, -1)).into_iter().chain(after.length.map(|b| (b, 1))) {
                *lengths.entry(bucket).or_insert_with(|| {
                    self.held += 1;
                    0
                }) += count;
            }
        }
    }

    /// Takes in a visitor: hash of the user, hour, country.
    pub fn visit(&mut self, (user, hour, country): (u64, i32, u16), stream_time: i64) {
        let live = live_at(Window::from_number(hour.saturating_mul(4)), stream_time, &self.rules).hour();
        self.users.entry((hour, country, live)).or_default().push(user);
        self.held += 1;
    }

    /// How much it holds: places with counters, buckets of lengths, and visitors.
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counters.clear();
        self.lengths.clear();
        self.users.clear();
        self.held = 0;
    }
}
