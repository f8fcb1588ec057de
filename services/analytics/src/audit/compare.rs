//! Expected against found.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Serialize;

use super::reference::{Bound, Expected};
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
const COLLECTIONS: [&str; 8] =
    ["statistics", "hours", "windows", "shipping", "visits", "leaderboards", "watermarks", "sessions_history"];

/// All documents of the store, by path, without what is not part of the contract.
///
/// # Errors
///
/// If the store can't be read.
pub async fn stored(store: &dyn DocumentStore) -> Result<BTreeMap<String, Fields>, StoreError> {
    let mut all = BTreeMap::new();
    for collection in COLLECTIONS {
        for (path, mut fields) in store.scan(collection).await? {
            comparable(&path, &mut fields);
            all.insert(path, fields);
        }
    }
    Ok(all)
}

/// Takes out of a stored document what is not compared: the service's bookkeeping, and names for people.
pub fn comparable(path: &str, fields: &mut Fields) {
    fields.remove(BOOKKEEPING);
    if path.starts_with("sessions_history/") {
        return;
    }
    fields.remove(NAME);
    if path.ends_with(TRENDING) {
        for list in ["most_bought", "rising"] {
            for entry in entries_mut(fields, list) {
                entry.remove(NAME);
            }
        }
    }
}

/// How paths of trending products end.
const TRENDING: &str = "leaderboards/trending";

fn entries_mut<'a>(fields: &'a mut Fields, list: &str) -> impl Iterator<Item = &'a mut Fields> {
    let list = match fields.get_mut(list) {
        Some(Value::Array(entries)) => &mut entries[..],
        _ => &mut [],
    };
    list.iter_mut().filter_map(|entry| if let Value::Map(entry) = entry { Some(entry) } else { None })
}

/// Compares all documents, field by field. Those that have expired by the wall clock (`now_ms`) may be gone.
pub fn documents(expected: &Expected, stored: &BTreeMap<String, Fields>, now_ms: i64) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (path, want) in &expected.documents {
        let Some(have) = stored.get(path) else {
            if !has_expired(want, now_ms) {
                differences.push(difference(path.clone(), "a document", "none"));
            }
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
        let partial = expected.partial.get(path);
        for (name, value) in have.iter().filter(|(name, _)| want.get(name).is_none()) {
            if !(partial.is_some() && LOOSE.contains(&name)) {
                differences.push(difference(format!("{path} {name}"), "no such field", short(value)));
            }
        }
        let bounds = expected.bounds.get(path).into_iter().flatten();
        differences.extend(bounds.filter_map(|bound| out_of_bounds(path, bound, have)));
        differences.extend(partial.into_iter().flat_map(|quantities| too_many(path, quantities, have)));
    }
    for path in stored.keys().filter(|path| !expected.documents.contains_key(*path)) {
        differences.push(difference(path.clone(), "no document", "one"));
    }
    differences
}

/// Fields of trending products that are not compared exactly where products may have been dropped.
const LOOSE: [&str; 3] = ["most_bought", "rising", "omitted_products_count"];

fn has_expired(fields: &Fields, now_ms: i64) -> bool {
    matches!(fields.get("expires_at"), Some(Value::Timestamp(micros)) if *micros <= now_ms.saturating_mul(1000))
}

/// An estimate that is farther from the truth than it says. (One that is missing is a difference anyway.)
fn out_of_bounds(path: &str, bound: &Bound, have: &Fields) -> Option<Difference> {
    let found = have.get(bound.field)?;
    let estimate = match found {
        Value::Integer(n) => *n as f64,
        Value::Double(x) => *x,
        _ => f64::NAN,
    };
    let good = (estimate - bound.exact).abs() <= bound.error;
    let subject = || format!("{path} {}: {}", bound.field, bound.problem);
    (!good).then(|| difference(subject(), format!("{} ± {}", bound.exact, bound.error), short(found)))
}

/// Products that were bought less than a stored list says.
fn too_many(path: &str, quantities: &BTreeMap<String, i64>, have: &Fields) -> Vec<Difference> {
    let Some(Value::Array(entries)) = have.get("most_bought") else {
        return vec![difference(format!("{path} most_bought"), "a list", "none")];
    };
    let mut differences = Vec::new();
    for entry in entries {
        let field = |name| if let Value::Map(entry) = entry { entry.get(name) } else { None };
        match (field("product"), field("quantity")) {
            (Some(Value::String(product)), Some(Value::Integer(quantity))) => {
                let most = quantities.get(product).copied().unwrap_or(0);
                if *quantity > most {
                    let subject = format!("{path} most_bought {product}");
                    differences.push(difference(subject, format!("at most {most}"), quantity.to_string()));
                }
            }
            _ => differences.push(difference(format!("{path} most_bought"), "products and quantities", short(entry))),
        }
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
        let expected = Expected { documents: documents_of(&[("a", 1), ("b", 2), ("c", 3)]), ..Expected::default() };
        assert!(documents(&expected, &expected.documents, 0).is_empty());
        let found = documents_of(&[("a", 1), ("b", 5), ("d", 4)]);
        let subjects: Vec<String> = documents(&expected, &found, 0).into_iter().map(|d| d.subject).collect();
        assert_eq!(subjects, ["b n", "c", "d"]);
    }

    fn document(fields: Vec<(&'static str, Value)>) -> Fields {
        fields.into_iter().collect()
    }

    fn one(path: &str, fields: Fields) -> BTreeMap<String, Fields> {
        BTreeMap::from([(path.to_owned(), fields)])
    }

    #[test]
    fn an_expired_document_may_be_gone_but_not_be_wrong() {
        let hour = |n| document(vec![("expires_at", Value::Timestamp(5_000)), ("n", Value::Integer(n))]);
        let expected = Expected { documents: one("hours/x", hour(1)), ..Expected::default() };
        let none = BTreeMap::new();
        assert_eq!(documents(&expected, &none, 4).len(), 1);
        assert_eq!(documents(&expected, &none, 5).len(), 0);
        assert_eq!(documents(&expected, &one("hours/x", hour(2)), 5).len(), 1);
    }

    #[test]
    fn an_estimate_that_is_off_by_more_than_its_error_is_a_difference() {
        let visits = |n| document(vec![("users", Value::Integer(n))]);
        let expected = |n| {
            let bound = Bound { field: "users", exact: 100.0, error: 9.0, problem: "far off" };
            let bounds = BTreeMap::from([("visits/x".to_owned(), vec![bound])]);
            Expected { documents: one("visits/x", visits(n)), bounds, ..Expected::default() }
        };
        assert!(documents(&expected(109), &one("visits/x", visits(109)), 0).is_empty());
        let differences = documents(&expected(110), &one("visits/x", visits(110)), 0);
        assert_eq!(differences.len(), 1, "{differences:?}");
        assert_eq!(differences[0].to_string(), "visits/x users: far off: expected 100 ± 9, found 110");
    }

    #[test]
    fn a_list_from_which_products_were_dropped_may_not_say_too_much() {
        let entry = |product: &str, n| {
            let entry = [("product", Value::String(product.into())), ("quantity", Value::Integer(n))];
            Value::Map(entry.into_iter().collect())
        };
        let latest = || ("latest_window", Value::Timestamp(0));
        let path = "countries/DE/leaderboards/trending";
        let partial = BTreeMap::from([(path.to_owned(), BTreeMap::from([("p".to_owned(), 5)]))]);
        let expected = Expected { documents: one(path, document(vec![latest()])), partial, ..Expected::default() };
        let stored = |entries| {
            let fields = vec![
                latest(),
                ("most_bought", Value::Array(entries)),
                ("rising", Value::Array(vec![])),
                ("omitted_products_count", Value::Integer(7)),
            ];
            one(path, document(fields))
        };
        assert!(documents(&expected, &stored(vec![entry("p", 5)]), 0).is_empty());
        assert_eq!(documents(&expected, &stored(vec![entry("p", 6), entry("q", 1)]), 0).len(), 2);
        assert_eq!(documents(&expected, &expected.documents, 0).len(), 1, "without a list");
    }

    #[test]
    fn names_for_people_and_bookkeeping_are_not_compared() {
        let entry = Value::Map(document(vec![(NAME, Value::Integer(1)), ("product", Value::Integer(2))]));
        let mut fields = document(vec![(BOOKKEEPING, Value::Integer(0)), ("rising", Value::Array(vec![entry]))]);
        comparable("leaderboards/trending", &mut fields);
        let entry = Value::Map(document(vec![("product", Value::Integer(2))]));
        assert_eq!(fields, document(vec![("rising", Value::Array(vec![entry]))]));
    }
}
