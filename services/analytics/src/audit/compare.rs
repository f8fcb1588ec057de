//! Expected against found.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Serialize;

use super::reference::Expected;
use super::topics::Letter;
use crate::document::state::{BOOKKEEPING, NAME};
use crate::store::{DocumentStore, Fields, StoreError, Value};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What: a document's path and field, or a dead letter's origin.
    pub subject: String,
    /// What the topics say.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.subject, self.expected, self.found)
    }
}

/// The collections that hold the contract's documents, at whatever depth.
const COLLECTIONS: [&str; 3] = ["statistics", "shipping", "sessions_history"];

/// All documents of the store, by path, without what is not part of the contract.
///
/// # Errors
///
/// If the store can't be read.
pub async fn stored(store: &dyn DocumentStore) -> Result<BTreeMap<String, Fields>, StoreError> {
    let mut all = BTreeMap::new();
    for collection in COLLECTIONS {
        for (path, mut fields) in store.scan(collection).await? {
            fields.remove(BOOKKEEPING);
            if !path.starts_with("sessions_history/") {
                fields.remove(NAME);
            }
            all.insert(path, fields);
        }
    }
    Ok(all)
}

/// Compares all documents, field by field.
pub fn documents(expected: &Expected, stored: &BTreeMap<String, Fields>) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (path, want) in &expected.documents {
        let Some(have) = stored.get(path) else {
            differences.push(difference(path.clone(), "a document", "none"));
            continue;
        };
        let unordered = expected.unordered.contains(path);
        for (name, value) in want.iter() {
            let found = have.get(name);
            if !found.is_some_and(|found| same(value, found, unordered)) {
                let found = found.map_or("no such field".into(), short);
                differences.push(difference(format!("{path} {name}"), short(value), found));
            }
        }
        for (name, value) in have.iter() {
            if want.get(name).is_none() {
                differences.push(difference(format!("{path} {name}"), "no such field", short(value)));
            }
        }
    }
    for path in stored.keys().filter(|path| !expected.documents.contains_key(*path)) {
        differences.push(difference(path.clone(), "no document", "one"));
    }
    differences
}

/// Compares dead letters: each rejected message must be there once, as it was, with its reason.
pub fn dead_letters(expected: &[Letter], found: Vec<Letter>) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut by_origin: HashMap<(i32, i64), Vec<Letter>> = HashMap::new();
    for letter in found {
        by_origin.entry(letter.origin).or_default().push(letter);
    }
    for want in expected {
        let subject = || format!("dead letter of partition {} offset {}", want.origin.0, want.origin.1);
        match by_origin.remove(&want.origin).as_deref() {
            None => differences.push(difference(subject(), &want.reason, "none")),
            Some([one]) if one == want => {}
            Some([one]) => {
                let found = if one.hash == want.hash { one.reason.clone() } else { "another message".into() };
                differences.push(difference(subject(), &want.reason, found));
            }
            Some(many) => differences.push(difference(subject(), "one", many.len().to_string())),
        }
    }
    for (origin, letters) in by_origin {
        let subject = format!("dead letter of partition {} offset {}", origin.0, origin.1);
        differences.push(difference(subject, "none", letters.len().to_string()));
    }
    differences
}

fn difference(subject: String, expected: impl Into<String>, found: impl Into<String>) -> Difference {
    Difference { subject, expected: expected.into(), found: found.into() }
}

fn same(want: &Value, have: &Value, unordered: bool) -> bool {
    match (want, have) {
        (Value::Array(a), Value::Array(b)) if unordered => {
            let sorted = |values: &[Value]| {
                let mut texts: Vec<String> = values.iter().map(|v| format!("{v:?}")).collect();
                texts.sort();
                texts
            };
            sorted(a) == sorted(b)
        }
        _ => want == have,
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Integer(n) => n.to_string(),
        Value::Double(x) => format!("{x:?}"),
        Value::Array(values) => format!("a list of {}", values.len()),
        other => format!("{other:?}").chars().take(120).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(offset: i64, reason: &str, hash: u64) -> Letter {
        Letter { origin: (0, offset), reason: reason.into(), hash }
    }

    #[test]
    fn a_dead_letter_that_is_missing_doubled_or_altered_is_a_difference() {
        let expected =
            [letter(1, "not_json", 7), letter(2, "not_json", 7), letter(3, "not_json", 7), letter(4, "x", 1)];
        let found = vec![
            letter(2, "not_json", 7),
            letter(2, "not_json", 7),
            letter(3, "not_json", 8),
            letter(4, "x", 1),
            letter(9, "x", 1),
        ];
        let differences = dead_letters(&expected, found);
        assert_eq!(differences.len(), 4, "{differences:?}");
    }

    #[test]
    fn a_document_that_is_missing_unexpected_or_altered_is_a_difference() {
        let fields = |n: i64| {
            let mut fields = Fields::default();
            fields.set("n", Value::Integer(n));
            fields
        };
        let documents_of = |entries: &[(&str, i64)]| -> BTreeMap<String, Fields> {
            entries.iter().map(|(path, n)| ((*path).to_owned(), fields(*n))).collect()
        };
        let expected =
            Expected { documents: documents_of(&[("a", 1), ("b", 2), ("c", 3)]), unordered: Default::default() };
        assert!(documents(&expected, &expected.documents).is_empty());
        let found = documents_of(&[("a", 1), ("b", 5), ("d", 4)]);
        let subjects: Vec<String> = documents(&expected, &found).into_iter().map(|d| d.subject).collect();
        assert_eq!(subjects, ["b n", "c", "d"]);
    }
}
