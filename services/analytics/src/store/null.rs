//! The store that accepts everything and keeps nothing: for measuring what the service costs without a store.
//!
//! It behaves as a store in which no document was ever written by anybody else: reads find nothing, and each commit
//! succeeds with a version above all before it. Guards are not looked at, because there is nothing to compare them with.
//! So a document that was dropped from memory begins at nothing again: the figures of a run with this store mean nothing.

use std::sync::atomic::{AtomicI64, Ordering};

use futures::future::BoxFuture;

use super::{DocumentStore, Fields, StoreError, Stored, Version, Write};

/// See the [module](self).
#[derive(Debug, Default)]
pub struct NullStore {
    commits: AtomicI64,
}

impl DocumentStore for NullStore {
    fn read<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Stored>>, StoreError>> {
        Box::pin(async { Ok(vec![None; paths.len()]) })
    }

    fn commit<'a>(&'a self, writes: &'a [Write]) -> BoxFuture<'a, Result<Vec<Version>, StoreError>> {
        let major = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(async move { Ok(vec![Version { major, minor: 0 }; writes.len()]) })
    }

    fn scan<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<(String, Fields)>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn child_ids<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Guard, Value};
    use super::*;

    #[tokio::test]
    async fn accepts_everything_in_ever_growing_versions_and_keeps_nothing() {
        let store = NullStore::default();
        let mut fields = Fields::default();
        fields.set("n", Value::Integer(1));
        let write = Write { path: "a/b".to_owned(), fields, guard: Guard::Absent };
        let first = store.commit(std::slice::from_ref(&write)).await.unwrap();
        let second = store.commit(&[write.clone(), write]).await.unwrap();
        assert_eq!((first.len(), second.len()), (1, 2));
        assert!(second[0] > first[0]);
        assert_eq!(store.read(&["a/b".to_owned(), "a/c".to_owned()]).await.unwrap(), [None, None]);
        assert_eq!(store.scan("a").await.unwrap(), []);
    }
}
