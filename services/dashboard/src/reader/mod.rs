//! Questions to the store, each answered once for all who ask the same.
//!
//! - [`Question`]: documents by path, or those that answer a query.
//! - [`Keep`]: how long an answer holds. One that took many documents holds longer, so that a question that is asked
//!   all the time costs at most [`DOCUMENTS_PER_SECOND`] or so.
//! - [`meter`]: counts documents as Firestore bills them, and bounds how many are read for each hour of a viewer. Over
//!   the bound an answer that is known is given again, with the time that it was read at.

pub mod cache;
pub mod meter;
pub mod state;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use storepulse_analytics::document::path::escape;
use storepulse_analytics::store::{Fields, Query, SharedStore, StoreError, Value};
use storepulse_events::{Day, Timestamp};

use crate::clock::Clock;
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::views::Documents;
use cache::Cache;
pub use cache::{Answer, DOCUMENTS_PER_SECOND, Keep, Question};
pub use meter::Meter;
pub use state::StoreWatch;

/// The field of the service's bookkeeping, which nobody is shown and which may be large.
const BOOKKEEPING: &str = "_storepulse";
/// The most names that are kept.
const MAX_NAMES: usize = 50_000;
/// How long a name is kept; one that is not known yet, shorter.
const NAME_KEEP: Duration = Duration::from_secs(3_600);
const NO_NAME_KEEP: Duration = Duration::from_secs(60);

/// See the [module](self).
pub struct Reader {
    store: SharedStore,
    clock: Clock,
    cache: Cache,
    names: Mutex<HashMap<String, (Option<String>, Instant)>>,
    metrics: Metrics,
    /// What reading costs, and how much it may.
    pub meter: Meter,
    /// Whether the store answers.
    pub watch: StoreWatch,
}

impl Reader {
    /// Reads `store`, at most `bound` documents for each hour of a viewer; keeps at most `documents` of them.
    pub fn new(store: SharedStore, clock: Clock, metrics: Metrics, bound: u32, documents: usize) -> Self {
        Self {
            meter: Meter::new(bound, metrics.clone()),
            watch: StoreWatch::new(clock.now()),
            cache: Cache::new(documents),
            names: Mutex::default(),
            store,
            clock,
            metrics,
        }
    }

    /// The clock that days are told by.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The store, for listening.
    pub const fn store(&self) -> &SharedStore {
        &self.store
    }

    /// The answer to a question: one that is known and holds, or the store's.
    ///
    /// # Errors
    ///
    /// The store's, and [`ApiError::TooMany`] if so much was read that nothing more can be.
    pub async fn ask(&self, question: Question, keep: Keep) -> Result<Answer, ApiError> {
        let (asked, slot) = (Instant::now(), self.cache.slot(&question));
        let mut found = slot.lock().await;
        if let Some(known) = found.known.as_ref()
            && (known.holds() || !self.meter.may_read(Instant::now()))
        {
            return Ok(known.answer());
        }
        if let Some((at, error)) = &found.failed
            && *at >= asked
        {
            return Err(error.clone().into());
        }
        if let Some(retry_after) = self.meter.exhausted(Instant::now()) {
            let message = "too many documents were read for the number of viewers: see DASHBOARD_READS_PER_VIEWER_HOUR";
            return Err(ApiError::TooMany { message: message.to_owned(), retry_after });
        }
        let read = self.read(&question).await;
        self.note(read.as_ref().err());
        let (documents, cost) = read.inspect_err(|error| found.failed = Some((Instant::now(), error.clone())))?;
        let answer = Answer { documents: documents.into(), read_at: self.clock.now() };
        found.known = Some(self.cache.keep(&question, answer.clone(), keep.of(cost)));
        Ok(answer)
    }

    /// Takes the outcome of a call to the store down: none is success.
    pub fn note(&self, error: Option<&StoreError>) {
        if let Some(error) = error {
            self.metrics.store_errors.with_label_values(&[error.kind()]).inc();
        }
        self.watch.note(error, self.clock.now());
    }

    /// Asks the store. Says also how many documents Firestore bills.
    async fn read(&self, question: &Question) -> Result<(Documents, usize), StoreError> {
        let (documents, cost): (Documents, usize) = match question {
            Question::Paths(paths) => {
                let read = self.store.read(paths).await?;
                let found = paths.iter().zip(read).filter_map(|(path, stored)| Some((path.clone(), stored?.fields)));
                self.meter.read("get", paths.len(), Instant::now());
                (found.collect(), paths.len())
            }
            Question::Query(query) => {
                let found = self.store.query(query).await?;
                let cost = found.len().max(1);
                self.meter.read("query", cost, Instant::now());
                (found.into_iter().collect(), cost)
            }
        };
        Ok((documents.into_iter().map(|(path, fields)| (path, shown(fields))).collect(), cost))
    }

    /// The documents at some paths.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub async fn paths(&self, paths: Vec<String>, keep: Keep) -> Result<Answer, ApiError> {
        if paths.is_empty() {
            return Ok(Answer { documents: Documents::new().into(), read_at: self.clock.now() });
        }
        self.ask(Question::Paths(paths), keep).await
    }

    /// The documents that answer a query.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub async fn query(&self, query: Query, keep: Keep) -> Result<Answer, ApiError> {
        self.ask(Question::Query(query), keep).await
    }

    /// The names for people of products or categories (`collection`), by their plain ids; those that have one.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub async fn names(
        &self,
        collection: &str,
        ids: impl IntoIterator<Item = String>,
    ) -> Result<HashMap<String, String>, ApiError> {
        let now = Instant::now();
        let (mut names, mut unknown) = (HashMap::new(), Vec::new());
        {
            let known = self.lock_names();
            for id in ids {
                let path = name_path(collection, &id);
                match known.get(&path) {
                    Some((name, until)) if now < *until => names.extend(name.clone().map(|name| (id, name))),
                    _ => unknown.push((id, path)),
                }
            }
        }
        if unknown.is_empty() || !self.meter.may_read(now) && !names.is_empty() {
            return Ok(names);
        }
        let paths: Vec<String> = unknown.iter().map(|(_, path)| path.clone()).collect();
        let read = self.read(&Question::Paths(paths)).await;
        self.note(read.as_ref().err());
        let (documents, _) = read?;
        let mut known = self.lock_names();
        if known.len() + unknown.len() > MAX_NAMES {
            known.clear();
        }
        for (id, path) in unknown {
            let name = match documents.get(&path).and_then(|fields| fields.get("name")) {
                Some(Value::String(name)) if !name.is_empty() => Some(name.clone()),
                _ => None,
            };
            let keep = if name.is_some() { NAME_KEEP } else { NO_NAME_KEEP };
            known.insert(path, (name.clone(), now + keep));
            names.extend(name.map(|name| (id, name)));
        }
        Ok(names)
    }

    fn lock_names(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Option<String>, Instant)>> {
        self.names.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The document with the name of a product or category.
pub fn name_path(collection: &str, id: &str) -> String {
    let mut path = format!("{collection}/");
    escape(id, &mut path);
    path.push_str("/statistics/lifetime");
    path
}

/// The fields that may be shown.
pub fn shown(mut fields: Fields) -> Fields {
    fields.remove(BOOKKEEPING);
    fields
}

/// How long an answer about a day holds.
pub fn keep_of(day: Day, today: Day) -> Keep {
    match today.number() - day.number() {
        ..=0 => Keep::TODAY,
        1 => Keep::YESTERDAY,
        _ => Keep::PAST,
    }
}

/// When what is shown was read: the oldest of the answers that still change, or of all.
pub fn as_of<'a>(answers: impl IntoIterator<Item = (&'a Answer, Keep)> + Clone) -> Option<Timestamp> {
    let still = answers.clone().into_iter().filter(|(_, keep)| *keep == Keep::TODAY || *keep == Keep::NOW);
    let still = still.map(|(answer, _)| answer.read_at).min();
    still.or_else(|| answers.into_iter().map(|(answer, _)| answer.read_at).min())
}

#[cfg(test)]
mod tests;
