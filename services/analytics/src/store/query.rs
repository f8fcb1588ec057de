//! A question for some documents of a collection.

use std::cmp::Ordering;

use super::{Fields, StoreError, Value};

/// The field that holds a counting document's grain; days, hours and windows sort as text in the order of time.
pub const GRAIN: &str = "grain";

/// A question for documents: those of a collection whose fields are as asked for.
///
/// Only documents that have all the fields that the question names are found. Firestore needs an index for each
/// combination of fields over a collection group: those of the dashboard's questions are in `firestore.indexes.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Query {
    /// Id of the collection, such as `statistics`.
    pub collection: String,
    /// Path of the document that the collection is directly under, such as `countries/DE`; none: the collections of
    /// that id at whatever depth (a collection group).
    pub parent: Option<String>,
    /// Fields that are these texts.
    pub equal: Vec<(&'static str, String)>,
    /// First and last [`GRAIN`], both included.
    pub grains: Option<(String, String)>,
    /// A field with numbers, by which documents come, the highest first. Without it they come in no particular order.
    pub descending: Option<&'static str>,
    /// The most documents; 0: all.
    pub limit: u32,
}

impl Query {
    /// All documents of the collections with this id, wherever they are.
    pub fn group(collection: impl Into<String>) -> Self {
        Self { collection: collection.into(), ..Self::default() }
    }

    /// Only those of the collection that is directly under this document.
    #[must_use]
    pub fn under(mut self, parent: impl Into<String>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// Only those whose field is this text.
    #[must_use]
    pub fn with(mut self, field: &'static str, text: impl Into<String>) -> Self {
        self.equal.push((field, text.into()));
        self
    }

    /// Only those whose grain is one of these, or between them.
    #[must_use]
    pub fn between(mut self, first: impl Into<String>, last: impl Into<String>) -> Self {
        self.grains = Some((first.into(), last.into()));
        self
    }

    /// The highest of a field with numbers first.
    #[must_use]
    pub const fn highest(mut self, field: &'static str) -> Self {
        self.descending = Some(field);
        self
    }

    /// At most so many.
    #[must_use]
    pub const fn limit(mut self, documents: u32) -> Self {
        self.limit = documents;
        self
    }

    /// Refuses what no store has: ids with slashes, names of fields that would need quoting.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`], naming what is wrong.
    pub fn check(&self) -> Result<(), StoreError> {
        let fields = self.equal.iter().map(|(field, _)| *field).chain(self.descending);
        for field in fields {
            if field.is_empty() || !field.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
                return Err(StoreError::Refused(format!("\"{field}\" is not the name of a field to ask for")));
            }
        }
        if self.collection.is_empty() || self.collection.contains('/') {
            return Err(StoreError::Refused(format!("\"{}\" is not the id of a collection", self.collection)));
        }
        let is_document = |path: &str| {
            let ids: Vec<&str> = path.split('/').collect();
            ids.len().is_multiple_of(2) && !ids.contains(&"")
        };
        match &self.parent {
            Some(parent) if !parent.is_empty() && !is_document(parent) => {
                Err(StoreError::Refused(format!("\"{parent}\" is not the path of a document")))
            }
            _ => Ok(()),
        }
    }

    /// What of `documents`, which are those of the collection group, answers the question.
    pub fn of(&self, documents: Vec<(String, Fields)>) -> Vec<(String, Fields)> {
        let mut found: Vec<_> =
            documents.into_iter().filter(|(path, fields)| self.is_under(path) && self.matches(fields)).collect();
        if let Some(field) = self.descending {
            found.sort_by(|(a_path, a), (b_path, b)| {
                let (a, b) = (number(a, field), number(b, field));
                b.partial_cmp(&a).unwrap_or(Ordering::Equal).then_with(|| b_path.cmp(a_path))
            });
        }
        if self.limit > 0 {
            found.truncate(self.limit as usize);
        }
        found
    }

    fn is_under(&self, path: &str) -> bool {
        let Some(parent) = &self.parent else { return true };
        let rest = if parent.is_empty() { Some(path) } else { path.strip_prefix(parent.as_str()) };
        let rest = rest.map(|rest| rest.strip_prefix('/').unwrap_or(rest));
        rest.and_then(|rest| rest.strip_prefix(self.collection.as_str()))
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|id| !id.contains('/'))
    }

    fn matches(&self, fields: &Fields) -> bool {
        let text = |name: &str| match fields.get(name) {
            Some(Value::String(text)) => Some(text.as_str()),
            _ => None,
        };
        self.equal.iter().all(|(name, wanted)| text(name) == Some(wanted))
            && self.grains.as_ref().is_none_or(|(first, last)| {
                text(GRAIN).is_some_and(|grain| first.as_str() <= grain && grain <= last.as_str())
            })
            && self.descending.is_none_or(|field| number(fields, field).is_some())
    }
}

fn number(fields: &Fields, name: &str) -> Option<f64> {
    match fields.get(name) {
        Some(Value::Integer(number)) => Some(*number as f64),
        Some(Value::Double(number)) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_that_no_store_understands_are_refused() {
        for bad in [
            Query::group(""),
            Query::group("a/b"),
            Query::group("a").with("x.y", "1"),
            Query::group("a").highest("`"),
            Query::group("a").under("countries"),
            Query::group("a").under("countries//x/y"),
        ] {
            assert!(matches!(bad.check(), Err(StoreError::Refused(_))), "{bad:?}");
        }
        for good in [Query::group("a"), Query::group("a").under(""), Query::group("a").under("countries/DE")] {
            assert_eq!(good.check(), Ok(()));
        }
    }
}
