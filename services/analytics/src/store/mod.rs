//! Where documents are kept: one trait, and its implementations.
//!
//! - [`firestore`]: Google Cloud Firestore, or its emulator.
//! - [`sqlite`]: an embedded file with the same documents and the same guards.
//! - [`null`]: accepts everything and keeps nothing: for measuring.
//!
//! A store keeps *documents* (fields under a path) with *versions*. A write names the version it expects
//! ([`Guard`]); a commit of several writes happens whole or not at all.

pub mod args;
#[cfg(test)]
mod contract_tests;
pub mod firestore;
pub mod null;
pub mod open;
pub mod query;
pub mod sqlite;
pub mod value;

use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use storepulse_platform::Failure;

pub use args::StoreArgs;
pub use query::Query;
pub use value::{Fields, Value};

/// The version of a document in the store: opaque, changed by every write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Seconds of Firestore's `update_time`, or SQLite's counter.
    pub major: i64,
    /// Nanoseconds of Firestore's `update_time`, or 0.
    pub minor: i32,
}

/// A document as it stands in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its fields.
    pub fields: Fields,
    /// Its version.
    pub version: Version,
}

/// What must hold in the store for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The document does not exist.
    Absent,
    /// The document exists in this version.
    Version(Version),
}

impl Guard {
    /// Whether it allows a write over what is stored.
    pub fn allows(self, stored: Option<&Stored>) -> bool {
        match self {
            Self::Absent => stored.is_none(),
            Self::Version(version) => stored.is_some_and(|stored| stored.version == version),
        }
    }
}

/// A whole document to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Path from the database's root, such as `statistics/lifetime`.
    pub path: String,
    /// All its fields; others that the document has are removed.
    pub fields: Fields,
    /// What must hold.
    pub guard: Guard,
}

/// Why a call to the store failed. Each says whether it may have had an effect, and whether a retry can help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A guard did not hold: nothing was written. Read the documents again.
    #[error("a document is not in the expected version: {0}")]
    Conflict(String),
    /// The store did not do its work now. A commit may have happened all the same. A retry can help.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store will never do this: wrong credentials, no such project, a document too large. A retry can't help.
    #[error("the store refuses: {0}")]
    Refused(String),
}

impl StoreError {
    /// Its name in metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::Unavailable(_) => "unavailable",
            Self::Refused(_) => "refused",
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Refused(_)) { Self::config(error) } else { Self::runtime(error) }
    }
}

/// A store of documents. All calls are bounded in time by the implementation.
pub trait DocumentStore: Send + Sync + 'static {
    /// Reads documents by path; the result has the order of `paths`, `None` for one that does not exist.
    fn read<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Stored>>, StoreError>>;

    /// Writes documents, all or none. Returns their new versions in the order of `writes`, which must name different
    /// documents and keep within [`MAX_WRITES`] and [`MAX_COMMIT_BYTES`].
    fn commit<'a>(&'a self, writes: &'a [Write]) -> BoxFuture<'a, Result<Vec<Version>, StoreError>>;

    /// All documents of all collections named `collection`, at whatever depth (a collection group), with their paths.
    fn scan<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<Vec<(String, Fields)>, StoreError>>;

    /// The ids (escaped, as in paths) of the documents directly in the collection at path `collection`, such as
    /// `countries` or `products`, including those that have only sub-collections.
    fn child_ids<'a>(&'a self, collection: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// The documents that answer a question, with their paths. A store that can't do better looks at the whole
    /// collection group.
    fn query<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Vec<(String, Fields)>, StoreError>> {
        Box::pin(async move {
            query.check()?;
            Ok(query.of(self.scan(&query.collection).await?))
        })
    }

    /// What happens to some documents, from now on: first how each of them stands, then each change, soon after it was
    /// made. Of changes that come quickly after another only the last may be told.
    ///
    /// The stream goes on by itself after [`StoreError::Unavailable`], where it was, with growing pauses; it ends after
    /// [`StoreError::Refused`]. It must be polled inside a Tokio runtime; dropping it ends it. A store that can't tell
    /// changes says nothing at all.
    fn listen(&self, paths: Vec<String>) -> BoxStream<'static, Result<Heard, StoreError>> {
        drop(paths);
        futures::stream::pending().boxed()
    }
}

/// What [`DocumentStore::listen`] tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A document as it stands now.
    Document {
        /// Its path.
        path: String,
        /// `None`: it does not exist.
        stored: Option<Stored>,
    },
    /// All that was known has been told, and the store answers: it comes after the first states, and after each
    /// interruption.
    Current,
}

/// A store that is shared by tasks.
pub type SharedStore = Arc<dyn DocumentStore>;

/// The most documents of one call that reads. A longer [`DocumentStore::read`] is several calls, and fails when one does.
pub const MAX_READS: usize = 300;

/// The most writes of one commit.
pub const MAX_WRITES: usize = 400;

/// The most bytes of one commit, as [`Fields::size`] counts them, so that it stays below the 4 MiB that the emulator
/// takes in one message (Firestore itself takes 10 MiB).
pub const MAX_COMMIT_BYTES: usize = 2 * 1024 * 1024;
