//! What every store promises, tested on each. The Firestore tests need Google's emulator, and fail without it.

mod emulator;
mod questions;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::args::StoreKind;
use super::firestore::{Access, FirestoreStore};
use super::open::open;
use super::sqlite::SqliteStore;
use super::{DocumentStore, Fields, Guard, MAX_COMMIT_BYTES, MAX_WRITES, StoreArgs, StoreError, Value, Version, Write};
use emulator::{Emulator, emulated, emulator, free_port, fresh_project};
use questions::{
    answers_questions_about_one_parent_s_collection, answers_questions_at_all_depths,
    answers_questions_in_order_up_to_the_limit, tells_how_documents_stand_and_then_their_changes,
};

/// Makes a test of each function for each store.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod on_firestore {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::emulated().await).await;
            })*
        }
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                let dir = tempfile::tempdir().unwrap();
                super::$name(&super::SqliteStore::open(&dir.path().join("store.db")).unwrap()).await;
            })*
        }
    };
}

contract!(
    creates_a_document_once,
    updates_only_the_expected_version,
    replaces_whole_documents,
    a_write_that_changes_nothing_keeps_a_usable_version,
    writes_all_or_nothing,
    reads_in_order_with_gaps,
    reads_more_than_one_call_takes,
    scans_collections_at_all_depths,
    lists_ids_of_documents_that_do_not_exist,
    keeps_every_value_exactly,
    keeps_ids_as_they_are,
    takes_the_largest_commit,
    refuses_what_can_not_be_stored,
    one_of_many_racing_writers_wins,
    answers_questions_at_all_depths,
    answers_questions_in_order_up_to_the_limit,
    answers_questions_about_one_parent_s_collection,
    tells_how_documents_stand_and_then_their_changes,
);

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Fields {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn number(n: i64) -> Fields {
    fields([("n", Value::Integer(n))])
}

fn write(path: &str, fields: Fields, guard: Guard) -> Write {
    Write { path: path.to_owned(), fields, guard }
}

fn paths<const N: usize>(paths: [&str; N]) -> Vec<String> {
    paths.map(str::to_owned).to_vec()
}

/// Creates documents that hold the number 0.
async fn create(store: &dyn DocumentStore, paths: &[String]) -> Vec<Version> {
    let mut versions = Vec::new();
    for paths in paths.chunks(MAX_WRITES) {
        let writes: Vec<_> = paths.iter().map(|path| write(path, number(0), Guard::Absent)).collect();
        versions.extend(store.commit(&writes).await.unwrap());
    }
    versions
}

#[track_caller]
fn assert_conflict<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}");
}

async fn creates_a_document_once(store: &dyn DocumentStore) {
    let document = write("statistics/lifetime", number(1), Guard::Absent);
    let version = store.commit(std::slice::from_ref(&document)).await.unwrap()[0];
    assert_conflict(store.commit(&[write("statistics/lifetime", number(2), Guard::Absent)]).await);
    let read = store.read(&paths(["statistics/lifetime"])).await.unwrap()[0].clone().unwrap();
    assert_eq!((read.fields, read.version), (number(1), version));
    assert_eq!(store.commit(&[]).await.unwrap(), []);
}

async fn updates_only_the_expected_version(store: &dyn DocumentStore) {
    let path = "products/p1/statistics/2026-11-21";
    let first = store.commit(&[write(path, number(1), Guard::Absent)]).await.unwrap()[0];
    let second = store.commit(&[write(path, number(2), Guard::Version(first))]).await.unwrap()[0];
    assert_ne!(first, second);
    assert_conflict(store.commit(&[write(path, number(3), Guard::Version(first))]).await);
    // Nor a document that does not exist at all.
    assert_conflict(store.commit(&[write("products/p2", number(1), Guard::Version(second))]).await);
    let read = store.read(&paths([path, "products/p2"])).await.unwrap();
    let stored = read[0].clone().unwrap();
    assert_eq!((stored.fields, stored.version, read[1].is_none()), (number(2), second, true));
}

async fn replaces_whole_documents(store: &dyn DocumentStore) {
    let (old, new) = (fields([("a", Value::Integer(1)), ("b", Value::Integer(2))]), fields([("b", Value::Integer(3))]));
    let version = store.commit(&[write("a/b", old, Guard::Absent)]).await.unwrap()[0];
    store.commit(&[write("a/b", new.clone(), Guard::Version(version))]).await.unwrap();
    assert_eq!(store.read(&paths(["a/b"])).await.unwrap()[0].clone().unwrap().fields, new);
}

async fn a_write_that_changes_nothing_keeps_a_usable_version(store: &dyn DocumentStore) {
    let first = create(store, &paths(["a/b"])).await[0];
    let same = store.commit(&[write("a/b", number(0), Guard::Version(first))]).await.unwrap()[0];
    assert_eq!(store.read(&paths(["a/b"])).await.unwrap()[0].clone().unwrap().version, same);
    store.commit(&[write("a/b", number(1), Guard::Version(same))]).await.unwrap();
}

async fn writes_all_or_nothing(store: &dyn DocumentStore) {
    let stale = create(store, &paths(["a/old"])).await[0];
    store.commit(&[write("a/old", number(1), Guard::Version(stale))]).await.unwrap();
    for spoiler in [write("a/old", number(9), Guard::Absent), write("a/old", number(9), Guard::Version(stale))] {
        let (before, after) = (write("a/x", number(1), Guard::Absent), write("a/y", number(1), Guard::Absent));
        assert_conflict(store.commit(&[before, spoiler, after]).await);
        let read = store.read(&paths(["a/x", "a/y", "a/old"])).await.unwrap();
        let numbers: Vec<_> = read.into_iter().map(|d| d.map(|d| d.fields)).collect();
        assert_eq!(numbers, [None, None, Some(number(1))]);
    }
}

async fn reads_in_order_with_gaps(store: &dyn DocumentStore) {
    let versions = create(store, &paths(["a/1", "a/2", "b/1"])).await;
    let read = store.read(&paths(["b/1", "a/none", "a/1", "b/1", "none/none", "a/2"])).await.unwrap();
    let read: Vec<_> = read.into_iter().map(|document| document.map(|d| d.version)).collect();
    assert_eq!(read, [Some(versions[2]), None, Some(versions[0]), Some(versions[2]), None, Some(versions[1])]);
    assert_eq!(store.read(&[]).await.unwrap(), []);
}

async fn reads_more_than_one_call_takes(store: &dyn DocumentStore) {
    let paths: Vec<String> = (0..1_500).map(|i| format!("numbers/{i}")).collect();
    let writes: Vec<_> = (0..1_500).step_by(2).map(|i| write(&paths[i], number(i as i64), Guard::Absent)).collect();
    for writes in writes.chunks(MAX_WRITES) {
        store.commit(writes).await.unwrap();
    }
    for (i, document) in store.read(&paths).await.unwrap().into_iter().enumerate() {
        assert_eq!(document.map(|d| d.fields), (i % 2 == 0).then(|| number(i as i64)), "{i}");
    }
}

async fn scans_collections_at_all_depths(store: &dyn DocumentStore) {
    let wanted = paths([
        "countries/DE/products/p/statistics/lifetime",
        "countries/DE/statistics/lifetime",
        "products/p/statistics/2026-11-21",
        "products/p/statistics/lifetime",
        "statistics/lifetime",
    ]);
    create(store, &wanted).await;
    create(store, &paths(["sessions_history/statistics", "statistics/lifetime/other/x", "statistics2/x"])).await;
    let mut found = store.scan("statistics").await.unwrap();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.iter().all(|(_, fields)| *fields == number(0)));
    assert_eq!(found.into_iter().map(|(path, _)| path).collect::<Vec<_>>(), wanted);
    assert_eq!(store.scan("nothing").await.unwrap(), []);
}

async fn lists_ids_of_documents_that_do_not_exist(store: &dyn DocumentStore) {
    create(
        store,
        &paths([
            "products/only-below/statistics/lifetime",
            "products/only-below/statistics/2026-11-21",
            "products/both",
            "products/both/statistics/lifetime",
            "products/plain",
            "products/b/statistics/lifetime",
            "products2/other/statistics/lifetime",
            "countries/DE/products/of-germany/statistics/lifetime",
            "countries/DE/products/Ü %2F/statistics/lifetime",
        ]),
    )
    .await;
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(store.child_ids("products").await.unwrap()), ["b", "both", "only-below", "plain"]);
    assert_eq!(store.child_ids("countries").await.unwrap(), ["DE"]);
    assert_eq!(sorted(store.child_ids("countries/DE/products").await.unwrap()), ["of-germany", "Ü %2F"]);
    assert_eq!(store.child_ids("nothing").await.unwrap(), paths([]));
    let many: Vec<String> = (0..2_300).map(|i| format!("many/m{i:04}/statistics/lifetime")).collect();
    create(store, &many).await;
    let ids = sorted(store.child_ids("many").await.unwrap());
    assert_eq!(ids.len(), 2_300);
    assert_eq!((&*ids[0], &*ids[2_299]), ("m0000", "m2299"));
}

async fn keeps_every_value_exactly(store: &dyn DocumentStore) {
    let map = |pairs: &[(&str, Value)]| {
        Value::Map(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    let doubles =
        [0.0, -0.01, 0.1 + 0.2, 19.99, 1e-300, f64::MAX, f64::MIN_POSITIVE, 5e-324, 9_007_199_254_740_993.0, 1.0 / 3.0];
    let times = [0, 1, -1, 1_795_000_000_123_456, -62_135_596_800_000_000, 253_402_300_799_999_999];
    let text = "Grüße, 世界 🛒\u{0}\t\"\\\u{1F9D1}\u{200D}\u{1F680}";
    let all = fields([
        ("integers", Value::Array([0, -1, i64::MAX, i64::MIN].map(Value::Integer).to_vec())),
        ("doubles", Value::Array(doubles.map(Value::Double).to_vec())),
        ("times", Value::Array(times.map(Value::Timestamp).to_vec())),
        ("text", Value::String(text.to_owned())),
        ("empty text", Value::String(String::new())),
        ("empty list", Value::Array(Vec::new())),
        ("empty map", Value::Map(Fields::default())),
        // A whole number that is a double stays one.
        ("amount", Value::Double(120.0)),
        ("field.with-odd `name` é", Value::Integer(1)),
        (
            "items",
            Value::Array(vec![
                map(&[("id", Value::String("a".into())), ("tags", Value::Array(vec![Value::String("x".into())]))]),
                map(&[("id", Value::String("b".into())), ("deep", map(&[("at", Value::Timestamp(7))]))]),
            ]),
        ),
    ]);
    store.commit(&[write("sessions_history/s", all.clone(), Guard::Absent)]).await.unwrap();
    let read = store.read(&paths(["sessions_history/s"])).await.unwrap()[0].clone().unwrap().fields;
    assert_eq!(read, all);
    let Some(Value::Array(read)) = read.get("doubles") else { panic!("no list of doubles") };
    for (read, written) in read.iter().zip(doubles) {
        let Value::Double(read) = read else { panic!("{read:?} is not a double") };
        assert_eq!(read.to_bits(), written.to_bits());
    }
    assert_eq!(store.scan("sessions_history").await.unwrap(), [("sessions_history/s".to_owned(), all)]);
}

async fn keeps_ids_as_they_are(store: &dyn DocumentStore) {
    let mut ids = paths([
        "%",
        "%2F",
        "a%2Fb",
        "100%",
        "two words",
        " lead",
        "🛒",
        "ü",
        "u\u{308}",
        "a+b",
        "a?b#c",
        "Ab",
        "aB",
        "a'b\"c",
        "~",
        "_",
        ".a",
        "a_b",
        "(default)",
        "*",
        "[0]",
        "a\\b",
    ]);
    ids.sort();
    let all: Vec<String> = ids.iter().map(|id| format!("products/{id}/statistics/lifetime")).collect();
    create(store, &all).await;
    assert!(store.read(&all).await.unwrap().iter().all(Option::is_some));
    let mut scanned: Vec<_> = store.scan("statistics").await.unwrap().into_iter().map(|(path, _)| path).collect();
    scanned.sort();
    let mut expected = all;
    expected.sort();
    assert_eq!(scanned, expected);
    let mut listed = store.child_ids("products").await.unwrap();
    listed.sort();
    assert_eq!(listed, ids);
}

async fn takes_the_largest_commit(store: &dyn DocumentStore) {
    let share = MAX_COMMIT_BYTES / MAX_WRITES - 16;
    let big = |n| {
        let text = Value::String("x".repeat(share));
        let fields = fields([("n", Value::Integer(n)), ("text", text)]);
        assert!(fields.size() * MAX_WRITES <= MAX_COMMIT_BYTES);
        fields
    };
    let path = |i| format!("countries/DE/products/product-{i}/statistics/2026-11-21");
    let writes: Vec<_> = (0..MAX_WRITES as i64).map(|i| write(&path(i), big(i), Guard::Absent)).collect();
    let versions = store.commit(&writes).await.unwrap();
    assert_eq!(versions.len(), MAX_WRITES);
    let writes: Vec<_> =
        (0i64..).zip(versions).map(|(i, version)| write(&path(i), big(-i), Guard::Version(version))).collect();
    let versions = store.commit(&writes).await.unwrap();
    let paths: Vec<_> = (0..MAX_WRITES as i64).map(path).collect();
    for ((stored, version), i) in store.read(&paths).await.unwrap().into_iter().zip(versions).zip(0..) {
        let stored = stored.unwrap();
        assert_eq!((stored.fields.get("n"), stored.version), (Some(&Value::Integer(-i)), version));
    }
}

async fn refuses_what_can_not_be_stored(store: &dyn DocumentStore) {
    let nested = fields([("list", Value::Array(vec![Value::Array(vec![Value::Integer(1)])]))]);
    for bad in [
        write("statistics", number(1), Guard::Absent),
        write("statistics/lifetime/more", number(1), Guard::Absent),
        write("statistics//lifetime/x", number(1), Guard::Absent),
        write("", number(1), Guard::Absent),
        write("a/nested", nested, Guard::Absent),
    ] {
        let good = write("a/good", number(1), Guard::Absent);
        let result = store.commit(&[good, bad.clone()]).await;
        assert!(matches!(result, Err(StoreError::Refused(_))), "{bad:?}: {result:?}");
    }
    assert_eq!(store.read(&paths(["a/good"])).await.unwrap(), [None]);
}

async fn one_of_many_racing_writers_wins(store: &dyn DocumentStore) {
    let version = create(store, &paths(["a/b"])).await[0];
    let writes: Vec<_> = (1..=8).map(|n| [write("a/b", number(n), Guard::Version(version))]).collect();
    let results = futures::future::join_all(writes.iter().map(|writes| store.commit(writes))).await;
    let mut winner = None;
    for (n, result) in (1..).zip(results) {
        match result {
            Ok(versions) => assert_eq!(winner.replace((n, versions[0])), None, "two writers won"),
            Err(StoreError::Conflict(_) | StoreError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let (n, version) = winner.expect("a writer wins");
    let read = store.read(&paths(["a/b"])).await.unwrap()[0].clone().unwrap();
    assert_eq!((read.fields, read.version), (number(n), version));
}

#[tokio::test]
async fn a_scan_of_several_pages_is_complete() {
    // Pages that end within a collection, at its end, and exactly at the last document.
    let all: Vec<String> = (0..3)
        .flat_map(|product| (0..20).map(move |day| format!("products/🛒 {product}/statistics/{day}")))
        .chain((0..40).map(|day| format!("statistics/day%2F{day}")))
        .collect();
    for page in [7, 20, 100, 101] {
        let store = emulated().await.with_scan_page(page);
        create(&store, &all).await;
        let mut found: Vec<_> = store.scan("statistics").await.unwrap().into_iter().map(|(path, _)| path).collect();
        found.sort();
        let mut expected = all.clone();
        expected.sort();
        assert_eq!(found, expected, "pages of {page}");
    }
}

#[tokio::test]
async fn a_stopped_emulator_is_unavailable_and_a_new_one_is_found_again() {
    let emulator = Emulator::start(free_port());
    let store = FirestoreStore::connect("p", Access::Emulator(emulator.host.clone())).await.unwrap();
    create(&store, &paths(["a/b"])).await;
    let port = emulator.port;
    drop(emulator);
    let started = Instant::now();
    let w = [write("a/c", number(1), Guard::Absent)];
    let ids = paths(["a/b"]);
    let (commit, read, scan, list) =
        tokio::join!(store.commit(&w), store.read(&ids), store.scan("a"), store.child_ids("a"));
    for error in [commit.err(), read.err(), scan.err(), list.err()] {
        assert!(matches!(error, Some(StoreError::Unavailable(_))), "{error:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(11), "{:?}", started.elapsed());
    let _again = Emulator::start(port);
    assert_eq!(store.read(&ids).await.unwrap(), [None]);
}

#[tokio::test]
async fn a_server_that_never_answers_is_unavailable_within_the_limit() {
    // It takes the connection, and says nothing more.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = mute.local_addr().unwrap().to_string();
    let store = FirestoreStore::connect("p", Access::Emulator(host)).await.unwrap();
    let started = Instant::now();
    let result = store.read(&paths(["a/b"])).await;
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    assert!(started.elapsed() < Duration::from_secs(11), "{:?}", started.elapsed());
}

#[tokio::test]
async fn opens_the_emulator_that_the_arguments_name() {
    let args = StoreArgs {
        store: StoreKind::Firestore,
        gcloud_project: Some(fresh_project()),
        google_application_credentials: None,
        firestore_emulator_host: Some(emulator().host.clone()),
        sqlite_path: None,
    };
    let store = open(&args).await.unwrap();
    creates_a_document_once(&*store).await;
}
