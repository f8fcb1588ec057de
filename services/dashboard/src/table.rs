//! Rows of a table: their order, and CSV (RFC 4180).

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::Value;

use crate::params::Sort;

/// Sorts rows by a column. Rows without a value come last; equals keep their order.
pub fn sort<T: Serialize>(rows: &mut [T], by: Sort) {
    let key = |row: &T| cell(&serde_json::to_value(row).unwrap_or_default(), by.column).cloned().unwrap_or_default();
    rows.sort_by_cached_key(|row| Keyed(key(row), by.descending));
}

struct Keyed(Value, bool);

impl Ord for Keyed {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = match (&self.0, &other.0) {
            (Value::Null, Value::Null) => return Ordering::Equal,
            (Value::Null, _) => return Ordering::Greater,
            (_, Value::Null) => return Ordering::Less,
            (Value::String(a), Value::String(b)) => a.to_lowercase().cmp(&b.to_lowercase()),
            (a, b) => match (a.as_i64(), b.as_i64()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => a.as_f64().unwrap_or_default().total_cmp(&b.as_f64().unwrap_or_default()),
            },
        };
        if self.1 { order.reverse() } else { order }
    }
}

impl PartialOrd for Keyed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Keyed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Keyed {}

/// A value of a row, or of an object in it.
fn cell<'a>(row: &'a Value, column: &str) -> Option<&'a Value> {
    let row = row.as_object()?;
    row.get(column).or_else(|| row.values().filter_map(Value::as_object).find_map(|inner| inner.get(column)))
}

/// Rows as CSV: a line of names, then one for each row.
///
/// Texts that a spreadsheet would take for a formula get an apostrophe in front: names come from events, and whoever
/// opens the file must not run them.
pub fn csv<T: Serialize>(columns: &[&str], rows: &[T]) -> String {
    let mut out = columns.join(",");
    out.push_str("\r\n");
    for row in rows {
        let row = serde_json::to_value(row).unwrap_or_default();
        for (n, column) in columns.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            match cell(&row, column) {
                Some(Value::String(text)) => out.push_str(&quoted(text)),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => out.push_str(&value.to_string()),
                _ => {}
            }
        }
        out.push_str("\r\n");
    }
    out
}

fn quoted(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_by_what_they_or_an_object_in_them_have() {
        let mut rows: Vec<Value> = [
            serde_json::json!({"id": "a", "n": 2, "inner": {"x": 0.5}}),
            serde_json::json!({"id": "B", "n": null, "inner": {"x": 7}}),
            serde_json::json!({"id": "c", "n": 10, "inner": {"x": -1}}),
        ]
        .to_vec();
        let mut order = |column, descending| {
            sort(&mut rows, Sort { column, descending });
            rows.iter().map(|row| row["id"].as_str().unwrap_or_default().to_owned()).collect::<String>()
        };
        assert_eq!([order("n", false), order("n", true)], ["acB", "caB"]);
        assert_eq!([order("x", true), order("id", false)], ["Bac", "aBc"]);
    }

    #[test]
    fn csv_quotes_and_defuses_formulas() {
        let rows = [
            serde_json::json!({"id": "a\"b", "name": "one, two", "n": -5, "rate": null}),
            serde_json::json!({"id": "=1+1", "name": "line\nbreak", "n": 1, "rate": 0.25}),
        ];
        let expected = "id,name,n,rate\r\n\"a\"\"b\",\"one, two\",-5,\r\n'=1+1,\"line\nbreak\",1,0.25\r\n";
        assert_eq!(csv(&["id", "name", "n", "rate"], &rows), expected);
    }
}
