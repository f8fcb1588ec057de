//! The absolute state of a document, as a function of the changes it has absorbed.
//!
//! The changes of a document stand in one partition of the delta topic, in an order that never changes. So its state
//! is a function of the offset up to which they are absorbed, whoever computes it; of two states the one with the
//! higher offset is right and the other is only older. The offset is kept in the document itself.

use super::counting::{self, Counting};
use super::rules::DocumentRules;
use super::story::Story;
use super::trending::Trending;
use super::visits::Visits;
use super::watermarks::Watermarks;
use super::{Change, DocumentId};
use crate::failpoint::{self, Switch};
use crate::store::{Fields, Value};

pub use super::counting::NAME;

/// The reserved map field that carries a document's bookkeeping: `partition` and `offset` of the delta topic, and what the
/// fields are made of where they don't tell themselves.
pub const BOOKKEEPING: &str = "_storepulse";

/// Why a stored document or a change can't be used. Retrying can't help.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The stored document is not one that this service wrote.
    #[error("the document {path} was not written by this service: {problem}")]
    Foreign {
        /// Path of the document.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The stored document belongs to another delta topic.
    #[error(
        "the document {path} says that it absorbed offset {offset} of partition {partition} of the delta topic, where \
         it belongs to partition {expected}: the store and the cluster do not belong together"
    )]
    OtherTopic {
        /// Path of the document.
        path: String,
        /// The partition in its bookkeeping.
        partition: i64,
        /// The offset in its bookkeeping.
        offset: i64,
        /// The partition that the document belongs to.
        expected: i32,
    },
    /// The change is of another kind than the document.
    #[error("a change of the delta topic does not fit the document {path}: {problem}")]
    Misfit {
        /// Path of the document.
        path: String,
        /// Why not.
        problem: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Counting(Counting),
    // There are few of these, and each document takes the room of the largest.
    Visits(Box<Visits>),
    Trending(Box<Trending>),
    Watermarks(Watermarks),
    Session(Story),
}

/// The state of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentState {
    /// The highest offset of the document's delta partition that the state contains; −1: none.
    absorbed: i64,
    body: Body,
}

impl DocumentState {
    /// The state of a document that nothing has happened to.
    pub fn empty(id: &DocumentId) -> Self {
        let body = match id {
            DocumentId::Counting { .. } => {
                Counting::empty(id).map_or_else(|| Body::Visits(Box::default()), Body::Counting)
            }
            DocumentId::Trending(_) => Body::Trending(Box::default()),
            DocumentId::Watermarks => Body::Watermarks(Watermarks::default()),
            DocumentId::Session(_) => Body::Session(Story::default()),
        };
        Self { absorbed: -1, body }
    }

    /// The state that a stored document holds. `partition` is where the document's changes are.
    ///
    /// # Errors
    ///
    /// If the fields are not those of such a document.
    pub fn from_fields(id: &DocumentId, mut fields: Fields, partition: i32) -> Result<Self, StateError> {
        let foreign = |problem: &str| StateError::Foreign { path: id.path(), problem: problem.to_owned() };
        let Some(Value::Map(bookkeeping)) = fields.remove(BOOKKEEPING) else {
            return Err(foreign("it has no map field _storepulse"));
        };
        let (Some(Value::Integer(found)), Some(Value::Integer(absorbed))) =
            (bookkeeping.get("partition"), bookkeeping.get("offset"))
        else {
            return Err(foreign("its field _storepulse lacks partition or offset"));
        };
        if *found != i64::from(partition) {
            let (partition, offset, expected) = (*found, *absorbed, partition);
            return Err(StateError::OtherTopic { path: id.path(), partition, offset, expected });
        }
        let body = match id {
            DocumentId::Session(_) => Ok(Body::Session(Story::from_fields(fields))),
            DocumentId::Trending(_) => {
                Trending::from_bookkeeping(&bookkeeping).map(|trending| Body::Trending(Box::new(trending)))
            }
            DocumentId::Watermarks => Watermarks::from_fields(&fields).map(Body::Watermarks),
            DocumentId::Counting { .. } => match Counting::from_fields(id, &fields) {
                Some(counting) => counting.map(Body::Counting),
                None => Visits::from_bookkeeping(&bookkeeping).map(|visits| Body::Visits(Box::new(visits))),
            },
        };
        let body = body.map_err(|problem| foreign(&problem))?;
        Ok(Self { absorbed: *absorbed, body })
    }

    /// The highest offset absorbed; −1: none.
    pub const fn absorbed(&self) -> i64 {
        self.absorbed
    }

    /// Adds the change at `offset`, unless the state already contains it. Says whether it was added.
    ///
    /// # Errors
    ///
    /// If the change is of another kind than the document.
    pub fn absorb(
        &mut self,
        id: &DocumentId,
        offset: i64,
        change: &Change,
        rules: &DocumentRules,
    ) -> Result<bool, StateError> {
        if offset <= self.absorbed && !failpoint::is_on(Switch::CountRedeliveries) {
            return Ok(false);
        }
        let misfit = |problem: String| StateError::Misfit { path: id.path(), problem };
        match (&mut self.body, change) {
            (Body::Counting(counting), Change::Count { add, name }) => counting.add(add, name).map_err(misfit)?,
            (Body::Visits(visits), Change::Visits { users, lengths }) => visits.add(users, lengths),
            (Body::Trending(trending), Change::Trending(trends)) => trending.add(trends, rules),
            (Body::Watermarks(watermarks), Change::Watermarks(partitions)) => watermarks.raise(partitions),
            (Body::Session(story), Change::Story { entries, .. }) => {
                story.apply(entries, rules.story).map_err(|e| misfit(e.to_string()))?;
            }
            _ => return Err(misfit("it is of another kind".into())),
        }
        self.absorbed = self.absorbed.max(offset);
        Ok(true)
    }

    /// Roughly the memory that the state takes beyond its own size, in bytes.
    pub fn heap_bytes(&self) -> usize {
        match &self.body {
            Body::Session(story) => story.heap_bytes(),
            Body::Counting(counting) => counting.heap_bytes(),
            Body::Visits(visits) => visits.heap_bytes(),
            Body::Trending(trending) => trending.heap_bytes(),
            Body::Watermarks(watermarks) => watermarks.heap_bytes(),
        }
    }

    /// The document's fields, bookkeeping included.
    pub fn to_fields(&self, id: &DocumentId, partition: i32, rules: &DocumentRules) -> Fields {
        let mut fields = Fields::default();
        let mut bookkeeping = Fields::default();
        bookkeeping.set("offset", Value::Integer(self.absorbed));
        bookkeeping.set("partition", Value::Integer(i64::from(partition)));
        match &self.body {
            Body::Session(story) => fields = story.fields(rules.story),
            Body::Counting(counting) => counting.describe(rules, &mut fields),
            Body::Visits(visits) => {
                visits.describe(&mut fields);
                visits.keep(&mut bookkeeping);
            }
            Body::Trending(trending) => {
                trending.describe(rules, &mut fields);
                trending.keep(&mut bookkeeping);
            }
            Body::Watermarks(watermarks) => watermarks.describe(rules.watermark_idle_ms, &mut fields),
        }
        counting::identify(id, rules, &mut fields);
        fields.set(BOOKKEEPING, Value::Map(bookkeeping));
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::super::Grain;
    use super::super::path::Subject;
    use super::*;
    use proptest::prelude::*;

    fn product() -> DocumentId {
        DocumentId::Counting { country: None, subject: Subject::Product("p".into()), grain: Grain::Lifetime }
    }

    fn count(add: [i64; 5]) -> Change {
        Change::Count { add: add.to_vec(), name: None }
    }

    proptest! {
        /// However often a log is replayed, from wherever, with the document written and read back in between:
        /// each change counts once.
        #[test]
        fn replays_count_nothing_twice(
            log in prop::collection::vec(prop::array::uniform5(0..1_000_000_000i64), 1..30),
            replays in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..8),
        ) {
            let id = product();
            let rules = DocumentRules::default();
            let mut expected = DocumentState::empty(&id);
            for (offset, add) in log.iter().enumerate() {
                expected.absorb(&id, offset as i64, &count(*add), &rules).unwrap();
            }
            let mut state = DocumentState::empty(&id);
            let mut position = 0;
            for (from, to) in replays {
                // A replay begins at or before what is absorbed, as committed offsets do, and goes on for a while.
                let from = from.index(position + 1);
                let to = from + to.index(log.len() - from + 1);
                for (offset, add) in log.iter().enumerate().take(to).skip(from) {
                    state.absorb(&id, offset as i64, &count(*add), &rules).unwrap();
                }
                position = position.max(to);
                state = DocumentState::from_fields(&id, state.to_fields(&id, 3, &rules), 3).unwrap();
            }
            for (offset, add) in log.iter().enumerate().skip(position) {
                state.absorb(&id, offset as i64, &count(*add), &rules).unwrap();
            }
            prop_assert_eq!(state, expected);
        }
    }

    #[test]
    fn a_foreign_document_is_not_touched() {
        let id = product();
        let error = DocumentState::from_fields(&id, Fields::default(), 0).unwrap_err();
        assert!(error.to_string().contains("was not written by this service"), "{error}");
        let fields = DocumentState::empty(&id).to_fields(&id, 4, &DocumentRules::default());
        let error = DocumentState::from_fields(&id, fields, 5).unwrap_err();
        assert!(error.to_string().contains("do not belong together"), "{error}");
    }

    #[test]
    fn a_change_of_another_kind_is_refused() {
        let id = product();
        let mut state = DocumentState::empty(&id);
        let rules = DocumentRules::default();
        let story = Change::Story { first: true, entries: vec![] };
        assert!(state.absorb(&id, 1, &story, &rules).is_err());
        let long = Change::Count { add: vec![1; 7], name: None };
        assert!(state.absorb(&id, 1, &long, &rules).is_err());
        assert_eq!(state.absorbed(), -1);
    }
}
