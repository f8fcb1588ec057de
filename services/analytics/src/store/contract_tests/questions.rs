//! Questions, and what is told of changes.

use std::time::Duration;

use futures::StreamExt;

use super::emulator::{Emulator, free_port};
use super::{create, fields, number, paths, write};
use crate::store::firestore::{Access, FirestoreStore};
use crate::store::{DocumentStore, Guard, Heard, Query, StoreError, Value, Write};

/// Documents that say what they are, as counting documents do: path, subject, scope, grain, score.
async fn create_counting(store: &dyn DocumentStore) {
    let documents = [
        ("statistics/2026-11-20", "shop", "world", "2026-11-20", None),
        ("statistics/2026-11-21", "shop", "world", "2026-11-21", None),
        ("statistics/lifetime", "shop", "world", "lifetime", None),
        ("countries/DE/statistics/2026-11-21", "shop", "country", "2026-11-21", None),
        ("countries/FR/statistics/2026-11-21", "shop", "country", "2026-11-21", None),
        ("products/a/statistics/2026-11-21", "product", "world", "2026-11-21", Some(Value::Integer(-3))),
        ("products/b/statistics/2026-11-21", "product", "world", "2026-11-21", Some(Value::Integer(12))),
        ("products/c/statistics/2026-11-21", "product", "world", "2026-11-21", Some(Value::Double(9.5))),
        ("products/d/statistics/2026-11-21", "product", "world", "2026-11-21", None),
        ("products/b/statistics/2026-11-20", "product", "world", "2026-11-20", Some(Value::Integer(99))),
        ("countries/DE/products/b/statistics/2026-11-21", "product", "country", "2026-11-21", Some(Value::Integer(7))),
    ];
    let writes: Vec<Write> = documents
        .into_iter()
        .map(|(path, subject, scope, grain, score)| {
            let text = |text: &str| Value::String(text.to_owned());
            let mut fields = fields([("subject", text(subject)), ("scope", text(scope)), ("grain", text(grain))]);
            if let Some(score) = score {
                fields.set("interest_score", score);
            }
            write(path, fields, Guard::Absent)
        })
        .collect();
    store.commit(&writes).await.unwrap();
}

async fn ask(store: &dyn DocumentStore, query: Query) -> Vec<String> {
    store.query(&query).await.unwrap().into_iter().map(|(path, _)| path).collect()
}

pub(super) async fn answers_questions_at_all_depths(store: &dyn DocumentStore) {
    create_counting(store).await;
    create(store, &paths(["statistics/without-fields", "statistics/lifetime/statistics/x"])).await;
    let sorted = |mut paths: Vec<String>| {
        paths.sort();
        paths
    };
    let shop = || Query::group("statistics").with("subject", "shop");
    let countries = shop().with("scope", "country").with("grain", "2026-11-21");
    let wanted = paths(["countries/DE/statistics/2026-11-21", "countries/FR/statistics/2026-11-21"]);
    assert_eq!(sorted(ask(store, countries).await), wanted);
    let days = shop().with("scope", "world").between("2026-11-20", "2026-11-30");
    let wanted = paths(["statistics/2026-11-20", "statistics/2026-11-21"]);
    assert_eq!(sorted(ask(store, days).await), wanted);
    assert_eq!(ask(store, Query::group("statistics").with("subject", "payment")).await, paths([]));
    assert_eq!(ask(store, Query::group("nothing")).await, paths([]));
    let bad = store.query(&Query::group("a/b")).await;
    assert!(matches!(bad, Err(StoreError::Refused(_))), "{bad:?}");
}

pub(super) async fn answers_questions_in_order_up_to_the_limit(store: &dyn DocumentStore) {
    create_counting(store).await;
    let products = || {
        let products = Query::group("statistics").with("subject", "product").with("scope", "world");
        products.with("grain", "2026-11-21").highest("interest_score")
    };
    let product = |id: &str| format!("products/{id}/statistics/2026-11-21");
    assert_eq!(ask(store, products()).await, [product("b"), product("c"), product("a")]);
    assert_eq!(ask(store, products().limit(2)).await, [product("b"), product("c")]);
    // As the reference says it.
    let all = store.scan("statistics").await.unwrap();
    for query in [products(), products().limit(1), Query::group("statistics").under("countries/DE")] {
        assert_eq!(store.query(&query).await.unwrap(), query.of(all.clone()), "{query:?}");
    }
}

pub(super) async fn answers_questions_about_one_parent_s_collection(store: &dyn DocumentStore) {
    create_counting(store).await;
    let of_germany = Query::group("statistics").under("countries/DE");
    assert_eq!(ask(store, of_germany).await, ["countries/DE/statistics/2026-11-21"]);
    let mut of_the_root = ask(store, Query::group("statistics").under("")).await;
    of_the_root.sort();
    assert_eq!(of_the_root, ["statistics/2026-11-20", "statistics/2026-11-21", "statistics/lifetime"]);
    let of_a_product = Query::group("statistics").under("products/b").between("2026-11-21", "2026-11-21");
    assert_eq!(ask(store, of_a_product).await, ["products/b/statistics/2026-11-21"]);
}

pub(super) async fn tells_how_documents_stand_and_then_their_changes(store: &dyn DocumentStore) {
    let version = create(store, &paths(["a/there"])).await[0];
    let mut heard = store.listen(paths(["a/there", "a/later"]));
    let mut next =
        async || tokio::time::timeout(Duration::from_secs(10), heard.next()).await.unwrap().unwrap().unwrap();
    let document = |heard: Heard| match heard {
        Heard::Document { path, stored } => (path, stored.map(|stored| (stored.fields, stored.version))),
        Heard::Current => panic!("current too early"),
    };
    let mut first = [document(next().await), document(next().await)];
    first.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(first, [("a/later".to_owned(), None), ("a/there".to_owned(), Some((number(0), version)))]);
    assert_eq!(next().await, Heard::Current);

    let created = create(store, &paths(["a/later", "a/unheard"])).await[0];
    assert_eq!(document(next().await), ("a/later".to_owned(), Some((number(0), created))));
    let changed = store.commit(&[write("a/there", number(5), Guard::Version(version))]).await.unwrap()[0];
    assert_eq!(document(next().await), ("a/there".to_owned(), Some((number(5), changed))));
}

#[tokio::test]
async fn a_listener_outlives_the_emulator_it_listened_to() {
    let emulator = Emulator::start(free_port());
    let store = FirestoreStore::connect("p", Access::Emulator(emulator.host.clone())).await.unwrap();
    let mut heard = store.listen(paths(["a/b"]));
    let mut next = async || tokio::time::timeout(Duration::from_secs(60), heard.next()).await.unwrap().unwrap();
    assert!(matches!(next().await, Ok(Heard::Document { stored: None, .. })));
    assert_eq!(next().await, Ok(Heard::Current));
    let port = emulator.port;
    drop(emulator);
    assert!(matches!(next().await, Err(StoreError::Unavailable(_))));
    let _again = Emulator::start(port);
    create(&store, &paths(["a/b"])).await;
    loop {
        match next().await {
            Ok(Heard::Document { path, stored: Some(_) }) => return assert_eq!(path, "a/b"),
            Ok(_) | Err(StoreError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}
