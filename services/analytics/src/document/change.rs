//! What is added to a document, and its encoding in the delta topic.
//!
//! A record of the delta topic is a batch: a version byte, then entries until the end, each a [`DocumentId`] and a
//! [`Change`] in postcard's format. A document stands in one record at most once, so "the offset that a document has
//! absorbed" tells exactly which changes it holds.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::DocumentId;
use super::counters::Counters;

/// Something to add to a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// Increments of counters, in the order of the kind's counters.
    Count {
        /// The increments; money in minor units. Zeros at the end are not encoded.
        #[serde(with = "trimmed")]
        add: Counters,
        /// The name for people of the document's subject, where it is known.
        name: Option<Box<str>>,
    },
    /// Entries for a session's history.
    Story {
        /// A hint that the store has no document of this session yet. It may be wrong.
        first: bool,
        /// Entries in the encoding of [`super::story`], in topic order.
        #[serde(with = "serde_bytes")]
        entries: Vec<u8>,
    },
}

impl Change {
    /// Roughly the memory that the change takes beyond its own size, in bytes.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Count { name, .. } => name.as_ref().map_or(0, |name| name.len()),
            Self::Story { entries, .. } => entries.len() + size_of::<(i64, Self)>(),
        }
    }
}

const VERSION: u8 = 1;

/// The most bytes of a record, unless a single entry is larger.
const RECORD_BYTES: usize = 256 * 1024;

/// Why a record of the delta topic can't be read. Retrying can't help.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of the delta topic cannot be read: {0}; is another program writing to it?")]
pub struct DeltaError(String);

/// Collects changes of different documents into records of bounded size.
#[derive(Default)]
pub struct DeltaBatch {
    done: Vec<Vec<u8>>,
    current: Vec<u8>,
    /// Hashes of the sessions in `current`. Where two are alike, a record is closed without need, and nothing else.
    sessions: HashSet<u64>,
}

impl DeltaBatch {
    /// Adds a change. A session may come several times, its parts in order; a counting document comes once.
    pub fn push(&mut self, id: &DocumentId, change: &Change) {
        if let DocumentId::Session(session) = id {
            let hash = xxh3_64(session.as_bytes());
            if !self.sessions.insert(hash) {
                self.close();
                self.sessions.insert(hash);
            }
        }
        if self.current.is_empty() {
            self.current.push(VERSION);
        }
        let start = self.current.len();
        let buffer = std::mem::take(&mut self.current);
        // Encoding into a growing vector can't fail.
        self.current = postcard::to_extend(&(id, change), buffer).unwrap_or_default();
        debug_assert!(self.current.len() > start);
        if self.current.len() >= RECORD_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        if !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
        }
        self.sessions.clear();
    }

    /// The records, ready to be sent.
    pub fn into_records(mut self) -> Vec<Vec<u8>> {
        self.close();
        self.done
    }

    /// Reads one record.
    ///
    /// # Errors
    ///
    /// If the bytes are not a record of this version.
    pub fn read(record: &[u8]) -> Result<Vec<(DocumentId, Change)>, DeltaError> {
        let (version, mut rest) = record.split_first().ok_or_else(|| DeltaError("it is empty".into()))?;
        if *version != VERSION {
            return Err(DeltaError(format!("its version is {version}; this program reads {VERSION}")));
        }
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let entry: (DocumentId, Change);
            (entry, rest) = postcard::take_from_bytes(rest).map_err(|e| DeltaError(e.to_string()))?;
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// Counters as a list without the zeros at its end.
mod trimmed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::Counters;

    pub(super) fn serialize<S: Serializer>(counters: &Counters, serializer: S) -> Result<S::Ok, S::Error> {
        let length = counters.iter().rposition(|counter| *counter != 0).map_or(0, |last| last + 1);
        counters[..length].serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Counters, D::Error> {
        let list = Vec::<i64>::deserialize(deserializer)?;
        let mut counters = Counters::default();
        let places = counters.get_mut(..list.len()).ok_or_else(|| de::Error::custom("too many counters"))?;
        places.copy_from_slice(&list);
        Ok(counters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(i: usize) -> (DocumentId, Change) {
        let id = DocumentId::Session(format!("session-{i}").into());
        (id, Change::Story { first: i.is_multiple_of(2), entries: vec![7; i % 50] })
    }

    #[test]
    fn entries_come_back_in_order_from_records_of_bounded_size() {
        let entries: Vec<_> = (0..20_000).map(entry).collect();
        let mut batch = DeltaBatch::default();
        entries.iter().for_each(|(id, change)| batch.push(id, change));
        let records = batch.into_records();
        assert!(records.len() > 1);
        assert!(records.iter().all(|r| r.len() < RECORD_BYTES + 100));
        let read: Vec<_> = records.iter().flat_map(|r| DeltaBatch::read(r).unwrap()).collect();
        assert_eq!(read, entries);
    }

    #[test]
    fn a_session_stands_in_a_record_once() {
        let mut batch = DeltaBatch::default();
        for i in [0, 1, 0, 0, 2] {
            let (id, change) = entry(i);
            batch.push(&id, &change);
        }
        let sizes: Vec<usize> = batch.into_records().iter().map(|r| DeltaBatch::read(r).unwrap().len()).collect();
        assert_eq!(sizes, [2, 1, 2]);
    }

    #[test]
    fn counters_come_back_whatever_their_zeros() {
        for add in [[0; 7], [1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, -1], [i64::MAX, 0, i64::MIN, 0, 5, 0, 0]] {
            let change = Change::Count { add, name: Some("n".into()) };
            let bytes = postcard::to_stdvec(&change).unwrap();
            assert_eq!(postcard::from_bytes::<Change>(&bytes).unwrap(), change);
        }
    }

    #[test]
    fn foreign_bytes_are_refused() {
        for bytes in [&b""[..], b"{\"a\":1}", &[VERSION, 1, 2, 3]] {
            assert!(DeltaBatch::read(bytes).is_err());
        }
    }
}
