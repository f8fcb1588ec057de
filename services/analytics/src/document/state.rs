//! The absolute state of a document, as a function of the changes it has absorbed.
//!
//! The changes of a document stand in one partition of the delta topic, in an order that never changes. So its state
//! is a function of the offset up to which they are absorbed, whoever computes it; of two states the one with the
//! higher offset is right and the other is only older. The offset is kept in the document itself.

use storepulse_events::Money;

use super::counters::{Counters, MAX_COUNTERS};
use super::story::{Story, StoryLimits};
use super::{Change, DocumentId, Kind};
use crate::failpoint::{self, Switch};
use crate::store::{Fields, Value};

/// The reserved map field that carries a document's bookkeeping: `partition` and `offset` of the delta topic.
pub const BOOKKEEPING: &str = "_storepulse";

/// The field with the name for people of a product, category or payment method, in its `lifetime` document.
pub const NAME: &str = "name";

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
    Counting { kind: Kind, counters: Counters, name: Option<Box<str>> },
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
        let body = match id.kind() {
            Some(kind) => Body::Counting { kind, counters: [0; MAX_COUNTERS], name: None },
            None => Body::Session(Story::default()),
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
        let body = match id.kind() {
            None => Body::Session(Story::from_fields(fields)),
            Some(kind) => {
                let mut counters = [0; MAX_COUNTERS];
                for (value, counter) in counters.iter_mut().zip(kind.counters()) {
                    *value = match fields.get(counter.name) {
                        Some(Value::Integer(n)) if !counter.is_amount => *n,
                        Some(Value::Double(units)) if counter.is_amount => Money::from_units(*units)
                            .ok_or_else(|| foreign(&format!("{} is not an exact amount", counter.name)))?
                            .minor(),
                        _ => return Err(foreign(&format!("{} is missing or of another type", counter.name))),
                    };
                }
                let name = match fields.get(NAME) {
                    Some(Value::String(name)) => Some(name.as_str().into()),
                    _ => None,
                };
                Body::Counting { kind, counters, name }
            }
        };
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
        limits: StoryLimits,
    ) -> Result<bool, StateError> {
        if offset <= self.absorbed && !failpoint::is_on(Switch::CountRedeliveries) {
            return Ok(false);
        }
        let misfit = |problem: String| StateError::Misfit { path: id.path(), problem };
        match (&mut self.body, change) {
            (Body::Counting { kind, counters, name }, Change::Count { add, name: new_name }) => {
                let count = kind.counters().len();
                if add[count..].iter().any(|add| *add != 0) {
                    return Err(misfit(format!("more counters than the {count} of its kind")));
                }
                for (counter, add) in counters.iter_mut().zip(add) {
                    *counter = counter.checked_add(*add).ok_or_else(|| misfit("a counter overflows".into()))?;
                }
                if new_name.is_some() {
                    name.clone_from(new_name);
                }
            }
            (Body::Session(story), Change::Story { entries, .. }) => {
                story.apply(entries, limits).map_err(|e| misfit(e.to_string()))?;
            }
            (Body::Counting { .. }, Change::Story { .. }) => return Err(misfit("a story for counters".into())),
            (Body::Session(_), Change::Count { .. }) => return Err(misfit("counters for a story".into())),
        }
        self.absorbed = self.absorbed.max(offset);
        Ok(true)
    }

    /// Roughly the memory that the state takes beyond its own size, in bytes.
    pub fn heap_bytes(&self) -> usize {
        match &self.body {
            Body::Session(story) => story.heap_bytes(),
            Body::Counting { name, .. } => name.as_ref().map_or(0, |name| name.len()),
        }
    }

    /// The document's fields, bookkeeping included.
    pub fn to_fields(&self, partition: i32, limits: StoryLimits) -> Fields {
        let mut fields = match &self.body {
            Body::Session(story) => story.fields(limits),
            Body::Counting { kind, counters, name } => {
                let mut fields = Fields::default();
                for (value, counter) in counters.iter().zip(kind.counters()) {
                    let value = if counter.is_amount {
                        Value::Double(Money::from_minor(*value).units())
                    } else {
                        Value::Integer(*value)
                    };
                    fields.set(counter.name, value);
                }
                if let Some(name) = name {
                    fields.set(NAME, Value::String(name.to_string()));
                }
                fields
            }
        };
        let bookkeeping =
            [("partition", Value::Integer(i64::from(partition))), ("offset", Value::Integer(self.absorbed))];
        fields.set(BOOKKEEPING, Value::Map(bookkeeping.into_iter().collect()));
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::{Grain, Subject};
    use super::*;
    use proptest::prelude::*;

    fn product() -> DocumentId {
        DocumentId::Counting { country: None, subject: Subject::Product("p".into()), grain: Grain::Lifetime }
    }

    fn count(add: [i64; 5]) -> Change {
        let mut counters = [0; MAX_COUNTERS];
        counters[..5].copy_from_slice(&add);
        Change::Count { add: counters, name: None }
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
            let limits = StoryLimits::default();
            let mut expected = DocumentState::empty(&id);
            for (offset, add) in log.iter().enumerate() {
                expected.absorb(&id, offset as i64, &count(*add), limits).unwrap();
            }
            let mut state = DocumentState::empty(&id);
            let mut position = 0;
            for (from, to) in replays {
                // A replay begins at or before what is absorbed, as committed offsets do, and goes on for a while.
                let from = from.index(position + 1);
                let to = from + to.index(log.len() - from + 1);
                for (offset, add) in log.iter().enumerate().take(to).skip(from) {
                    state.absorb(&id, offset as i64, &count(*add), limits).unwrap();
                }
                position = position.max(to);
                state = DocumentState::from_fields(&id, state.to_fields(3, limits), 3).unwrap();
            }
            for (offset, add) in log.iter().enumerate().skip(position) {
                state.absorb(&id, offset as i64, &count(*add), limits).unwrap();
            }
            prop_assert_eq!(state, expected);
        }
    }

    #[test]
    fn a_foreign_document_is_not_touched() {
        let id = product();
        let error = DocumentState::from_fields(&id, Fields::default(), 0).unwrap_err();
        assert!(error.to_string().contains("was not written by this service"), "{error}");
        let fields = DocumentState::empty(&id).to_fields(4, StoryLimits::default());
        let error = DocumentState::from_fields(&id, fields, 5).unwrap_err();
        assert!(error.to_string().contains("do not belong together"), "{error}");
    }

    #[test]
    fn a_change_of_another_kind_is_refused() {
        let id = product();
        let mut state = DocumentState::empty(&id);
        let limits = StoryLimits::default();
        let story = Change::Story { first: true, entries: vec![] };
        assert!(state.absorb(&id, 1, &story, limits).is_err());
        let long = Change::Count { add: [1; MAX_COUNTERS], name: None };
        assert!(state.absorb(&id, 1, &long, limits).is_err());
        assert_eq!(state.absorbed(), -1);
    }
}
