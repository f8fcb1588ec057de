//! Which documents there are, what is counted in them, and until when.

use super::tests_support::*;
use super::*;

#[test]
fn every_event_touches_all_documents_of_the_shop() {
    let mut topic = Topic::new(Rules::default());
    topic.now(1000, category_viewed("c/1"));
    let documents = topic.end().documents;
    let paths: Vec<&str> = documents.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "categories/c%2F1/hours/2026-11-26T19",
            "categories/c%2F1/statistics/2026-11-26",
            "categories/c%2F1/statistics/lifetime",
            "countries/DE/categories/c%2F1/statistics/2026-11-26",
            "countries/DE/categories/c%2F1/statistics/lifetime",
            "countries/DE/hours/2026-11-26T19",
            "countries/DE/statistics/2026-11-26",
            "countries/DE/statistics/lifetime",
            "countries/DE/visits/2026-11-26",
            "countries/DE/visits/2026-11-26T19",
            "countries/DE/windows/2026-11-26T19:15",
            "hours/2026-11-26T19",
            "sessions_history/s",
            "statistics/2026-11-26",
            "statistics/lifetime",
            "visits/2026-11-26",
            "visits/2026-11-26T19",
            "watermarks/events",
            "windows/2026-11-26T19:15",
        ]
    );
    let shop = &documents["countries/DE/windows/2026-11-26T19:15"];
    assert_eq!((text(shop, "subject"), text(shop, "grain")), ("shop", "2026-11-26T19:15"));
    assert_eq!((text(shop, "scope"), text(shop, "country")), ("country", "DE"));
    assert_eq!((shop.get("id"), shop.get("minutes")), (None, None));
    assert_eq!((integer(shop, "product_views_count"), double(shop, "total_amount")), (0, 0.0));
    assert_eq!(integer(shop, "events_after_close_count"), 0);
    assert_eq!(shop.get("closes_at"), Some(&timestamp(1800 + 300)));
    assert_eq!(shop.get("expires_at"), Some(&timestamp(1800 + 14 * DAY)));
    let category = &documents["categories/c%2F1/hours/2026-11-26T19"];
    assert_eq!(
        (text(category, "subject"), text(category, "id"), text(category, "scope")),
        ("category", "c/1", "world")
    );
    assert_eq!(category.get("country"), None);
    assert_eq!(category.get("closes_at"), Some(&timestamp(HOUR + 300)));
    assert_eq!(category.get("expires_at"), Some(&timestamp(HOUR + 90 * DAY)));
    assert_eq!(category.get("conversion_rate"), None, "nothing to divide by");
    assert_eq!(integer(category, "interest_score"), 1);
    let lifetime = &documents["statistics/lifetime"];
    for absent in ["closes_at", "expires_at", "events_after_close_count", "average_order_value", "discount_share"] {
        assert_eq!(lifetime.get(absent), None, "{absent}");
    }
}

#[test]
fn what_is_derived_is_a_quotient_of_integers() {
    let mut topic = Topic::new(Rules::default());
    for _ in 0..3 {
        topic.now(0, viewed("p"));
    }
    topic.now(0, added("p", 4, 2.0));
    topic.now(0, removed("p", 1, 2.0));
    topic.now(0, category_viewed("c"));
    topic.now(0, purchase(&[("p", 2, 10.01), ("p", 1, 5.0), ("q", 1, 0.0)], 15.01, 5.0));
    let documents = topic.end().documents;
    let shop = &documents["hours/2026-11-26T19"];
    assert_eq!(double(shop, "average_order_value"), 15.01);
    assert_eq!(double(shop, "items_per_order"), 4.0);
    assert_eq!(double(shop, "discount_share"), 500.0 / 2001.0);
    assert_eq!(double(shop, "conversion_rate"), 1.0 / 3.0);
    assert_eq!(integer(shop, "product_views_count"), 3);
    let product = &documents["products/p/statistics/2026-11-26"];
    assert_eq!((integer(product, "purchase_count"), integer(product, "total_items_purchased")), (2, 3));
    assert_eq!(double(product, "total_amount"), 15.01);
    assert_eq!(double(product, "conversion_rate"), 2.0 / 3.0);
    assert_eq!(integer(product, "interest_score"), 3 + 4 * 3 - 2 + 3 * 5);
    let category = &documents["countries/DE/categories/c/statistics/lifetime"];
    assert_eq!(double(category, "conversion_rate"), 1.0, "three lines, three views of products");
    assert_eq!(integer(category, "interest_score"), 1 + 3 + 4 * 3 - 2 + 4 * 5);
    let unseen = &documents["products/q/hours/2026-11-26T19"];
    assert_eq!(unseen.get("conversion_rate"), None);
    let payment = &documents["countries/DE/payments/m%2F1/statistics/2026-11-26"];
    assert_eq!((text(payment, "subject"), text(payment, "id"), integer(payment, "usage_count")), ("payment", "m/1", 1));
    let shipping = &documents["countries/FR/states/a%2Fb/shipping/lifetime"];
    assert_eq!((text(shipping, "subject"), text(shipping, "id"), text(shipping, "country")), ("shipping", "a/b", "FR"));
    assert_eq!((text(shipping, "scope"), text(shipping, "grain")), ("country", "lifetime"));
    assert_eq!(integer(shipping, "estimated_delivery_hours_waiting"), 2);
    assert!(!documents.contains_key("countries/DE/products/p/hours/2026-11-26T19"));
    assert!(!documents.contains_key("payments/m%2F1/hours/2026-11-26T19"));
}

#[test]
fn nothing_is_divided_by_zero() {
    let mut topic = Topic::new(Rules::default());
    topic.now(0, purchase(&[], 0.0, 0.0));
    let documents = topic.end().documents;
    let shop = &documents["statistics/lifetime"];
    assert_eq!(double(shop, "average_order_value"), 0.0);
    assert_eq!(double(shop, "items_per_order"), 0.0);
    assert_eq!((shop.get("discount_share"), shop.get("conversion_rate")), (None, None));
}

#[test]
fn a_window_has_its_minutes() {
    let mut topic = Topic::new(Rules::default());
    topic.now(900, started());
    topic.now(959, purchase(&[("p", 1, 2.5)], 2.5, 0.0));
    topic.now(1799, viewed("p"));
    let documents = topic.end().documents;
    let window = &documents["windows/2026-11-26T19:15"];
    let mut minutes = vec![vec![0, 0]; 15];
    minutes[0] = vec![2, 1];
    minutes[14] = vec![1, 0];
    assert_eq!(rows(window, "minutes", &["events_count", "purchase_count"]), minutes);
    assert_eq!(double(maps(window, "minutes")[0], "total_amount"), 2.5);
    assert_eq!(double(maps(window, "minutes")[1], "total_amount"), 0.0);
}

#[test]
fn late_is_what_comes_when_the_watermark_had_reached_closing() {
    let mut topic = Topic::new(Rules::default());
    // The window 19:00 closes at 19:20. Nothing is late before the first event, nor a millisecond before closing.
    topic.now(1199, started());
    topic.put(0, 1199, event(10, viewed("p")));
    // This one finds the watermark of 19:19:59, and moves it to 19:20.
    topic.put(0, 1200, event(1200, viewed("p")));
    topic.put(0, 1201, event(20, viewed("p")));
    topic.put(0, 1201, event(20, purchase(&[("p", 1, 1.0), ("p", 1, 1.0)], 2.0, 0.0)));
    // Another partition has its own.
    topic.put(1, 1202, event(30, viewed("p")));
    // The hour closes at 20:05.
    topic.put(0, 3900, event(3900, viewed("p")));
    topic.put(0, 3901, event(40, purchase(&[("p", 1, 1.0), ("p", 1, 1.0)], 2.0, 0.0)));
    let documents = topic.end().documents;
    let late = |path: &str| integer(&documents[path], "events_after_close_count");
    assert_eq!(late("windows/2026-11-26T19:00"), 3);
    assert_eq!(late("countries/DE/windows/2026-11-26T19:00"), 3);
    assert_eq!(late("windows/2026-11-26T19:15"), 0);
    assert_eq!(late("hours/2026-11-26T19"), 1);
    assert_eq!(late("products/p/hours/2026-11-26T19"), 2, "each line is counted");
    assert_eq!(late("categories/c/hours/2026-11-26T19"), 2);
    assert_eq!(late("hours/2026-11-26T20"), 0);
    assert_eq!(documents["statistics/2026-11-26"].get("events_after_close_count"), None);
}

#[test]
fn what_comes_when_a_document_has_expired_does_not_count_there() {
    let rules = Rules { windows_retention_ms: 1_000_000, hours_retention_ms: 3_600_000, ..Rules::default() };
    let mut topic = Topic::new(rules);
    // The window 19:00 expires at 19:15 and 1,000 s, the hour at 21:00.
    topic.put(0, 1899, event(0, viewed("p")));
    topic.put(0, 1900, event(0, viewed("p")));
    topic.put(0, 2 * HOUR - 1, by("v", event(0, viewed("p"))));
    topic.put(0, 2 * HOUR, by("w", event(0, viewed("p"))));
    let documents = topic.end().documents;
    let views = |path: &str| integer(&documents[path], "product_views_count");
    assert_eq!(views("windows/2026-11-26T19:00"), 1);
    assert_eq!(rows(&documents["windows/2026-11-26T19:00"], "minutes", &["events_count"])[0], [1]);
    assert_eq!(views("countries/DE/windows/2026-11-26T19:00"), 1);
    assert_eq!((views("hours/2026-11-26T19"), views("countries/DE/hours/2026-11-26T19")), (3, 3));
    assert_eq!(integer(&documents["products/p/hours/2026-11-26T19"], "views_count"), 3);
    assert_eq!(views("statistics/2026-11-26"), 4);
    let visitors = |path: &str| integer(&documents[path], "unique_visitors_count");
    assert_eq!((visitors("visits/2026-11-26"), visitors("visits/2026-11-26T19")), (3, 2));
}

#[test]
fn an_event_of_an_expired_time_makes_no_document() {
    let mut topic = Topic::new(Rules::default());
    topic.put(0, 200 * DAY, event(0, viewed("p")));
    let documents = topic.end().documents;
    assert!(documents.contains_key("products/p/statistics/2026-11-26"));
    let short_lived = |path: &&String| path.contains("T19");
    assert_eq!(documents.keys().find(short_lived), None);
}

#[test]
fn times_beyond_what_a_timestamp_can_hold_are_the_latest() {
    let mut topic = Topic::new(Rules::default());
    let mut last = event(0, viewed("p"));
    last["timestamp"] = "9999-12-31T23:59:59.999999Z".into();
    topic.put(0, 0, last);
    let documents = topic.end().documents;
    let hour = &documents["hours/9999-12-31T23"];
    let latest = Value::Timestamp(storepulse_events::Timestamp::MAX.micros());
    assert_eq!((hour.get("closes_at"), hour.get("expires_at")), (Some(&latest), Some(&latest)));
}

#[test]
fn the_watermark_is_the_lowest_of_partitions_that_are_not_idle() {
    let mut topic = Topic::new(Rules::default());
    topic.put(0, 9000, event(5000, viewed("p")));
    // Older than what has been seen: moves nothing.
    topic.put(0, 9000, event(4000, viewed("p")));
    // A clock that is ahead counts as the broker's time.
    topic.put(1, 5500, event(99_000, viewed("p")));
    // An hour behind the highest is not idle yet, a millisecond more is.
    topic.put(2, 9000, event(1900, viewed("p")));
    topic.put(3, 9000, event(1899, viewed("p")));
    // No event, no watermark.
    topic.bytes(4, 9000, b"{");
    let documents = topic.end().documents;
    let watermarks = &documents["watermarks/events"];
    assert_eq!(watermarks.get("watermark"), Some(&timestamp(1900)));
    let partitions = [("0", 5000), ("1", 5500), ("2", 1900), ("3", 1899)];
    let partitions = partitions.map(|(partition, seconds)| (partition, timestamp(seconds)));
    assert_eq!(watermarks.get("partitions"), Some(&Value::Map(partitions.into_iter().collect())));
    assert_eq!(watermarks.len(), 2);
}

#[test]
fn a_duplicate_moves_the_watermark_and_counts_nowhere() {
    let mut topic = Topic::new(Rules { lifetime_ms: 2_000_000, ..Rules::default() });
    topic.now(0, viewed("p"));
    topic.first_again(1, event(1200, viewed("p")));
    topic.first_again(1300, event(1300, viewed("p")));
    topic.put(0, 1300, event(0, viewed("p")));
    let documents = topic.end().documents;
    assert_eq!(documents["watermarks/events"].get("watermark"), Some(&timestamp(1300)));
    assert_eq!(integer(&documents["statistics/lifetime"], "product_views_count"), 2);
    assert_eq!(integer(&documents["windows/2026-11-26T19:00"], "events_after_close_count"), 1);
}

#[test]
fn microseconds_are_cut_off_for_the_watermark() {
    let mut topic = Topic::new(Rules::default());
    let mut early = event(0, viewed("p"));
    early["timestamp"] = "2026-11-26T19:00:00.001999Z".into();
    topic.put(0, 10, early);
    let documents = topic.end().documents;
    assert_eq!(documents["watermarks/events"].get("watermark"), Some(&Value::Timestamp((ms(0) + 1) * 1000)));
}
