//! The cache against a store that fails in every way a store may fail, and against rivals that believe to own the same
//! documents.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;
use crate::document::Grain;
use crate::document::path::Subject;

const TEN: Capacity = Capacity { documents: 10, bytes: 1 << 20 };

#[derive(Default)]
struct FakeStore {
    documents: HashMap<String, Stored>,
    clock: i64,
}

impl FakeStore {
    fn commit(&mut self, writes: &[Write]) -> Option<Vec<Version>> {
        let holds = |write: &Write| match (write.guard, self.documents.get(&write.path)) {
            (Guard::Absent, None) => true,
            (Guard::Version(version), Some(stored)) => stored.version == version,
            _ => false,
        };
        if !writes.iter().all(holds) {
            return None;
        }
        let mut versions = Vec::new();
        for write in writes {
            self.clock += 1;
            let version = Version { major: self.clock, minor: 0 };
            self.documents.insert(write.path.clone(), Stored { fields: write.fields.clone(), version });
            versions.push(version);
        }
        Some(versions)
    }
}

fn document(i: u8) -> DocumentId {
    match i % 4 {
        0 => DocumentId::Session(format!("s{i}").into()),
        1 => DocumentId::Counting { country: None, subject: Subject::Shop, grain: Grain::Lifetime },
        _ => {
            let subject = Subject::Payment(format!("m{i}").into());
            DocumentId::Counting { country: None, subject, grain: Grain::Lifetime }
        }
    }
}

fn change(i: u8, offset: i64, first: bool) -> Change {
    match i % 4 {
        0 => {
            let mut entries = Vec::new();
            crate::document::story::Entry::Category(offset, format!("c{offset}").into()).encode_into(&mut entries);
            Change::Story { first, entries }
        }
        1 => Change::Count { add: vec![1, offset, 0, 0, 0, 7], name: None },
        _ => Change::Count { add: vec![1, offset], name: None },
    }
}

/// One of several owners of the partition, each with its own cache and position.
struct Owner {
    cache: Cache,
    next: i64,
    pending: Vec<(Chunk, Outcome)>,
    now: i64,
}

/// What a commit did, and whether the owner gets to know.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Known,
    LostAfter,
    LostBefore,
}

#[derive(Clone, Debug)]
enum Step {
    /// An owner reads and absorbs up to so many records.
    Read(u8, u8),
    /// An owner begins to write what waits.
    Flush(u8, u8),
    /// An owner's oldest write comes to its end.
    Finish(u8),
    /// An owner dies, and another one begins at the committed offset.
    Restart(u8),
    /// An owner commits its offset, if the group still knows it (the others are zombies).
    Commit(u8),
    Evict(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let owner = || 0..2u8;
    prop_oneof![
        4 => (owner(), 1..6u8).prop_map(|(o, n)| Step::Read(o, n)),
        3 => (owner(), 0..3u8).prop_map(|(o, k)| Step::Flush(o, k)),
        3 => owner().prop_map(Step::Finish),
        1 => owner().prop_map(Step::Restart),
        2 => owner().prop_map(Step::Commit),
        1 => owner().prop_map(Step::Evict),
    ]
}

impl Cache {
    /// What is kept by counting is what counting anew would find.
    fn check(&self) {
        assert_eq!(self.bytes, self.entries.values().map(|e| e.bytes).sum::<usize>());
        assert_eq!(self.dirty, self.entries.values().filter(|e| e.dirty.is_some()).count());
    }
}

fn new_owner(next: i64) -> Owner {
    let cache = Cache::new(
        Capacity { documents: 3, bytes: 2_200 },
        Intervals { hot: 0, warm: 0, cold: 0 },
        DocumentRules::default(),
    );
    Owner { cache, next, pending: Vec::new(), now: 0 }
}

fn read(owner: &mut Owner, log: &[(u8, Change)], count: usize, store: &FakeStore) {
    for _ in 0..count {
        let Some((i, change)) = log.get(owner.next as usize) else { return };
        let id = document(*i);
        if owner.cache.must_load(&id, change) {
            owner.cache.load(id.clone(), 0, store.documents.get(&id.path()).cloned()).unwrap();
        }
        owner.cache.absorb(id, change.clone(), 0, owner.next, owner.now).unwrap();
        owner.next += 1;
    }
}

fn flush(owner: &mut Owner, outcome: Outcome) {
    owner.now += 1;
    let chunks = owner.cache.take_due(owner.now, true, 4);
    owner.pending.extend(chunks.into_iter().map(|chunk| (chunk, outcome)));
}

fn finish(owner: &mut Owner, store: &mut FakeStore) {
    if owner.pending.is_empty() {
        return;
    }
    let (Chunk { number, documents, writes, .. }, outcome) = owner.pending.remove(0);
    let applied = if matches!(outcome, Outcome::LostBefore) { None } else { store.commit(&writes) };
    match (applied, outcome) {
        (Some(versions), Outcome::Known) => owner.cache.written(number, documents, &versions, owner.now),
        _ => {
            for id in documents {
                let stored = store.documents.get(&id.path()).cloned();
                owner.cache.reloaded(id, number, stored, owner.now).unwrap();
            }
        }
    }
}

fn drain(owner: &mut Owner, log: &[(u8, Change)], store: &mut FakeStore) {
    for _ in 0..10_000 {
        read(owner, log, 1, store);
        flush(owner, Outcome::Known);
        while !owner.pending.is_empty() {
            finish(owner, store);
        }
        if owner.next == log.len() as i64 && owner.cache.dirty() == 0 {
            return;
        }
    }
    panic!("the cache does not come to rest");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]
    #[test]
    fn every_change_counts_once_whatever_the_store_and_the_rivals_do(
        log in prop::collection::vec((0..6u8, any::<bool>()), 1..60), steps in prop::collection::vec(step(), 0..120),
    ) {
        // The hint "first" is right for the first change of a session, and wrong at times for later ones.
        let mut seen = BTreeSet::new();
        let log: Vec<(u8, Change)> = log.into_iter().enumerate().map(|(offset, (i, lie))| {
            let first = seen.insert(i) || lie;
            (i, change(i, offset as i64, first))
        }).collect();
        let mut store = FakeStore::default();
        let mut committed = 0;
        let mut owners = [new_owner(0), new_owner(0)];
        // Only the owner that began last is known to the group.
        let mut member = 1;
        for step in steps {
            let outcome = |k: u8| [Outcome::Known, Outcome::LostAfter, Outcome::LostBefore][usize::from(k)];
            match step {
                Step::Read(o, n) => read(&mut owners[usize::from(o)], &log, n.into(), &store),
                Step::Flush(o, k) => flush(&mut owners[usize::from(o)], outcome(k)),
                Step::Finish(o) => finish(&mut owners[usize::from(o)], &mut store),
                Step::Restart(o) => {
                    owners[usize::from(o)] = new_owner(committed);
                    member = o;
                }
                Step::Commit(o) if o == member => {
                    let owner = &owners[usize::from(o)];
                    committed = committed.max(owner.cache.committable(0, owner.next));
                }
                Step::Commit(_) => {}
                Step::Evict(o) => owners[usize::from(o)].cache.evict(),
            }
            owners.iter().for_each(|owner| owner.cache.check());
        }
        let mut last = new_owner(committed);
        drain(&mut last, &log, &mut store);
        prop_assert_eq!(last.cache.committable(0, last.next), log.len() as i64);
        let mut expected: HashMap<DocumentId, DocumentState> = HashMap::new();
        for (offset, (i, change)) in log.iter().enumerate() {
            let id = document(*i);
            let state = expected.entry(id.clone()).or_insert_with(|| DocumentState::empty(&id));
            state.absorb(&id, offset as i64, change, &DocumentRules::default()).unwrap();
        }
        prop_assert_eq!(store.documents.len(), expected.len());
        for (id, state) in expected {
            let fields = state.to_fields(&id, 0, &DocumentRules::default());
            prop_assert_eq!(&store.documents[&id.path()].fields, &fields, "{}", id);
        }
    }
}

#[test]
fn a_document_is_written_at_most_once_in_its_interval() {
    let id = document(1);
    let mut cache = Cache::new(TEN, Intervals { hot: 1_000, warm: 5_000, cold: 9_000 }, DocumentRules::default());
    cache.load(id.clone(), 0, None).unwrap();
    // The store takes 300 ms for the first write and none for the others: it may have done the first one at its end.
    let mut writes = Vec::new();
    let mut under_way = None;
    for now in 0..5_000 {
        cache.absorb(id.clone(), change(1, now, false), 0, now, now).unwrap();
        for chunk in cache.take_due(now, false, 1) {
            under_way = Some((if writes.is_empty() { now + 300 } else { now }, chunk));
            writes.push(now);
        }
        if let Some((_, Chunk { number, documents, .. })) = under_way.take_if(|(end, _)| *end <= now) {
            cache.written(number, documents, &[Version { major: now, minor: 0 }], now);
        }
    }
    assert_eq!(writes, [0, 1_300, 2_300, 3_300, 4_300]);
}

#[test]
fn a_cache_is_full_of_documents_or_of_bytes_and_drops_only_what_is_written() {
    let intervals = Intervals { hot: 0, warm: 0, cold: 0 };
    let session = |i: i64| DocumentId::Session(format!("s{i}").into());
    let story = || Change::Story { first: true, entries: Vec::new() };
    for (capacity, fits) in [(TEN, 10), (Capacity { documents: 1_000, bytes: 20 * ENTRY_BYTES }, 20)] {
        let mut cache = Cache::new(capacity, intervals, DocumentRules::default());
        for i in 0..100 {
            cache.load(document(1), 0, None).unwrap();
            cache.evict();
            if cache.is_full() {
                break;
            }
            cache.absorb(session(i), story(), 0, i, 0).unwrap();
        }
        cache.check();
        let dirty = cache.dirty();
        assert!(cache.is_full() && (fits / 2..=fits).contains(&dirty), "{dirty} of {fits}");
        for Chunk { number, documents, .. } in cache.take_due(0, true, 4) {
            let versions = vec![Version { major: 1, minor: 0 }; documents.len()];
            cache.written(number, documents, &versions, 0);
        }
        cache.check();
        assert!(!cache.is_full() && cache.dirty() == 0);
    }
}

#[test]
fn offsets_are_held_back_until_their_documents_are_written() {
    let mut cache = Cache::new(TEN, Intervals { hot: 0, warm: 0, cold: 1_000 }, DocumentRules::default());
    let id = document(2);
    cache.load(id.clone(), 0, None).unwrap();
    cache.absorb(id.clone(), change(2, 5, false), 0, 5, 0).unwrap();
    assert_eq!(cache.committable(0, 6), 5);
    let chunk = cache.take_due(0, true, 1).remove(0);
    cache.absorb(id, change(2, 7, false), 0, 7, 0).unwrap();
    assert_eq!(cache.committable(0, 8), 5);
    cache.written(chunk.number, chunk.documents, &[Version { major: 1, minor: 0 }], 0);
    assert_eq!(cache.committable(0, 8), 7);
}
