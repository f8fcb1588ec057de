//! Waiting for the store: how long, and how the wait shows.

use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::health::{Health, State};
use crate::metrics::Metrics;
use crate::store::{MAX_READS, SharedStore, StoreError, Stored};

/// Calls at the same time.
const PARALLEL: usize = 4;

/// The store's name in health.
pub(super) const STORE: &str = "store";

/// Milliseconds to wait after the `failures`-th failure in a row: doubling up to ten seconds, with a jitter from `seed`.
pub(super) fn backoff_ms(failures: u32, seed: u64) -> i64 {
    let base = (50i64 << failures.min(8)).min(10_000);
    base / 2 + (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as i64 % (base / 2 + 1)
}

pub(super) fn count_error(metrics: &Metrics, error: &StoreError) {
    metrics.store_errors.with_label_values(&[error.kind()]).inc();
}

/// Reads from the store until it answers, and says meanwhile that it does not.
pub(super) struct PatientReader {
    pub(super) store: SharedStore,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    pub(super) stop: CancellationToken,
}

impl PatientReader {
    /// The documents in the order of `paths`. What was read stays read, call by call: from a store that fails one call in
    /// three, a hundred calls would never all succeed at once.
    ///
    /// # Errors
    ///
    /// Only [`StoreError::Refused`].
    pub(super) async fn read(&self, paths: &[String]) -> Result<Vec<Option<Stored>>, StoreError> {
        let calls: Vec<_> = (0..).zip(paths.chunks(MAX_READS)).map(|(seed, part)| self.call(part, seed)).collect();
        let parts: Vec<Vec<Option<Stored>>> = stream::iter(calls).buffered(PARALLEL).try_collect().await?;
        Ok(parts.into_iter().flatten().collect())
    }

    async fn call(&self, paths: &[String], seed: u64) -> Result<Vec<Option<Stored>>, StoreError> {
        let mut failures = 0;
        loop {
            match self.store.read(paths).await {
                Ok(stored) => {
                    self.health.set(STORE, State::Working, "");
                    self.metrics.documents_read.inc_by(paths.len() as u64);
                    return Ok(stored);
                }
                Err(error @ StoreError::Refused(_)) => {
                    count_error(&self.metrics, &error);
                    return Err(error);
                }
                Err(error) => {
                    failures += 1;
                    count_error(&self.metrics, &error);
                    self.health.set(STORE, State::Unavailable, error.to_string());
                    tracing::warn!(%error, failures, "reading documents failed and is tried again");
                    let wait = Duration::from_millis(backoff_ms(failures, seed).unsigned_abs());
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.stop.cancelled() => tokio::time::sleep(Duration::from_millis(200)).await,
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use futures::future::BoxFuture;

    use super::*;
    use crate::metrics::Metrics;
    use crate::store::{DocumentStore, Fields, Version, Write};

    /// Fails the first call for every other part of what is read, and counts how often a path was asked for.
    #[derive(Default)]
    struct Moody {
        asked: Mutex<BTreeMap<String, usize>>,
    }

    impl DocumentStore for Moody {
        fn read<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Stored>>, StoreError>> {
            let mut asked = self.asked.lock().unwrap();
            let number: usize = paths[0].trim_start_matches("a/").parse().unwrap();
            let fails = (number / MAX_READS).is_multiple_of(2) && !asked.contains_key(&paths[0]);
            for path in paths {
                *asked.entry(path.clone()).or_default() += 1;
            }
            let version = Version { major: number as i64, minor: 0 };
            let stored = Some(Stored { fields: Fields::default(), version });
            let answer = match fails {
                true => Err(StoreError::Unavailable("moody".into())),
                false => Ok(vec![stored; paths.len()]),
            };
            Box::pin(async { answer })
        }

        fn commit<'a>(&'a self, _: &'a [Write]) -> BoxFuture<'a, Result<Vec<Version>, StoreError>> {
            unreachable!()
        }

        fn scan<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<(String, Fields)>, StoreError>> {
            unreachable!()
        }

        fn child_ids<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
            unreachable!()
        }
    }

    #[tokio::test]
    async fn a_call_that_fails_is_tried_again_and_none_that_has_succeeded() {
        let (store, metrics) = (Arc::new(Moody::default()), Metrics::new().unwrap());
        let health = Health::new(metrics.part_ready.clone());
        let reader = PatientReader { store: store.clone(), metrics, health, stop: CancellationToken::new() };
        let paths: Vec<String> = (0..5 * MAX_READS + 1).map(|number| format!("a/{number}")).collect();
        let found = reader.read(&paths).await.unwrap();
        let parts: Vec<i64> = found.iter().step_by(MAX_READS).map(|one| one.as_ref().unwrap().version.major).collect();
        assert_eq!(found.len(), paths.len());
        assert_eq!(parts, [0, 300, 600, 900, 1200, 1500], "in order");
        let asked = store.asked.lock().unwrap();
        for (number, path) in paths.iter().enumerate() {
            assert_eq!(asked[path], if (number / MAX_READS).is_multiple_of(2) { 2 } else { 1 }, "{path}");
        }
    }
}
