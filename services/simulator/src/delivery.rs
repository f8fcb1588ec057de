//! The messages of a worker in the order they are sent: generated events, some of them late, out of order or twice,
//! and malformed ones in between.
//!
//! The disorder has random numbers of its own, and works on the schedule's time: switching it on changes the order of
//! events and adds messages, but no event. The same seed and options give the same messages in the same order.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::fact::{Detail, Fact, Kind, Line};
use crate::generator::{Generated, Generator, Plan};
use crate::malformed;
use crate::rng::{Rng, derive};
use crate::settings::{Disorder, MICROS};
use crate::world::World;

/// A message to send.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Key: the session's id.
    pub key: &'a [u8],
    /// Value.
    pub value: &'a [u8],
    /// What it adds to the ledger once acknowledged.
    pub fact: Fact,
    /// The lines of an order.
    pub lines: &'a [Line],
    /// When it is due; `None`: with what came before it.
    pub due: Option<Due>,
}

/// When a message is due. Which of the two counts depends on the run's pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// In the schedule: microseconds since the Unix epoch.
    pub schedule: i64,
    /// Its place among the worker's events, from 0.
    pub number: u64,
}

/// Yields a worker's messages.
#[derive(Debug)]
pub struct Delivery<'w> {
    generator: Generator<'w>,
    disorder: Disorder,
    orderly: bool,
    rng: Rng,
    held: BinaryHeap<Held>,
    holds: u64,
    numbered: u64,
    malformed: Option<(Generated, u8)>,
    value: Vec<u8>,
    released: Option<Held>,
}

/// A message that waits for its time.
#[derive(Debug)]
struct Held {
    due: i64,
    sequence: u64,
    key: String,
    value: Vec<u8>,
    fact: Fact,
    lines: Vec<Line>,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Held {}
impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Held {
    /// Reversed, because the heap's top is its largest element.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.sequence).cmp(&(self.due, self.sequence))
    }
}

impl<'w> Delivery<'w> {
    /// Prepares the messages of a plan.
    pub fn new(world: &'w World, plan: Plan, disorder: Disorder) -> Self {
        let rng = Rng::new(derive(plan.stream, 0x6469_736f_7264_6572));
        let Disorder { late, duplicates, out_of_order, malformed, .. } = disorder;
        let orderly = late + duplicates + out_of_order + malformed == 0.0;
        Self {
            generator: Generator::new(world, plan),
            disorder,
            orderly,
            rng,
            held: BinaryHeap::new(),
            holds: 0,
            numbered: 0,
            malformed: None,
            value: Vec::with_capacity(4096),
            released: None,
        }
    }

    /// Sessions that have started and not ended.
    pub const fn open_sessions(&self) -> u32 {
        self.generator.open_sessions()
    }

    /// When the next event is due in the schedule, in microseconds since the Unix epoch; `None` at the end.
    pub fn clock(&self) -> Option<i64> {
        self.generator.peek_due()
    }

    /// Moves all timestamps from now on so many microseconds later.
    pub fn postpone(&mut self, micros: i64) {
        self.generator.postpone(micros);
    }

    /// The next message; `None` when all have been sent.
    pub fn next_message(&mut self) -> Option<Message<'_>> {
        if let Some((event, kind)) = self.malformed.take() {
            return Some(self.spoiled(event, kind));
        }
        loop {
            let next = self.generator.peek_due();
            if self.held.peek().is_some_and(|held| next.is_none_or(|next| held.due <= next)) {
                return self.release(next.is_some());
            }
            next?;
            self.value.clear();
            let mut event = self.generator.generate(&mut self.value)?;
            self.numbered += 1;
            if !self.orderly && self.disturb(&mut event) {
                continue;
            }
            let due = Some(Due { schedule: event.due, number: self.numbered - 1 });
            let key = self.generator.key(event.seat).as_bytes();
            return Some(Message { key, value: &self.value, fact: event.fact, lines: self.lines(&event.fact), due });
        }
    }

    fn lines(&self, fact: &Fact) -> &[Line] {
        if matches!(fact.detail, Detail::Purchase { .. }) { self.generator.lines() } else { &[] }
    }

    /// Draws what happens to an event on its way. True if it is held back.
    fn disturb(&mut self, event: &mut Generated) -> bool {
        let Disorder { late, late_by, duplicates, out_of_order, malformed } = self.disorder;
        let fate = self.rng.unit();
        let mut sent = event.due;
        let Kind::Original { late: is_late, out_of_order: is_out_of_order } = &mut event.fact.kind else {
            return false;
        };
        if fate < late {
            *is_late = true;
            sent += self.rng.between(late_by / 10, late_by).max(1);
        } else if fate < late + out_of_order {
            *is_out_of_order = true;
            // A session's last event has no successor; it gets behind those of others.
            let last = matches!(event.fact.detail, Detail::Ended { .. });
            sent = if last { sent + self.rng.between(1, 10 * MICROS) } else { event.next_due + 1 };
        }
        if self.rng.chance(malformed) {
            self.malformed = Some((*event, malformed::Kind::pick(&mut self.rng)));
        }
        if self.rng.chance(duplicates) {
            let again = sent + self.rng.between(MICROS / 10, 30 * MICROS);
            self.hold(again, event, Kind::Duplicate);
        }
        let held = sent != event.due;
        if held {
            self.hold(sent, event, event.fact.kind);
            if let Some((event, kind)) = self.malformed.take() {
                // The malformed one must not overtake: next_message() looks for it only after a message.
                self.hold_spoiled(event, kind);
            }
        }
        held
    }

    fn hold(&mut self, due: i64, event: &Generated, kind: Kind) {
        let lines = self.lines(&event.fact).to_vec();
        let key = self.generator.key(event.seat).to_owned();
        let fact = Fact { kind, ..event.fact };
        self.holds += 1;
        self.held.push(Held { due, sequence: self.holds, key, value: self.value.clone(), fact, lines });
    }

    fn hold_spoiled(&mut self, event: Generated, kind: u8) {
        let mut value = Vec::new();
        self.spoil(event, kind, &mut value);
        let key = self.generator.key(event.seat).to_owned();
        let fact = spoiled_fact(event, kind);
        self.holds += 1;
        self.held.push(Held { due: event.due, sequence: self.holds, key, value, fact, lines: Vec::new() });
    }

    fn spoil(&mut self, event: Generated, kind: u8, out: &mut Vec<u8>) {
        let (key, location) = (self.generator.key(event.seat), self.generator.location(event.seat));
        malformed::write(kind, &mut self.rng, self.generator.world(), key, location, event.timestamp, out);
    }

    fn spoiled(&mut self, event: Generated, kind: u8) -> Message<'_> {
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        self.spoil(event, kind, &mut value);
        self.value = value;
        let key = self.generator.key(event.seat).as_bytes();
        Message { key, value: &self.value, fact: spoiled_fact(event, kind), lines: &[], due: None }
    }

    /// Releases the first of those that wait. At the end of the events all come at once.
    fn release(&mut self, more: bool) -> Option<Message<'_>> {
        self.released = self.held.pop();
        let held = self.released.as_ref()?;
        let due = more.then_some(Due { schedule: held.due, number: self.numbered });
        let key = held.key.as_bytes();
        Some(Message { key, value: &held.value, fact: held.fact, lines: &held.lines, due })
    }
}

fn spoiled_fact(event: Generated, kind: u8) -> Fact {
    Fact { kind: Kind::Malformed(kind), detail: Detail::None, ..event.fact }
}
