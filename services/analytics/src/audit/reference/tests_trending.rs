//! Trending products.

use super::tests_support::*;
use super::*;

const ALL: &str = "leaderboards/trending";

fn products<'a>(fields: &'a Fields, list: &str) -> Vec<&'a str> {
    maps(fields, list).iter().map(|entry| text(entry, "product")).collect()
}

#[test]
fn lists_are_in_order_and_cut_off() {
    let mut topic = Topic::new(Rules { trending_size: 3, ..Rules::default() });
    topic.now(0, purchase(&[("b", 2, 1.0), ("a", 2, 2.5), ("c", 7, 3.0), ("d", 1, 4.0), ("c", 1, 3.0)], 9.0, 0.0));
    topic.now(0, viewed("e"));
    topic.now(0, added("f", 3, 1.0));
    topic.now(0, removed("g", 1, 1.0));
    topic.now(0, category_viewed("c"));
    let documents = topic.end().documents;
    let trending = &documents[ALL];
    assert_eq!(products(trending, "most_bought"), ["c", "a", "b"]);
    assert_eq!(rows(trending, "most_bought", &["quantity"]), [[8], [2], [2]]);
    let amounts: Vec<f64> = maps(trending, "most_bought").iter().map(|row| double(row, "total_amount")).collect();
    assert_eq!(amounts, [6.0, 2.5, 1.0]);
    assert_eq!(products(trending, "rising"), ["c", "a", "b"]);
    let rising = rows(trending, "rising", &["interest_score", "previous_interest_score", "rise"]);
    assert_eq!(rising, [[40, 0, 40], [10, 0, 10], [10, 0, 10]]);
    assert_eq!(trending.get("latest_window"), Some(&timestamp(0)));
    assert_eq!(integer(trending, "omitted_products_count"), 0);
    assert_eq!(trending.len(), 4);
    assert_eq!(documents["countries/DE/leaderboards/trending"], *trending);
    assert_eq!(maps(trending, "rising").iter().map(|row| row.len()).max(), Some(4));
}

#[test]
fn the_last_hours_are_compared_with_those_before() {
    let rules = Rules { trending_windows: 4, ..Rules::default() };
    let mut topic = Topic::new(rules);
    // The latest window is 21:00, so this hour is 20:15 to 21:15, and the one before 19:15 to 20:15.
    let put = |topic: &mut Topic, seconds: i64, kind| topic.put(0, 2 * HOUR, event(seconds, kind));
    put(&mut topic, 899, purchase(&[("before", 9, 1.0)], 9.0, 0.0));
    put(&mut topic, 900, added("rises", 1, 1.0));
    put(&mut topic, 900, purchase(&[("falls", 1, 1.0)], 9.0, 0.0));
    put(&mut topic, 4499, added("same", 2, 1.0));
    put(&mut topic, 4500, added("rises", 2, 1.0));
    put(&mut topic, 4500, added("same", 2, 1.0));
    put(&mut topic, 2 * HOUR, viewed("falls"));
    put(&mut topic, 2 * HOUR, viewed("new"));
    // Late, but within.
    put(&mut topic, 901, viewed("rises"));
    let documents = topic.end().documents;
    let trending = &documents[ALL];
    assert_eq!(products(trending, "most_bought"), [""; 0]);
    assert_eq!(products(trending, "rising"), ["rises", "new"]);
    let rising = rows(trending, "rising", &["interest_score", "previous_interest_score", "rise"]);
    assert_eq!(rising, [[6, 4, 2], [1, 0, 1]]);
    assert_eq!(trending.get("latest_window"), Some(&timestamp(2 * HOUR)));
}

#[test]
fn a_score_that_is_less_negative_rises() {
    let rules = Rules { trending_windows: 1, ..Rules::default() };
    let mut topic = Topic::new(rules);
    topic.put(0, 2000, event(0, removed("p", 2, 1.0)));
    topic.put(0, 2000, event(900, removed("p", 1, 1.0)));
    topic.put(0, 2000, event(0, removed("gone", 2, 1.0)));
    let documents = topic.end().documents;
    let rising = rows(&documents[ALL], "rising", &["interest_score", "previous_interest_score", "rise"]);
    assert_eq!(products(&documents[ALL], "rising"), ["gone", "p"]);
    assert_eq!(rising, [[0, -4, 4], [-2, -4, 2]]);
}

#[test]
fn an_event_from_the_future_does_not_end_the_list() {
    let mut topic = Topic::new(Rules::default());
    topic.put(0, 899, event(0, viewed("p")));
    topic.put(0, 899, event(900, viewed("q")));
    let documents = topic.end().documents;
    assert_eq!(documents[ALL].get("latest_window"), Some(&timestamp(0)));
    assert_eq!(products(&documents[ALL], "rising"), ["p"]);

    let mut topic = Topic::new(Rules::default());
    topic.put(0, 899, event(0, viewed("p")));
    topic.put(0, 900, event(1799, viewed("q")));
    let documents = topic.end().documents;
    assert_eq!(documents[ALL].get("latest_window"), Some(&timestamp(900)));
    assert_eq!(products(&documents[ALL], "rising"), ["p", "q"]);
}

#[test]
fn a_country_has_its_own_latest_window() {
    let mut topic = Topic::new(Rules { trending_windows: 1, ..Rules::default() });
    topic.now(0, viewed("p"));
    topic.put(0, HOUR, from("US", event(HOUR, viewed("q"))));
    let documents = topic.end().documents;
    let german = &documents["countries/DE/leaderboards/trending"];
    assert_eq!((german.get("latest_window"), products(german, "rising")), (Some(&timestamp(0)), vec!["p"]));
    let all = &documents[ALL];
    assert_eq!((all.get("latest_window"), products(all, "rising")), (Some(&timestamp(HOUR)), vec!["q"]));
    assert!(documents["countries/US/leaderboards/trending"].get("country").is_none());
}

#[test]
fn without_products_there_is_no_list() {
    let mut topic = Topic::new(Rules::default());
    topic.now(0, category_viewed("c"));
    topic.now(0, purchase(&[], 1.0, 0.0));
    assert!(!topic.end().documents.contains_key(ALL));
}

#[test]
fn with_too_many_products_only_quantities_are_known() {
    let with = |n: i32| {
        let mut topic = Topic::new(Rules::default());
        topic.now(0, purchase(&[("p0", 3, 1.0), ("p0", 1, 1.0)], 3.0, 0.0));
        for i in 1..n {
            topic.now(0, viewed(&format!("p{i}")));
        }
        topic.put(0, 0, from("US", event(0, viewed("p0"))));
        topic.end()
    };
    assert!(with(1000).partial.is_empty());
    let expected = with(1001);
    let paths: Vec<&str> = expected.partial.keys().map(String::as_str).collect();
    assert_eq!(paths, ["countries/DE/leaderboards/trending", ALL]);
    assert_eq!((expected.partial[ALL]["p0"], expected.partial[ALL]["p7"]), (4, 0));
    assert_eq!(expected.documents[ALL].len(), 1);
}
