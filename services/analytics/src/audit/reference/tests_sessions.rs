//! What sessions add, where, and when it is taken back.

use super::tests_support::*;
use super::*;

const FUNNEL: [&str; 7] = [
    "sessions_count",
    "viewing_sessions_count",
    "carting_sessions_count",
    "buying_sessions_count",
    "closed_sessions_count",
    "bounced_sessions_count",
    "abandoned_carts_count",
];

fn funnel(documents: &BTreeMap<String, Fields>, path: &str) -> [i64; 7] {
    FUNNEL.map(|name| integer(&documents[path], name))
}

/// The funnel of everything, and what abandoned carts are worth.
fn all(topic: Topic) -> ([i64; 7], f64) {
    let documents = topic.end().documents;
    let amount = double(&documents["statistics/lifetime"], "abandoned_carts_amount");
    (funnel(&documents, "statistics/lifetime"), amount)
}

/// An event of another session in another partition or the same, to move the watermark.
fn other(seconds: i64) -> serde_json::Value {
    of("other", event(seconds, viewed("p")))
}

#[test]
fn a_session_counts_where_and_when_its_first_event_in_the_topic_was() {
    let mut topic = Topic::new(Rules::default());
    topic.put(0, 100, event(HOUR, started()));
    topic.put(0, 101, event(-DAY, viewed("p")));
    topic.put(0, 102, from("US", event(HOUR + 10, added("p", 2, 1.5))));
    topic.put(0, 103, from("US", event(HOUR + 20, purchase(&[("p", 2, 3.0)], 3.0, 0.0))));
    topic.put(0, 104, from("US", event(HOUR + 30, ended(30))));
    let documents = topic.end().documents;
    let whole = [1, 1, 1, 1, 1, 0, 0];
    for path in ["statistics/lifetime", "statistics/2026-11-26", "hours/2026-11-26T20", "windows/2026-11-26T20:00"] {
        assert_eq!(funnel(&documents, path), whole, "{path}");
        assert_eq!(funnel(&documents, &format!("countries/DE/{path}")), whole, "{path}");
    }
    for path in ["statistics/2026-11-25", "countries/US/statistics/lifetime", "countries/US/hours/2026-11-26T20"] {
        assert_eq!(funnel(&documents, path), [0; 7], "{path}");
    }
}

#[test]
fn an_open_session_is_neither_closed_nor_bounced_nor_abandoned() {
    let mut topic = Topic::new(Rules::default());
    topic.now(0, started());
    topic.now(1, added("p", 1, 9.0));
    assert_eq!(all(topic), ([1, 0, 1, 0, 0, 0, 0], 0.0));
}

#[test]
fn a_session_that_did_one_thing_bounced() {
    let mut topic = Topic::new(Rules::default());
    topic.now(0, started());
    topic.now(1, category_viewed("c"));
    topic.now(2, ended(2));
    assert_eq!(all(topic), ([1, 1, 0, 0, 1, 1, 0], 0.0));
    let mut topic = Topic::new(Rules::default());
    topic.now(0, started());
    topic.now(1, category_viewed("c"));
    topic.now(1, category_viewed("c"));
    topic.now(2, ended(2));
    assert_eq!(all(topic), ([1, 1, 0, 0, 1, 0, 0], 0.0));
}

#[test]
fn a_cart_is_pieces_and_worth() {
    let cart = |changes: &[super::tests_support::Kind]| {
        let mut topic = Topic::new(Rules::default());
        for change in changes {
            topic.now(0, change.clone());
        }
        topic.now(0, ended(1));
        let (funnel, amount) = all(topic);
        (funnel[6], amount)
    };
    assert_eq!(cart(&[added("p", 2, 1.25), added("q", 1, 10.0)]), (1, 12.5));
    assert_eq!(cart(&[added("p", 2, 1.25), removed("p", 1, 1.25)]), (1, 1.25));
    // Neither goes below zero, each for itself.
    assert_eq!(cart(&[added("p", 3, 1.0), removed("q", 1, 5.0)]), (1, 0.0));
    assert_eq!(cart(&[removed("p", 5, 1.0), added("p", 1, 1.0)]), (1, 1.0));
    // Without pieces it is worth nothing, though the price has fallen.
    assert_eq!(cart(&[added("p", 2, 3.0), removed("p", 2, 1.0)]), (0, 0.0));
    assert_eq!(cart(&[added("p", 2, 3.0), removed("p", 2, 1.0), added("p", 1, 2.0)]), (1, 2.0));
    // A purchase empties it, whatever it is of.
    assert_eq!(cart(&[added("p", 2, 3.0), purchase(&[("q", 1, 1.0)], 1.0, 0.0)]), (0, 0.0));
    assert_eq!(cart(&[added("p", 2, 3.0), purchase(&[], 0.0, 0.0), added("p", 1, 0.0)]), (1, 0.0));
}

#[test]
fn an_idle_session_is_closed_by_the_watermark_of_its_partition() {
    let rules = Rules { lifetime_ms: i64::MAX / 4, ..Rules::default() };
    let closed_after = |partition: i32, recorded: i64, happened: i64| {
        let mut topic = Topic::new(rules);
        topic.now(0, added("p", 1, 2.0));
        topic.put(0, 1, event(-100, viewed("p")));
        topic.put(partition, recorded, other(happened));
        all(topic)
    };
    let (open, closed) = (([2, 2, 1, 0, 0, 0, 0], 0.0), ([2, 2, 1, 0, 1, 0, 1], 2.0));
    assert_eq!(closed_after(0, 1800, 1799), open);
    assert_eq!(closed_after(0, 1799, 1800), open, "the client's clock is ahead");
    assert_eq!(closed_after(0, 1800, 1800), closed);
    assert_eq!(closed_after(1, 1800, 1800), open, "another partition");
}

#[test]
fn a_later_event_opens_an_idle_session_again_but_no_ended_one() {
    let rules = Rules { lifetime_ms: i64::MAX / 4, ..Rules::default() };
    let mut topic = Topic::new(rules);
    topic.now(0, added("p", 1, 2.0));
    topic.put(0, 1800, other(1800));
    topic.put(0, 1801, event(1801, added("p", 1, 2.0)));
    assert_eq!(all(topic), ([2, 1, 1, 0, 0, 0, 0], 0.0), "what was counted is taken back");

    let mut topic = Topic::new(rules);
    topic.now(0, added("p", 1, 2.0));
    topic.put(0, 1800, other(1800));
    // Its own latest event is still 1,800 s behind, so it stays closed, with more in the cart.
    topic.put(0, 1801, event(-5, added("p", 1, 2.0)));
    assert_eq!(all(topic), ([2, 1, 1, 0, 1, 0, 1], 4.0));

    let mut topic = Topic::new(rules);
    topic.now(0, ended(0));
    topic.now(1, added("p", 1, 2.0));
    topic.now(2, viewed("p"));
    assert_eq!(all(topic), ([1, 1, 1, 0, 1, 0, 1], 2.0));
}

#[test]
fn a_duplicate_opens_no_session_but_can_close_one() {
    let rules = Rules { lifetime_ms: i64::MAX / 4, ..Rules::default() };
    let mut topic = Topic::new(rules);
    topic.now(0, viewed("p"));
    topic.first_again(1800, event(1800, viewed("p")));
    topic.first_again(1801, event(1801, viewed("p")));
    assert_eq!(all(topic), ([1, 1, 0, 0, 1, 1, 0], 0.0));
}

#[test]
fn a_forgotten_session_is_closed_and_the_next_event_is_of_a_new_one() {
    let after = |recorded: i64, rejected: bool| {
        let mut topic = Topic::new(Rules::default());
        topic.now(0, viewed("p"));
        if rejected {
            topic.bytes(0, recorded, b"{");
        } else {
            // As old as the first, so the watermark stays.
            topic.put(0, recorded, other(0));
        }
        all(topic).0
    };
    assert_eq!(after(600, true), [1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(after(601, true), [1, 1, 0, 0, 1, 1, 0]);
    assert_eq!(after(600, false), [2, 2, 0, 0, 0, 0, 0]);
    assert_eq!(after(601, false), [2, 2, 0, 0, 1, 1, 0]);

    let mut topic = Topic::new(Rules::default());
    topic.now(0, viewed("p"));
    topic.put(0, 601, event(1, added("p", 1, 1.0)));
    assert_eq!(all(topic).0, [2, 1, 1, 0, 1, 1, 0]);

    // By records: the third after the last event, even if that is a duplicate, is one too many.
    let mut topic = Topic::new(Rules { lifetime_records: 2, ..Rules::default() });
    topic.now(0, viewed("p"));
    topic.now(0, started());
    topic.first_again(0, event(0, viewed("p")));
    topic.bytes(0, 0, b"{");
    topic.first_again(0, event(0, viewed("p")));
    topic.bytes(0, 0, b"{");
    topic.bytes(0, 0, b"{");
    assert_eq!(topic.reference.duplicates, 2);
    topic.first_again(0, event(0, viewed("p")));
    assert_eq!(topic.reference.duplicates, 2, "a new session");
    assert_eq!(all(topic).0, [2, 2, 0, 0, 1, 1, 0]);
}

#[test]
fn a_session_is_one_in_each_partition() {
    let mut topic = Topic::new(Rules::default());
    topic.put(0, 0, event(0, viewed("p")));
    topic.put(1, 0, event(0, viewed("p")));
    assert_eq!(all(topic).0, [2, 2, 0, 0, 0, 0, 0]);
}

#[test]
fn sessions_are_no_late_events_and_expire_like_them() {
    // The window 19:00 closes at 19:20, and expires 1,900 s after 19:00.
    let forgotten_at = |lifetime_ms: i64, recorded: i64| {
        let mut topic = Topic::new(Rules { windows_retention_ms: 1_000_000, lifetime_ms, ..Rules::default() });
        topic.now(1350, viewed("p"));
        topic.put(0, 1352, of("late", event(0, viewed("p"))));
        topic.bytes(0, recorded, b"{");
        let documents = topic.end().documents;
        let window = &documents["windows/2026-11-26T19:00"];
        assert_eq!(integer(window, "events_after_close_count"), 1, "the event, not the session");
        assert_eq!(integer(window, "sessions_count"), 1);
        let lifetime = integer(&documents["statistics/lifetime"], "closed_sessions_count");
        (integer(window, "closed_sessions_count"), lifetime)
    };
    assert_eq!(forgotten_at(547_000, 1899), (0, 1), "the late one is still known");
    assert_eq!(forgotten_at(546_000, 1899), (1, 2));
    assert_eq!(forgotten_at(546_000, 1900), (0, 2), "the window has expired");
}
