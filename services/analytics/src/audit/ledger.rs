//! The simulator's own account of what it produced, against the documents.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use super::compare::Difference;
use crate::store::{Fields, Value};

/// A ledger: for each of its entries the document that must say the same.
pub struct Ledger {
    documents: Vec<(String, BTreeMap<String, i64>)>,
}

impl Ledger {
    /// Reads a ledger that the simulator wrote.
    ///
    /// # Errors
    ///
    /// If the file can't be read or is no ledger.
    pub fn read(path: &Path) -> Result<Self, String> {
        let problem = |e: String| format!("the ledger {}: {e}", path.display());
        let text = std::fs::read_to_string(path).map_err(|e| problem(e.to_string()))?;
        let json: Json = serde_json::from_str(&text).map_err(|e| problem(e.to_string()))?;
        Self::parse(&json).map_err(problem)
    }

    fn parse(json: &Json) -> Result<Self, String> {
        let mut documents = Vec::new();
        let totals = json.get("totals").ok_or("it has no totals")?;
        documents.push(("statistics/lifetime".to_owned(), numbers(totals)));
        for (list, path) in [
            ("by_day", "statistics/{day}"),
            ("cells", "countries/{country}/statistics/{day}"),
            ("products", "products/{id}/statistics/lifetime"),
            ("payments", "payments/{id}/statistics/lifetime"),
        ] {
            let entries = json.get(list).and_then(Json::as_array).ok_or_else(|| format!("it has no list {list}"))?;
            for entry in entries {
                let mut path = path.to_owned();
                for key in ["day", "country", "id"] {
                    if let Some(text) = entry.get(key).and_then(Json::as_str) {
                        path = path.replace(&format!("{{{key}}}"), text);
                    }
                }
                documents.push((path, numbers(entry)));
            }
        }
        Ok(Self { documents })
    }

    /// The number of entries.
    pub fn entries(&self) -> usize {
        self.documents.len()
    }

    /// Compares with the documents of the store. An entry of zeros needs no document.
    pub fn compare(&self, stored: &BTreeMap<String, Fields>) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (path, numbers) in &self.documents {
            let document = stored.get(path);
            for (name, want) in numbers {
                let (field, scale) = match name.strip_suffix("_minor") {
                    Some(field) => (field, 100.0),
                    None => (name.as_str(), 1.0),
                };
                let have = match document.and_then(|d| d.get(field)) {
                    Some(Value::Integer(n)) => *n,
                    Some(Value::Double(x)) => (x * scale).round() as i64,
                    _ => 0,
                };
                if have != *want {
                    let (expected, found) = (format!("{want} (ledger)"), have.to_string());
                    differences.push(Difference { subject: format!("{path} {name}"), expected, found });
                }
            }
        }
        differences
    }
}

fn numbers(entry: &Json) -> BTreeMap<String, i64> {
    let entry = entry.get("counters").unwrap_or(entry);
    let fields = entry.as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.clone(), value.as_i64()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cent_is_a_difference() {
        let ledger = json!({
            "totals": {"purchase_count": 2, "total_amount_minor": 1999},
            "by_day": [], "cells": [], "payments": [],
            "products": [{"id": "p1", "views_count": 3}],
        });
        let ledger = Ledger::parse(&ledger).unwrap();
        let mut shop = Fields::default();
        shop.set("purchase_count", Value::Integer(2));
        shop.set("total_amount", Value::Double(19.99));
        let mut product = Fields::default();
        product.set("views_count", Value::Integer(3));
        let mut stored = BTreeMap::from([
            ("statistics/lifetime".to_owned(), shop.clone()),
            ("products/p1/statistics/lifetime".to_owned(), product),
        ]);
        assert!(ledger.compare(&stored).is_empty());
        shop.set("total_amount", Value::Double(20.0));
        stored.insert("statistics/lifetime".to_owned(), shop);
        assert_eq!(ledger.compare(&stored).len(), 1);
    }
}
