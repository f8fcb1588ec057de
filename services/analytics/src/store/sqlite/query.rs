//! Questions in SQL. Fields are JSON as serde writes a [`Value`](crate::store::Value): `{"grain": {"String": "…"}}`.

use rusqlite::Connection;
use rusqlite::types::Value as Parameter;

use super::{decode, failure};
use crate::store::query::GRAIN;
use crate::store::{Fields, Query, StoreError};

/// Answers a question.
pub(super) fn run(connection: &mut Connection, query: &Query) -> Result<Vec<(String, Fields)>, StoreError> {
    query.check()?;
    let failed = |e: rusqlite::Error| failure(&e, &format!("query of {}", query.collection));
    let (sql, parameters) = sql(query);
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let rows = statement
        .query_map(rusqlite::params_from_iter(parameters), |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })
        .map_err(failed)?;
    rows.map(|row| {
        let (path, json) = row.map_err(failed)?;
        let fields = decode(&path, &json)?;
        Ok((path, fields))
    })
    .collect()
}

/// The names of fields are checked to be plain words; all other text is a parameter.
fn sql(query: &Query) -> (String, Vec<Parameter>) {
    let mut sql = "SELECT path, fields FROM documents WHERE collection = ?".to_owned();
    let mut parameters = vec![Parameter::Text(query.collection.clone())];
    let text = |field: &str| format!("fields ->> '$.{field}.String'");
    let number = |field: &str| format!("coalesce(fields ->> '$.{field}.Integer', fields ->> '$.{field}.Double')");
    if let Some(parent) = &query.parent {
        let slash = if parent.is_empty() { "" } else { "/" };
        let prefix = format!("{parent}{slash}{}/", query.collection);
        // Directly below: what follows the prefix has no slash.
        sql.push_str(
            " AND path > ?2 AND substr(path, 1, length(?2)) = ?2 AND instr(substr(path, length(?2) + 1), '/') = 0",
        );
        parameters.push(Parameter::Text(prefix));
    }
    for (field, wanted) in &query.equal {
        sql.push_str(&format!(" AND {} = ?", text(field)));
        parameters.push(Parameter::Text(wanted.clone()));
    }
    if let Some((first, last)) = &query.grains {
        sql.push_str(&format!(" AND {0} >= ? AND {0} <= ?", text(GRAIN)));
        parameters.extend([Parameter::Text(first.clone()), Parameter::Text(last.clone())]);
    }
    if let Some(field) = query.descending {
        sql.push_str(&format!(" AND {0} IS NOT NULL ORDER BY {0} DESC, path DESC", number(field)));
    }
    if query.limit > 0 {
        sql.push_str(" LIMIT ?");
        parameters.push(Parameter::Integer(i64::from(query.limit)));
    }
    (sql, parameters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::SqliteStore;

    #[test]
    fn a_question_for_a_day_uses_the_index() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("store.db")).unwrap();
        let connection = store.connection.lock().unwrap();
        for query in [
            Query::group("statistics").with("grain", "2026-11-21").with("subject", "product").highest("interest_score"),
            Query::group("statistics").with("subject", "shop").between("2026-11-01", "2026-11-21"),
        ] {
            let (sql, parameters) = sql(&query);
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan: Vec<String> = explain
                .query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            assert!(plan.iter().any(|step| step.contains("documents_by_grain")), "{plan:?}");
        }
    }
}
