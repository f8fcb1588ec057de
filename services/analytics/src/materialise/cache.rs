//! The documents in memory. No input, no output: what to read, what to write, and what the outcome means.
//!
//! A document's state is a function of the offset that it has absorbed (see [`crate::document::state`]). So whenever
//! the store turns out to hold another version than expected, the one of both states that has absorbed more is right,
//! and the other is dropped.

use std::collections::BTreeMap;

use hashlink::LinkedHashMap;

use crate::document::state::StateError;
use crate::document::{Change, DocumentId, DocumentRules, DocumentState, Tier};
use crate::store::{Guard, MAX_COMMIT_BYTES, MAX_WRITES, Stored, Version, Write};

/// The intervals of the tiers, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Intervals {
    /// Of hot documents: between two writes.
    pub hot: i64,
    /// Of warm documents: from a change to its write.
    pub warm: i64,
    /// Of cold documents: from a change to its write.
    pub cold: i64,
}

/// A document in memory.
struct Entry {
    state: DocumentState,
    partition: i32,
    /// The version that the store is known to hold; `None`: no document, or not looked.
    version: Option<Version>,
    /// Set when the state was begun without looking into the store: what it was made of, to be added to what the
    /// store turns out to hold.
    unseen: Option<Vec<(i64, Change)>>,
    /// The first absorbed offset that is not in the store.
    dirty: Option<i64>,
    /// While a write is under way: the first offset absorbed since it began.
    dirty_next: Option<i64>,
    /// The write that is under way, if any.
    in_flight: Option<u64>,
    last_write: i64,
    /// What [`Cache::bytes`] has of it.
    bytes: usize,
}

/// How much the cache holds. What waits to be written can't be dropped, so when there is too much of it no more changes
/// are taken.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Documents.
    pub documents: usize,
    /// Bytes of memory, roughly.
    pub bytes: usize,
}

/// Roughly what a document takes without what its state has beyond its own size: name, state, places in the lists.
const ENTRY_BYTES: usize = 600;

/// A part of what is due, to be written in one commit.
#[derive(Debug)]
pub struct Chunk {
    /// Number of the write: tells the outcome of a write of a former assignment from that of the present one.
    pub number: u64,
    /// The documents.
    pub documents: Vec<DocumentId>,
    /// Their writes, in the same order.
    pub writes: Vec<Write>,
    /// For each the partition and the offset of its first change that is not in the store, in the same order.
    pub since: Vec<(i32, i64)>,
}

impl Chunk {
    const fn new(number: u64) -> Self {
        Self { number, documents: Vec::new(), writes: Vec::new(), since: Vec::new() }
    }
}

/// The documents in memory. Times are milliseconds of this machine's clock.
pub struct Cache {
    /// Least recently changed first.
    entries: LinkedHashMap<DocumentId, Entry>,
    /// What waits to be written, by the time it is due, and then in the order in which it came.
    due: BTreeMap<(i64, u64), DocumentId>,
    last_due: u64,
    /// For each partition, how many documents have their first unwritten change at an offset.
    holds: BTreeMap<i32, BTreeMap<i64, usize>>,
    capacity: Capacity,
    intervals: Intervals,
    rules: DocumentRules,
    dirty: usize,
    bytes: usize,
    last_chunk: u64,
}

impl Cache {
    /// An empty cache.
    pub fn new(capacity: Capacity, intervals: Intervals, rules: DocumentRules) -> Self {
        Self {
            entries: LinkedHashMap::new(),
            due: BTreeMap::new(),
            last_due: 0,
            holds: BTreeMap::new(),
            capacity,
            intervals,
            rules,
            dirty: 0,
            bytes: 0,
            last_chunk: 0,
        }
    }

    /// The number of documents in memory.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no document is in memory.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of documents with changes that are not in the store.
    pub fn dirty(&self) -> usize {
        self.dirty
    }

    /// The memory that the documents take, in bytes, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether so much waits to be written that no more changes should be taken, once [`Self::evict`] has dropped what
    /// can be dropped.
    pub fn is_full(&self) -> bool {
        self.dirty >= self.capacity.documents || self.bytes >= self.capacity.bytes
    }

    /// Whether the store must be asked for this document before `change` can be absorbed. The first part of a
    /// session's story is taken in without looking: almost always there is no document, and the write's guard tells.
    pub fn must_load(&self, id: &DocumentId, change: &Change) -> bool {
        !self.entries.contains_key(id) && !matches!(change, Change::Story { first: true, .. })
    }

    /// Whether the document is in memory.
    pub fn holds(&self, id: &DocumentId) -> bool {
        self.entries.contains_key(id)
    }

    /// Takes in a document as the store holds it.
    ///
    /// # Errors
    ///
    /// If the stored document is not one of this service, or of another cluster.
    pub fn load(&mut self, id: DocumentId, partition: i32, stored: Option<Stored>) -> Result<(), StateError> {
        if self.entries.contains_key(&id) {
            return Ok(());
        }
        let (state, version) = match stored {
            None => (DocumentState::empty(&id), None),
            Some(Stored { fields, version }) => (DocumentState::from_fields(&id, fields, partition)?, Some(version)),
        };
        let mut entry = Entry::new(state, partition, version, None);
        entry.weigh(&mut self.bytes);
        self.entries.insert(id, entry);
        Ok(())
    }

    /// Absorbs a change of the delta record at `offset`, unless the document has absorbed it before. The document must
    /// be loaded if [`Self::must_load`] says so.
    ///
    /// # Errors
    ///
    /// If the change does not fit the document.
    pub fn absorb(
        &mut self,
        id: DocumentId,
        change: Change,
        partition: i32,
        offset: i64,
        now: i64,
    ) -> Result<(), StateError> {
        let entry = match self.entries.to_back(&id) {
            Some(entry) => entry,
            None => {
                let new = || Entry::new(DocumentState::empty(&id), partition, None, Some(Vec::new()));
                self.entries.entry(id.clone()).or_insert_with(new)
            }
        };
        if !entry.state.absorb(&id, offset, &change, &self.rules)? {
            return Ok(());
        }
        if let Some(unseen) = &mut entry.unseen {
            unseen.push((offset, change));
        }
        entry.weigh(&mut self.bytes);
        let slot = if entry.in_flight.is_some() { &mut entry.dirty_next } else { &mut entry.dirty };
        if slot.is_none() {
            *slot = Some(offset);
            *self.holds.entry(partition).or_default().entry(offset).or_default() += 1;
            if entry.in_flight.is_none() {
                self.dirty += 1;
                let due = self.intervals.due(id.tier(), entry.last_write, now);
                self.wait(due, id);
            }
        }
        Ok(())
    }

    /// What is due at `now`, or all that waits with `all`, in chunks of one commit each; at most `max` chunks.
    pub fn take_due(&mut self, now: i64, all: bool, max: usize) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let mut chunk = self.new_chunk();
        let mut bytes = 0;
        while chunks.len() < max {
            let Some((due, id)) = self.due.pop_first() else { break };
            if due.0 > now && !all {
                self.due.insert(due, id);
                break;
            }
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let fields = entry.state.to_fields(&id, entry.partition, &self.rules);
            let size = fields.size() + 256;
            if chunk.writes.len() >= MAX_WRITES || (bytes + size > MAX_COMMIT_BYTES && !chunk.writes.is_empty()) {
                self.last_chunk += 1;
                let next = Chunk::new(self.last_chunk);
                chunks.push(std::mem::replace(&mut chunk, next));
                bytes = 0;
                if chunks.len() >= max {
                    self.due.insert(due, id);
                    break;
                }
            }
            bytes += size;
            entry.in_flight = Some(chunk.number);
            let guard = entry.version.map_or(Guard::Absent, Guard::Version);
            chunk.since.push((entry.partition, entry.dirty.unwrap_or(i64::MAX)));
            chunk.writes.push(Write { path: id.path(), fields, guard });
            chunk.documents.push(id);
        }
        if !chunk.writes.is_empty() {
            chunks.push(chunk);
        }
        chunks
    }

    fn wait(&mut self, due: i64, id: DocumentId) {
        self.last_due += 1;
        self.due.insert((due, self.last_due), id);
    }

    fn new_chunk(&mut self) -> Chunk {
        self.last_chunk += 1;
        Chunk::new(self.last_chunk)
    }

    /// Takes in that chunk `number` was written, with the new versions in order.
    pub fn written(&mut self, number: u64, documents: Vec<DocumentId>, versions: &[Version], now: i64) {
        for (id, version) in documents.into_iter().zip(versions) {
            self.settle(id, number, now, |entry| {
                entry.version = Some(*version);
                entry.unseen = None;
                true
            });
        }
    }

    /// Takes in what the store holds of a document of chunk `number`, whose outcome is unknown, or that met another
    /// version than expected.
    ///
    /// # Errors
    ///
    /// If the stored document is not one of this service, or of another cluster.
    pub fn reloaded(
        &mut self,
        id: DocumentId,
        number: u64,
        stored: Option<Stored>,
        now: i64,
    ) -> Result<(), StateError> {
        let Some(entry) = self.entries.get(&id) else { return Ok(()) };
        let partition = entry.partition;
        let found = match stored {
            None => None,
            Some(Stored { fields, version }) => Some((DocumentState::from_fields(&id, fields, partition)?, version)),
        };
        let mut outcome = Ok(());
        let rules = self.rules;
        let path = id.clone();
        self.settle(id, number, now, |entry| {
            let Some((mut theirs, version)) = found else {
                entry.version = None;
                return false;
            };
            entry.version = Some(version);
            if let Some(unseen) = entry.unseen.take() {
                // What we hold began from nothing; it belongs on top of what is there.
                let mut nothing_missing = true;
                for (offset, change) in &unseen {
                    match theirs.absorb(&path, *offset, change, &rules) {
                        Ok(added) => nothing_missing &= !added,
                        Err(error) => outcome = Err(error),
                    }
                }
                entry.state = theirs;
                return nothing_missing;
            }
            if theirs.absorbed() >= entry.state.absorbed() {
                entry.state = theirs;
                return true;
            }
            false
        });
        outcome
    }

    /// Ends a write: `update` says whether the store now holds all that was absorbed when the write began.
    fn settle(&mut self, id: DocumentId, number: u64, now: i64, update: impl FnOnce(&mut Entry) -> bool) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.in_flight != Some(number) {
            return;
        }
        entry.in_flight = None;
        // The interval begins at the end of a write: the store may have taken any time since its beginning to do it.
        entry.last_write = now;
        let written = update(entry);
        entry.weigh(&mut self.bytes);
        let holds = self.holds.entry(entry.partition).or_default();
        if written {
            release(holds, entry.dirty.take());
            entry.dirty = entry.dirty_next.take();
        } else if entry.dirty_next.is_some() {
            // The first unwritten change is still the one of before.
            release(holds, entry.dirty_next.take());
        }
        if entry.dirty.is_some() {
            let due = if written { self.intervals.due(id.tier(), entry.last_write, now) } else { now };
            self.wait(due, id);
        } else {
            self.dirty -= 1;
            if matches!(id, DocumentId::Session(_)) {
                self.bytes -= entry.bytes;
                self.entries.remove(&id);
            }
        }
    }

    /// Up to which offset of a partition everything is in the store, if `next` is the next offset to be absorbed.
    pub fn committable(&self, partition: i32, next: i64) -> i64 {
        self.holds.get(&partition).and_then(|h| h.keys().next()).map_or(next, |first| next.min(*first))
    }

    /// Forgets everything of partitions that are no longer this instance's. Their next owner reads the documents, and
    /// the changes that are not in them.
    pub fn forget(&mut self, partitions: &[i32]) {
        let gone = |entry: &Entry| partitions.contains(&entry.partition);
        self.dirty -= self.entries.values().filter(|e| gone(e) && e.dirty.is_some()).count();
        self.bytes -= self.entries.values().filter(|e| gone(e)).map(|e| e.bytes).sum::<usize>();
        let entries = &self.entries;
        self.due.retain(|_, id| entries.get(id).is_some_and(|e| !gone(e)));
        self.entries.retain(|_, entry| !gone(entry));
        self.holds.retain(|partition, _| !partitions.contains(partition));
    }

    /// Drops clean documents until the cache keeps its capacity, those first that did not change for longest.
    pub fn evict(&mut self) {
        const TRIES: usize = 1_000;
        for _ in 0..TRIES {
            let over = self.entries.len() > self.capacity.documents || self.bytes >= self.capacity.bytes;
            // With nothing clean there is nothing to drop.
            if !over || self.dirty >= self.entries.len() {
                return;
            }
            let Some((id, entry)) = self.entries.pop_front() else { return };
            if entry.dirty.is_some() || entry.in_flight.is_some() {
                self.entries.insert(id, entry);
            } else {
                self.bytes -= entry.bytes;
            }
        }
    }
}

fn release(holds: &mut BTreeMap<i64, usize>, offset: Option<i64>) {
    let Some(offset) = offset else { return };
    if let Some(count) = holds.get_mut(&offset) {
        *count -= 1;
        if *count == 0 {
            holds.remove(&offset);
        }
    }
}

impl Entry {
    fn new(state: DocumentState, partition: i32, version: Option<Version>, unseen: Option<Vec<(i64, Change)>>) -> Self {
        Self {
            state,
            partition,
            version,
            unseen,
            dirty: None,
            dirty_next: None,
            in_flight: None,
            last_write: i64::MIN / 2,
            bytes: 0,
        }
    }

    /// Brings `total` up to date with what this document takes.
    fn weigh(&mut self, total: &mut usize) {
        let unseen = self.unseen.iter().flatten().map(|(_, change)| change.heap_bytes()).sum::<usize>();
        let bytes = ENTRY_BYTES + self.state.heap_bytes() + unseen;
        *total = *total - self.bytes + bytes;
        self.bytes = bytes;
    }
}

impl Intervals {
    fn due(&self, tier: Tier, last_write: i64, now: i64) -> i64 {
        match tier {
            Tier::Hot => now.max(last_write + self.hot),
            Tier::Warm => now + self.warm,
            Tier::Cold => now + self.cold,
            Tier::Session => now,
        }
    }
}

#[cfg(test)]
mod tests;
