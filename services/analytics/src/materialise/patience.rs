//! Waiting for the store: how long, and how the wait shows.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::health::{Health, State};
use crate::metrics::Metrics;
use crate::store::{SharedStore, StoreError, Stored};

/// The store's name in health.
pub(super) const STORE: &str = "store";

/// Milliseconds to wait after the `failures`-th failure in a row: doubling up to ten seconds, with a jitter from `seed`.
pub(super) fn backoff_ms(failures: u32, seed: u64) -> i64 {
    let base = (50i64 << failures.min(8)).min(10_000);
    base / 2 + (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as i64 % (base / 2 + 1)
}

pub(super) fn count_error(metrics: &Metrics, error: &StoreError) {
    let kind = match error {
        StoreError::Conflict(_) => "conflict",
        StoreError::Unavailable(_) => "unavailable",
        StoreError::Refused(_) => "refused",
    };
    metrics.store_errors.with_label_values(&[kind]).inc();
}

/// Reads from the store until it answers, and says meanwhile that it does not.
pub(super) struct PatientReader {
    pub(super) store: SharedStore,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    pub(super) stop: CancellationToken,
}

impl PatientReader {
    /// The documents in the order of `paths`.
    ///
    /// # Errors
    ///
    /// Only [`StoreError::Refused`].
    pub(super) async fn read(&self, paths: &[String]) -> Result<Vec<Option<Stored>>, StoreError> {
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
                    let wait = Duration::from_millis(backoff_ms(failures, paths.len() as u64).unsigned_abs());
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.stop.cancelled() => tokio::time::sleep(Duration::from_millis(200)).await,
                    }
                }
            }
        }
    }
}
