use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use storepulse_events::{CartChange, Category, CountryCode, Location, Money, Payload, Product, Quantity, Timestamp};

use super::*;
use crate::document::story::{Story, StoryLimits};
use crate::document::{Change, DocumentId};
use crate::fold::Folder;

const LIMITS: Limits = Limits {
    lifetime_ms: 50,
    lifetime_records: 9,
    checkpoint_events: 12,
    story_idle_ms: 40,
    story_max_ms: 90,
    idle_ms: 25,
};

fn event(session: u8, id: u8, ends: bool) -> Event<'static> {
    let category = Category { id: format!("c{id}").into(), name: "".into() };
    let payload = match id % 4 {
        _ if ends => Payload::SessionEnded { seconds_duration: u32::from(id) },
        1 | 2 => {
            let (id, name, currency) = ("p".into(), "".into(), "USD".into());
            let product = Product { id, name, category, price: Money::from_minor(250), currency };
            let change = CartChange { product, quantity: Quantity::new(u32::from(session) + 1).unwrap() };
            if session.is_multiple_of(2) {
                Payload::ProductAddedToCart(change)
            } else {
                Payload::ProductRemovedFromCart(change)
            }
        }
        _ => Payload::CategoryViewed { category },
    };
    Event {
        event_id: format!("e{id}{ends}").into(),
        session_id: format!("s{session}").into(),
        user_id: "u".into(),
        timestamp: Timestamp::from_micros(1_000_000 + i64::from(id) * 15_000),
        location: Location {
            country: CountryCode::parse(["DE", "US"][usize::from(id % 2)]).unwrap(),
            state: "".into(),
            city: "".into(),
            latitude: 0.0,
            longitude: 0.0,
        },
        payload,
    }
}

impl SessionTable {
    /// What is kept by counting is what counting anew would find.
    fn check(&self) {
        assert_eq!(self.open, self.sessions.values().filter(|s| !s.ended).count());
        let pending: Vec<_> = self.sessions.iter().filter(|(_, s)| s.is_pending()).collect();
        assert_eq!(self.pending, pending.len());
        for (key, session) in pending {
            let due = session.waits.expect("each pending session is looked at again");
            let entries = self.waiting.iter().filter(|Reverse(entry)| *entry == (due, *key)).count();
            assert!(entries >= 1, "each pending session is looked at again");
        }
        for (key, session) in self.sessions.iter().filter(|(_, s)| !s.conduct.is_closed()) {
            let stands =
                self.idling.iter().any(|Reverse((due, k))| k == key && *due <= session.conduct.idle_at(LIMITS.idle_ms));
            assert!(stands, "each session that is not closed is looked at again");
        }
        let offsets: Vec<_> = self.sessions.values().map(|s| s.last_offset).collect();
        assert!(offsets.is_sorted(), "{offsets:?}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A record: session, event id, whether it ends the session, milliseconds since the one before (may go back).
    Event(u8, u8, bool, i64),
    /// A record that is no event.
    Poison(i64),
    /// This machine's clock moves on.
    Wait(i64),
    Commit,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..6u8, 0..12u8, prop::bool::weighted(0.15), -3..14i64).prop_map(|(s, e, x, t)| Step::Event(s, e, x, t)),
        1 => (-3..60i64).prop_map(Step::Poison),
        3 => (0..60i64).prop_map(Step::Wait),
        4 => Just(Step::Commit),
        2 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..150)
}

/// What a run made known: which offsets counted, and each session's story.
#[derive(Default, Debug, PartialEq)]
struct Outcome {
    counted: BTreeSet<usize>,
    stories: BTreeMap<String, Vec<u8>>,
    told: Told,
}

/// What sessions added to documents: counters by path, users, and sessions by path and bucket.
#[derive(Default, Debug, PartialEq)]
struct Told {
    counters: BTreeMap<String, Vec<i64>>,
    users: BTreeSet<(String, u64)>,
    lengths: BTreeMap<(String, u16), i64>,
}

impl Told {
    fn take(&mut self, account: &mut Account) {
        let mut folder = Folder::default();
        folder.account = std::mem::take(account);
        folder.drain(|id, change| self.add(&id, change));
    }

    fn add(&mut self, id: &DocumentId, change: Change) {
        match change {
            Change::Count { add, .. } => {
                let sums = self.counters.entry(id.path()).or_default();
                sums.resize(sums.len().max(add.len()), 0);
                sums.iter_mut().zip(add).for_each(|(sum, add)| *sum += add);
            }
            Change::Visits { users, lengths } => {
                self.users.extend(users.into_iter().map(|user| (id.path(), user)));
                for (bucket, count) in lengths {
                    *self.lengths.entry((id.path(), bucket)).or_default() += count;
                }
            }
            other => panic!("sessions don't tell {other:?}"),
        }
    }

    /// Without what has come to nothing.
    fn tidy(mut self) -> Self {
        self.lengths.retain(|_, count| *count != 0);
        for sums in self.counters.values_mut() {
            sums.truncate(sums.iter().rposition(|sum| *sum != 0).map_or(0, |last| last + 1));
        }
        self
    }
}

/// What sessions tell when nothing ever crashes, in one piece.
fn told_at_once(records: &[(i64, Option<Event<'static>>)]) -> Told {
    let (mut table, mut account, mut told) = (SessionTable::new(LIMITS), Account::default(), Told::default());
    for (offset, (time, event)) in records.iter().enumerate() {
        match event {
            Some(event) => drop(table.observe(event, offset as i64, *time, 0, &mut account)),
            None => table.tick(offset as i64, *time, &mut account),
        }
    }
    told.take(&mut account);
    told.tidy()
}

/// The rules of the module's documentation, the slow way.
fn reference(records: &[(i64, Option<Event<'static>>)]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut sessions: BTreeMap<String, (i64, usize, BTreeSet<String>)> = BTreeMap::new();
    let mut stream_time = i64::MIN;
    for (offset, (time, event)) in records.iter().enumerate() {
        stream_time = stream_time.max(*time);
        let Some(event) = event else { continue };
        let fresh = (stream_time, offset, BTreeSet::new());
        let session = sessions.entry(event.session_id.to_string()).or_insert(fresh.clone());
        let records = (offset - session.1) as i64;
        if stream_time - session.0 > LIMITS.lifetime_ms || records > LIMITS.lifetime_records {
            *session = fresh;
        }
        (session.0, session.1) = (stream_time, offset);
        if session.2.insert(event.event_id.to_string()) {
            outcome.counted.insert(offset);
            Entry::of(event).encode_into(outcome.stories.entry(event.session_id.to_string()).or_default());
        }
    }
    outcome.told = told_at_once(records);
    outcome
}

/// What is durable after a commit, as the broker keeps it.
struct Durable {
    offset: usize,
    position: Position,
    checkpoints: BTreeMap<Box<str>, Vec<u8>>,
    outcome: Outcome,
}

/// What is not committed yet: offsets that count, and what sessions add.
type Uncommitted = (BTreeSet<usize>, Account);

fn commit(table: &mut SessionTable, counted: &mut Uncommitted, next: usize, now: i64, all: bool, d: &mut Durable) {
    let cut = table.cut(next as i64, now, all);
    d.outcome.told.take(&mut counted.1);
    for (id, checkpoint) in cut.checkpoints {
        match checkpoint {
            Some(bytes) => drop(d.checkpoints.insert(id, bytes)),
            None => drop(d.checkpoints.remove(&id)),
        }
    }
    for patch in cut.stories {
        d.outcome.stories.entry(patch.session_id.to_string()).or_default().extend(patch.entries);
    }
    d.outcome.counted.append(&mut counted.0);
    d.offset = next;
    d.position = cut.position;
    table.check();
    assert!(cut.position.restore_from <= next as i64);
    assert!(cut.position.restore_from >= next as i64 - LIMITS.checkpoint_events);
}

fn restore(durable: &Durable, records: &[(i64, Option<Event<'static>>)], now: i64) -> SessionTable {
    let decoded = durable.checkpoints.iter().map(|(id, bytes)| (id.clone(), Checkpoint::decode(bytes).unwrap()));
    let checkpoints = decoded.collect();
    let mut table = SessionTable::restore(LIMITS, checkpoints, durable.position, now);
    let mut account = Account::default();
    let from = durable.position.restore_from as usize;
    for (offset, (time, event)) in records.iter().enumerate().take(durable.offset).skip(from) {
        match event {
            Some(event) => drop(table.observe(event, offset as i64, *time, now, &mut account)),
            None => table.tick(offset as i64, *time, &mut account),
        }
    }
    table.finish_restoring(durable.offset as i64);
    table
}

fn run(steps: &[Step]) -> (Outcome, Vec<(i64, Option<Event<'static>>)>) {
    let mut records: Vec<(i64, Option<Event<'static>>)> = Vec::new();
    let (mut time, mut now) = (1_000, 0);
    let mut durable = Durable {
        offset: 0,
        position: Position { restore_from: 0, stream_time: i64::MIN, watermark: i64::MIN, pending_stories: 0, seal: 0 },
        checkpoints: BTreeMap::new(),
        outcome: Outcome::default(),
    };
    let mut table = SessionTable::new(LIMITS);
    let mut counted: Uncommitted = Default::default();
    let mut next = 0;
    let drain = |table: &mut SessionTable, counted: &mut Uncommitted, next: &mut usize, records: &[_], now| {
        for (offset, (time, event)) in records.iter().enumerate().skip(*next) {
            let (time, event): (&i64, &Option<Event<'static>>) = (time, event);
            match event {
                Some(event) => {
                    if table.observe(event, offset as i64, *time, now, &mut counted.1).is_some() {
                        counted.0.insert(offset);
                    }
                }
                None => table.tick(offset as i64, *time, &mut counted.1),
            }
        }
        *next = records.len();
    };
    for step in steps {
        match step {
            Step::Event(session, id, ends, gap) => {
                time += gap;
                records.push((time, Some(event(*session, *id, *ends))));
            }
            Step::Poison(gap) => {
                time += gap;
                records.push((time, None));
            }
            Step::Wait(ms) => now += ms,
            Step::Commit => commit(&mut table, &mut counted, next, now, false, &mut durable),
            Step::Crash => {
                table = restore(&durable, &records, now);
                counted = Default::default();
                next = durable.offset;
            }
        }
        drain(&mut table, &mut counted, &mut next, &records, now);
    }
    commit(&mut table, &mut counted, next, now, true, &mut durable);
    assert_eq!(durable.position.pending_stories, 0);
    durable.outcome.told = durable.outcome.told.tidy();
    (durable.outcome, records)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn crashes_change_neither_counts_nor_stories(steps in steps()) {
        let (outcome, records) = run(&steps);
        prop_assert_eq!(outcome, reference(&records));
    }
}

/// Takes in an event, and says whether it counts.
fn counts(table: &mut SessionTable, event: &Event<'_>, offset: i64, time: i64) -> bool {
    table.observe(event, offset, time, 0, &mut Account::default()).is_some()
}

#[test]
fn a_duplicate_counts_once_while_its_session_is_known() {
    let mut table = SessionTable::new(LIMITS);
    assert!(counts(&mut table, &event(1, 1, false), 0, 1_000));
    assert!(!counts(&mut table, &event(1, 1, false), 1, 1_040));
    assert!(counts(&mut table, &event(1, 2, true), 2, 1_080));
    assert!(!counts(&mut table, &event(1, 2, true), 3, 1_130));
    assert!(counts(&mut table, &event(1, 2, true), 4, 1_181), "after its lifetime it is a new session");
}

#[test]
fn a_session_is_forgotten_after_so_many_records_of_its_partition() {
    let mut table = SessionTable::new(LIMITS);
    assert!(counts(&mut table, &event(1, 1, false), 0, 1_000));
    assert!(!counts(&mut table, &event(1, 1, false), 9, 1_000), "it is known for nine records");
    table.tick(18, 1_000, &mut Account::default());
    assert_eq!(table.len(), 1);
    table.tick(19, 1_000, &mut Account::default());
    assert!(table.is_empty());
    assert!(counts(&mut table, &event(1, 1, false), 20, 1_000));
}

#[test]
fn a_story_goes_out_when_its_session_ends() {
    let mut table = SessionTable::new(LIMITS);
    counts(&mut table, &event(1, 1, false), 0, 1_000);
    assert!(table.cut(1, 0, false).stories.is_empty());
    counts(&mut table, &event(1, 2, true), 1, 1_000);
    let cut = table.cut(2, 0, false);
    assert_eq!(cut.stories.len(), 1);
    assert!(cut.stories[0].first && cut.checkpoints.is_empty());
    let mut story = Story::default();
    story.apply(&cut.stories[0].entries, StoryLimits::default()).unwrap();
    assert!(story.fields(StoryLimits::default()).get("end_time").is_some());
    counts(&mut table, &event(1, 3, false), 2, 1_000);
    let late = table.cut(3, 0, false);
    assert!(!late.stories[0].first, "what comes late goes out as an addition");
}

#[test]
fn the_story_of_an_endless_session_goes_out_in_pieces() {
    let limits = Limits {
        lifetime_ms: 1_000,
        lifetime_records: 1_000_000,
        checkpoint_events: 1_000_000,
        story_idle_ms: 1_000,
        story_max_ms: 1_000,
        idle_ms: 1_000,
    };
    let mut table = SessionTable::new(limits);
    let count = 100_000;
    for i in 0..count {
        let mut event = event(1, 0, false);
        event.event_id = format!("e{i}").into();
        assert!(counts(&mut table, &event, i, 0));
    }
    let cut = table.cut(count, 0, false);
    assert!(cut.stories.len() > 1);
    assert!(cut.stories.iter().all(|patch| patch.entries.len() < PIECE + 1_000));
    assert_eq!(cut.stories.iter().filter(|patch| patch.first).count(), 1);
    let checkpoint = cut.checkpoints[0].1.as_ref().unwrap();
    assert!(checkpoint.len() < 1_000_000, "{}", checkpoint.len());
}
