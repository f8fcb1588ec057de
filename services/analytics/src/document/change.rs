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
        /// The increments; money in minor units. Zeros at the end are left out.
        add: Counters,
        /// The name for people of the document's subject, where it is known.
        name: Option<Box<str>>,
    },
    /// People who came, and sessions that are over.
    Visits {
        /// Hashes of users' ids; a user may come often.
        users: Vec<u64>,
        /// Sessions by the bucket of their length ([`super::lengths`]), less those that turned out longer.
        lengths: Vec<(u16, i64)>,
    },
    /// What happened to products.
    Trending(Vec<Trend>),
    /// Partitions of the event topic and their watermarks, in milliseconds since the Unix epoch.
    Watermarks(Vec<(i32, i64)>),
    /// Entries for a session's history.
    Story {
        /// A hint that the store has no document of this session yet. It may be wrong.
        first: bool,
        /// Entries in the encoding of [`super::story`], in topic order.
        #[serde(with = "serde_bytes")]
        entries: Vec<u8>,
    },
}

/// What happened to a product in fifteen minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trend {
    /// The product.
    pub product: Box<str>,
    /// Its name for people.
    pub name: Box<str>,
    /// The window.
    pub window: i32,
    /// What happened to it.
    pub deeds: Deeds,
}

/// What people do with a product, as far as it makes it trend: views, pieces put into a cart and taken out, pieces bought,
/// and what was paid for them in minor units.
pub type Deeds = [i64; 5];

impl Change {
    /// The most users of one change, and products of one: what is more is another change.
    pub const MAX_USERS: usize = 8_192;
    /// See [`Self::MAX_USERS`].
    pub const MAX_TRENDS: usize = 1_024;

    /// Roughly the memory that the change takes beyond its own size, in bytes.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Count { add, name } => size_of_val(&add[..]) + name.as_ref().map_or(0, |name| name.len()),
            Self::Visits { users, lengths } => size_of_val(&users[..]) + size_of_val(&lengths[..]),
            Self::Trending(trends) => trends.iter().map(|t| size_of::<Trend>() + t.product.len() + t.name.len()).sum(),
            Self::Watermarks(partitions) => size_of_val(&partitions[..]),
            Self::Story { entries, .. } => entries.len() + size_of::<(i64, Self)>(),
        }
    }
}

const VERSION: u8 = 2;

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
    /// Hashes of the documents in `current` that may come again. Where two are alike, a record is closed without need, and
    /// nothing else.
    repeated: HashSet<u64>,
}

impl DeltaBatch {
    /// Adds a change. A document may come several times, its parts in order, but for documents of counters, which come
    /// once.
    pub fn push(&mut self, id: &DocumentId, change: &Change) {
        let hash = match id {
            DocumentId::Session(session) => Some(xxh3_64(session.as_bytes())),
            id if id.kind().is_none() => Some(xxh3_64(id.path().as_bytes())),
            _ => None,
        };
        if let Some(hash) = hash
            && !self.repeated.insert(hash)
        {
            self.close();
            self.repeated.insert(hash);
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
        self.repeated.clear();
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

/// Counters without the zeros at their end.
pub fn trimmed(counters: &[i64]) -> Counters {
    let length = counters.iter().rposition(|counter| *counter != 0).map_or(0, |last| last + 1);
    counters[..length].to_vec()
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
    fn every_change_comes_back_and_zeros_at_the_end_are_left_out() {
        let trend = Trend { product: "p".into(), name: "P".into(), window: -7, deeds: [1, 0, i64::MAX, -2, 0] };
        for change in [
            Change::Count { add: trimmed(&[i64::MAX, 0, i64::MIN, 0, 5, 0, 0]), name: Some("n".into()) },
            Change::Count { add: trimmed(&[0; 7]), name: None },
            Change::Visits { users: vec![u64::MAX, 0], lengths: vec![(7, -1)] },
            Change::Trending(vec![trend]),
            Change::Watermarks(vec![(3, i64::MIN)]),
        ] {
            let bytes = postcard::to_stdvec(&change).unwrap();
            assert_eq!(postcard::from_bytes::<Change>(&bytes).unwrap(), change);
        }
        assert_eq!(trimmed(&[1, 0, 2, 0, 0]), [1, 0, 2]);
        assert!(trimmed(&[0, 0]).is_empty());
    }

    #[test]
    fn foreign_bytes_are_refused() {
        for bytes in [&b""[..], b"{\"a\":1}", &[VERSION, 1, 2, 3]] {
            assert!(DeltaBatch::read(bytes).is_err());
        }
    }
}
