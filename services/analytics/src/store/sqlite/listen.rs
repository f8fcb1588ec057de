//! Changes, found by looking: the file has no way to tell them.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use rusqlite::Connection;

use super::{READ_LIMIT, SqliteStore, failure, read};
use crate::store::{Heard, StoreError, Stored, Version};

/// How often the file is looked at.
const PERIOD: Duration = Duration::from_millis(250);

/// Of the whole file: changes with each commit of another connection, and of this one.
type Mark = (i64, u64);

/// Documents, and the mark from before they were read.
type Marked = (Mark, Vec<Option<Stored>>);

struct Listener {
    store: SqliteStore,
    paths: Vec<String>,
    mark: Option<Mark>,
    told: HashMap<String, Option<Version>>,
    is_current: bool,
    has_ended: bool,
}

/// See [`DocumentStore::listen`](crate::store::DocumentStore::listen).
pub(super) fn listen(store: SqliteStore, paths: Vec<String>) -> BoxStream<'static, Result<Heard, StoreError>> {
    let listener = Listener { store, paths, mark: None, told: HashMap::new(), is_current: false, has_ended: false };
    futures::stream::unfold(listener, |mut listener| async move {
        if listener.has_ended {
            return None;
        }
        let heard = listener.next().await;
        Some((futures::stream::iter(heard), listener))
    })
    .flatten()
    .boxed()
}

impl Listener {
    /// Waits until there is something to tell.
    async fn next(&mut self) -> Vec<Result<Heard, StoreError>> {
        loop {
            let looked = self.look().await;
            match looked {
                Ok(heard) if heard.is_empty() => {}
                Ok(heard) => return heard,
                Err(error) => {
                    self.has_ended = !matches!(error, StoreError::Unavailable(_));
                    self.is_current = false;
                    if !self.has_ended {
                        tokio::time::sleep(PERIOD).await;
                    }
                    return vec![Err(error)];
                }
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn look(&mut self) -> Result<Vec<Result<Heard, StoreError>>, StoreError> {
        let (known, paths) = (self.mark, self.paths.clone());
        let work = move |connection: &mut Connection| changes(connection, known, &paths);
        let Some((mark, documents)) = self.store.blocking(READ_LIMIT, work).await? else {
            // As it was; but it answers again.
            return Ok(self.became_current());
        };
        self.mark = Some(mark);
        let mut heard = Vec::new();
        for (path, stored) in self.paths.iter().zip(documents) {
            let version = stored.as_ref().map(|stored| stored.version);
            if self.told.insert(path.clone(), version) != Some(version) {
                heard.push(Ok(Heard::Document { path: path.clone(), stored }));
            }
        }
        heard.extend(self.became_current());
        Ok(heard)
    }

    fn became_current(&mut self) -> Vec<Result<Heard, StoreError>> {
        if std::mem::replace(&mut self.is_current, true) { Vec::new() } else { vec![Ok(Heard::Current)] }
    }
}

/// How the documents stand; none if the mark is still the known one.
fn changes(connection: &mut Connection, known: Option<Mark>, paths: &[String]) -> Result<Option<Marked>, StoreError> {
    let of_others = connection
        .query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0))
        .map_err(|e| failure(&e, "listen"))?;
    let mark = (of_others, connection.total_changes());
    if known == Some(mark) {
        return Ok(None);
    }
    Ok(Some((mark, read(connection, paths)?)))
}
