use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use storepulse_analytics::store::{DocumentStore, Stored, Version, Write};

use super::*;

/// Counts how often it is asked, and answers slowly.
#[derive(Default)]
struct Counted {
    reads: AtomicUsize,
}

impl DocumentStore for Counted {
    fn read<'a>(&'a self, paths: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Stored>>, StoreError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let n = self.reads.fetch_add(1, Ordering::Relaxed) as i64;
            let fields = [
                ("n", Value::Integer(n)),
                ("name", Value::String(format!("name {n}"))),
                ("_storepulse", Value::Integer(1)),
            ];
            let stored = Stored { fields: fields.into_iter().collect(), version: Version { major: 1, minor: 0 } };
            Ok(vec![Some(stored); paths.len()])
        })
    }

    fn commit<'a>(&'a self, _: &'a [Write]) -> BoxFuture<'a, Result<Vec<Version>, StoreError>> {
        Box::pin(async { Err(StoreError::Refused("read only".into())) })
    }

    fn scan<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<(String, Fields)>, StoreError>> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Err(StoreError::Unavailable("gone".into()))
        })
    }

    fn child_ids<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn reader(bound: u32) -> (Arc<Counted>, Arc<Reader>) {
    let store = Arc::new(Counted::default());
    let shared: SharedStore = store.clone();
    let reader = Reader::new(shared, Clock::system(), Metrics::new().unwrap(), bound, 1_000);
    (store, Arc::new(reader))
}

fn one() -> Question {
    Question::Paths(vec!["a/b".to_owned()])
}

#[tokio::test]
async fn the_same_question_at_the_same_time_is_one_read() {
    let (store, reader) = reader(1_000);
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let reader = Arc::clone(&reader);
            tokio::spawn(async move { reader.ask(one(), Keep::TODAY).await.unwrap().documents.len() })
        })
        .collect();
    for asked in asked {
        assert_eq!(asked.await.unwrap(), 1);
    }
    assert_eq!(store.reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn whoever_stops_waiting_does_not_keep_others_waiting() {
    let (_, reader) = reader(1_000);
    let first = tokio::time::timeout(Duration::from_millis(10), reader.ask(one(), Keep::TODAY)).await;
    assert!(first.is_err());
    assert_eq!(reader.ask(one(), Keep::TODAY).await.unwrap().documents.len(), 1);
}

#[tokio::test]
async fn over_the_budget_what_is_known_is_told_again_with_its_time() {
    let (store, reader) = reader(20);
    let first = reader.ask(one(), Keep::NOW).await.unwrap();
    reader.meter.read("get", 2, Instant::now());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let again = reader.ask(one(), Keep::NOW).await.unwrap();
    assert_eq!((again.read_at, store.reads.load(Ordering::Relaxed)), (first.read_at, 1));
    // What is not known is read, up to a point.
    let other = Question::Paths(vec!["a/c".to_owned()]);
    assert!(reader.ask(other.clone(), Keep::NOW).await.is_ok());
    reader.meter.read("get", 20, Instant::now());
    let third = Question::Paths(vec!["a/d".to_owned()]);
    assert_eq!(reader.ask(third, Keep::NOW).await.unwrap_err().code(), "too_many_requests");
}

#[tokio::test]
async fn names_are_read_once_and_bookkeeping_is_not_shown() {
    let (store, reader) = reader(1_000);
    let names = reader.names("products", ["p/1".to_owned(), "q".to_owned()]).await.unwrap();
    assert_eq!(names.get("p/1").map(String::as_str), Some("name 0"));
    reader.names("products", ["q".to_owned()]).await.unwrap();
    assert_eq!(store.reads.load(Ordering::Relaxed), 1);
    let answer = reader.ask(one(), Keep::TODAY).await.unwrap();
    assert_eq!(answer.documents["a/b"].get("_storepulse"), None);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_told_once_and_so_is_its_return() {
    let (_, reader) = reader(1_000);
    let mut watch = reader.watch.subscribe();
    for _ in 0..2 {
        let error = reader.query(Query::group("a"), Keep::TODAY).await.unwrap_err();
        assert_eq!(error.code(), "store_unavailable");
    }
    assert!(watch.has_changed().unwrap());
    assert_eq!(watch.borrow_and_update().state, "down");
    reader.ask(one(), Keep::TODAY).await.unwrap();
    assert_eq!(watch.borrow_and_update().state, "ok");
}

#[tokio::test]
async fn whoever_waited_for_a_store_that_hangs_does_not_wait_again() {
    let (_, reader) = reader(1_000);
    let began = Instant::now();
    let asked = (0..20).map(|_| reader.query(Query::group("a"), Keep::TODAY));
    for answer in futures::future::join_all(asked).await {
        assert_eq!(answer.unwrap_err().code(), "store_unavailable");
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
