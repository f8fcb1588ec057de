//! The store in an embedded SQLite file: for a laptop, for tests, and where there is no Firestore.
//!
//! It keeps the promises of the trait, and refuses what Firestore refuses, so far as the service could come upon it.
//! Processes may share the file: one writes at a time, the others wait for up to five seconds.
//!
//! A commit is on the disk when it returns (write-ahead log, `synchronous=FULL`), in one transaction. Versions are
//! numbers of a counter in the file, one for each commit.

mod listen;
mod query;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior};

use super::{DocumentStore, Fields, Guard, Heard, Query, StoreError, Stored, Value, Version, Write};

/// How long a call waits for another process that is writing.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

const READ_LIMIT: Duration = Duration::from_secs(10);
const COMMIT_LIMIT: Duration = Duration::from_secs(10);
const SCAN_LIMIT: Duration = Duration::from_secs(60);

/// How deep Firestore lets maps and arrays nest (<https://firebase.google.com/docs/firestore/quotas>).
const MAX_DEPTH: usize = 20;

/// The layout of the file, in its `user_version`.
const LAYOUT: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE documents (
        path TEXT NOT NULL PRIMARY KEY,
        collection TEXT NOT NULL,
        version INTEGER NOT NULL,
        fields TEXT NOT NULL
    ) STRICT;
    CREATE INDEX documents_of_collection ON documents (collection);
    CREATE TABLE counter (version INTEGER NOT NULL) STRICT;
    INSERT INTO counter VALUES (0);
    PRAGMA user_version = 1;
";

/// What questions are answered by. It came after the layout, of which it is no part: other versions keep it up to date.
const INDEX: &str = "
    CREATE INDEX IF NOT EXISTS documents_by_grain ON documents (collection, fields ->> '$.grain.String')
    WHERE fields ->> '$.grain.String' IS NOT NULL;
";

/// See the [module](self).
#[derive(Clone)]
pub struct SqliteStore {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteStore {
    /// Opens the file, and makes it if it does not exist. It blocks the thread for as long as the disk takes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if another process holds the file; [`StoreError::Refused`] if it can't be opened, is
    /// no database, or was laid out by another version of the service.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |e: rusqlite::Error| failure(&e, &format!("file {}", path.display()));
        let mut connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(BUSY_LIMIT).map_err(failed)?;
        // It answers with the mode that is now in force.
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let layout: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        match layout {
            0 => transaction.execute_batch(SCHEMA).map_err(failed)?,
            LAYOUT => {}
            other => {
                return Err(StoreError::Refused(format!(
                    "file {}: its layout is number {other}, known is {LAYOUT}: use the version that made it",
                    path.display()
                )));
            }
        }
        transaction.execute_batch(INDEX).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs `work` where it may block, within a time limit. Work that passes the limit goes on to its end.
    fn blocking<T, F>(&self, limit: Duration, work: F) -> BoxFuture<'static, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        Box::pin(async move {
            let task = tokio::task::spawn_blocking(move || {
                // A panic rolled its transaction back: the connection is sound.
                work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
            });
            match tokio::time::timeout(limit, task).await {
                Ok(Ok(result)) => result,
                Ok(Err(e)) => Err(StoreError::Unavailable(format!("the task of the embedded store failed: {e}"))),
                Err(_) => Err(StoreError::Unavailable(format!(
                    "the embedded store did not answer within {} s",
                    limit.as_secs()
                ))),
            }
        })
    }
}

impl DocumentStore for SqliteStore {
    fn read<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Stored>>, StoreError>> {
        let paths = paths.to_vec();
        self.blocking(READ_LIMIT, move |connection| read(connection, &paths))
    }

    fn commit<'a>(&'a self, writes: &'a [Write]) -> BoxFuture<'a, Result<Vec<Version>, StoreError>> {
        if writes.is_empty() {
            return Box::pin(async { Ok(Vec::new()) });
        }
        let writes = writes.to_vec();
        self.blocking(COMMIT_LIMIT, move |connection| commit(connection, &writes))
    }

    fn scan<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<Vec<(String, Fields)>, StoreError>> {
        let collection = collection.to_owned();
        self.blocking(SCAN_LIMIT, move |connection| scan(connection, &collection))
    }

    fn child_ids<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        let collection = collection.to_owned();
        self.blocking(READ_LIMIT, move |connection| child_ids(connection, &collection))
    }

    fn query<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Vec<(String, Fields)>, StoreError>> {
        let query = query.clone();
        self.blocking(READ_LIMIT, move |connection| query::run(connection, &query))
    }

    fn listen(&self, paths: Vec<String>) -> BoxStream<'static, Result<Heard, StoreError>> {
        listen::listen(self.clone(), paths)
    }
}

fn read(connection: &mut Connection, paths: &[String]) -> Result<Vec<Option<Stored>>, StoreError> {
    let failed = |e: rusqlite::Error| failure(&e, "read");
    // A transaction, so that all are read as of one moment.
    let transaction = connection.transaction().map_err(failed)?;
    let mut query =
        transaction.prepare_cached("SELECT version, fields FROM documents WHERE path = ?").map_err(failed)?;
    paths
        .iter()
        .map(|path| {
            let row = query
                .query_row([path], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
                .optional()
                .map_err(failed)?;
            row.map(|(major, json)| Ok(Stored { fields: decode(path, &json)?, version: Version { major, minor: 0 } }))
                .transpose()
        })
        .collect()
}

fn commit(connection: &mut Connection, writes: &[Write]) -> Result<Vec<Version>, StoreError> {
    let failed = |e: rusqlite::Error| failure(&e, "commit");
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let major: i64 = transaction
        .query_row("UPDATE counter SET version = version + 1 RETURNING version", [], |row| row.get(0))
        .map_err(failed)?;
    {
        let mut insert = transaction
            .prepare_cached(
                "INSERT INTO documents (path, collection, version, fields) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (path) DO NOTHING",
            )
            .map_err(failed)?;
        let mut update = transaction
            .prepare_cached("UPDATE documents SET version = ?2, fields = ?3 WHERE path = ?1 AND version = ?4")
            .map_err(failed)?;
        for Write { path, fields, guard } in writes {
            let collection = collection_of(path)?;
            let json = encode(path, fields)?;
            let (changed, expected) = match guard {
                Guard::Absent => (insert.execute((path, collection, major, &json)), "absent"),
                Guard::Version(expected) => {
                    (update.execute((path, major, &json, expected.major)), "in the expected version")
                }
            };
            if changed.map_err(failed)? == 0 {
                // The transaction is rolled back when it goes out of scope.
                return Err(StoreError::Conflict(format!("{path} is not {expected}")));
            }
        }
    }
    transaction.commit().map_err(failed)?;
    Ok(vec![Version { major, minor: 0 }; writes.len()])
}

fn scan(connection: &mut Connection, collection: &str) -> Result<Vec<(String, Fields)>, StoreError> {
    let failed = |e: rusqlite::Error| failure(&e, "scan");
    let mut query =
        connection.prepare_cached("SELECT path, fields FROM documents WHERE collection = ?").map_err(failed)?;
    let rows = query
        .query_map([collection], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .map_err(failed)?;
    rows.map(|row| {
        let (path, json) = row.map_err(failed)?;
        let fields = decode(&path, &json)?;
        Ok((path, fields))
    })
    .collect()
}

fn child_ids(connection: &mut Connection, collection: &str) -> Result<Vec<String>, StoreError> {
    let failed = |e: rusqlite::Error| failure(&e, "list");
    // Paths below a collection lie between "collection/" and "collection0", as 0 is the character after the slash.
    // What follows the prefix, up to the next slash or the end, is the id.
    let mut query = connection
        .prepare_cached(
            "SELECT DISTINCT substr(rest, 1, instr(rest || '/', '/') - 1) AS id
             FROM (SELECT substr(path, length(?1) + 2) AS rest FROM documents WHERE path > ?1 || '/' AND path < ?1 || '0')
             ORDER BY id",
        )
        .map_err(failed)?;
    let ids = query.query_map([collection], |row| row.get(0)).map_err(failed)?;
    ids.collect::<Result<_, _>>().map_err(failed)
}

/// The name of the collection that the document at `path` is in.
fn collection_of(path: &str) -> Result<&str, StoreError> {
    let segments: Vec<&str> = path.split('/').collect();
    match segments[..] {
        [.., collection, _] if segments.len().is_multiple_of(2) && !segments.contains(&"") => Ok(collection),
        _ => Err(StoreError::Refused(format!(
            "\"{path}\" is not the path of a document: collection and id, in turn, divided by slashes"
        ))),
    }
}

fn encode(path: &str, fields: &Fields) -> Result<String, StoreError> {
    for (name, value) in fields.iter() {
        check(value, 1).map_err(|why| StoreError::Refused(format!("field {name} of {path}: {why}")))?;
    }
    serde_json::to_string(fields).map_err(|e| StoreError::Refused(format!("{path}: {e}")))
}

fn decode(path: &str, json: &str) -> Result<Fields, StoreError> {
    serde_json::from_str(json).map_err(|e| StoreError::Refused(format!("{path}: what the file holds is damaged: {e}")))
}

/// Refuses what Firestore refuses, and numbers that JSON does not have.
fn check(value: &Value, depth: usize) -> Result<(), &'static str> {
    match value {
        Value::Double(v) if !v.is_finite() => Err("a number is not finite"),
        Value::Array(_) | Value::Map(_) if depth > MAX_DEPTH => Err("lists and maps nest too deep"),
        Value::Array(values) if values.iter().any(|v| matches!(v, Value::Array(_))) => Err("a list is in a list"),
        Value::Array(values) => values.iter().try_for_each(|v| check(v, depth + 1)),
        Value::Map(map) => map.iter().try_for_each(|(_, v)| check(v, depth + 1)),
        Value::Integer(_) | Value::Double(_) | Value::String(_) | Value::Timestamp(_) => Ok(()),
    }
}

fn failure(error: &rusqlite::Error, what: &str) -> StoreError {
    let text = format!("{what}: {error}");
    match error.sqlite_error_code() {
        // A full disk can be emptied; after an error of the disk it is unknown whether a commit happened.
        Some(
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull | ErrorCode::SystemIoFailure,
        ) => StoreError::Unavailable(text),
        _ => StoreError::Refused(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &str, value: Value, guard: Guard) -> Write {
        let mut fields = Fields::default();
        fields.set("n", value);
        Write { path: path.to_owned(), fields, guard }
    }

    #[tokio::test]
    async fn two_openings_of_a_file_see_each_other_s_commits() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("store.db");
        let (one, two) = (SqliteStore::open(&file).unwrap(), SqliteStore::open(&file).unwrap());
        let first = one.commit(&[write("a/b", Value::Integer(1), Guard::Absent)]).await.unwrap()[0];
        let second = two.commit(&[write("a/b", Value::Integer(2), Guard::Version(first))]).await.unwrap()[0];
        assert!(second > first);
        let stale = one.commit(&[write("a/b", Value::Integer(3), Guard::Version(first))]).await;
        assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    }

    #[tokio::test]
    async fn documents_outlive_the_process_that_wrote_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("store.db");
        let w = write("a/b", Value::Double(0.1), Guard::Absent);
        SqliteStore::open(&file).unwrap().commit(std::slice::from_ref(&w)).await.unwrap();
        let read = SqliteStore::open(&file).unwrap().read(&["a/b".to_owned()]).await.unwrap();
        assert_eq!(read[0].as_ref().unwrap().fields, w.fields);
    }

    #[tokio::test]
    async fn a_file_that_another_process_is_writing_is_unavailable() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("store.db");
        let store = SqliteStore::open(&file).unwrap();
        store.connection.lock().unwrap().busy_timeout(Duration::from_millis(50)).unwrap();
        let other = Connection::open(&file).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let refused = store.commit(&[write("a/b", Value::Integer(1), Guard::Absent)]).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert_eq!(store.read(&["a/b".to_owned()]).await.unwrap(), [None]);
    }

    #[test]
    fn files_that_are_something_else_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text");
        std::fs::write(&text, "not a database, but long enough to be looked at\n".repeat(50)).unwrap();
        let newer = dir.path().join("newer");
        Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
        for file in [text, newer, dir.path().join("no such directory/store.db")] {
            let result = SqliteStore::open(&file).map(|_| ());
            assert!(matches!(result, Err(StoreError::Refused(_))), "{result:?}");
        }
    }

    #[tokio::test]
    async fn numbers_that_json_does_not_have_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("store.db")).unwrap();
        for number in [f64::NAN, f64::INFINITY] {
            let result = store.commit(&[write("a/b", Value::Double(number), Guard::Absent)]).await;
            assert!(matches!(result, Err(StoreError::Refused(_))), "{result:?}");
        }
    }
}
