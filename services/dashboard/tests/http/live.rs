//! What viewers see while they watch.

use std::time::{Duration, Instant};

use crate::documents::{shop, window};
use crate::support::{Dashboard, How};

#[tokio::test]
async fn a_viewer_sees_a_change_within_two_seconds() {
    let dashboard = Dashboard::open().await;
    let mut events = dashboard.events("/api/stream", &[]).await;
    assert_eq!(events.next("store").await.unwrap()["state"], "ok");
    let first = events.next("now").await.unwrap();
    assert_eq!((&first["today"]["purchase_count"], first["windows"].as_array().unwrap().len()), (&100.into(), 2));
    assert!(events.next("pipeline").await.unwrap()["health"].is_string());
    let wrote = Instant::now();
    dashboard.write(&[shop("statistics/2026-11-26", 101)]).await;
    loop {
        let now = events.next("now").await.unwrap();
        if now["today"]["purchase_count"] == 101 {
            break;
        }
    }
    assert!(wrote.elapsed() < Duration::from_secs(2), "{:?}", wrote.elapsed());
}

#[tokio::test]
async fn many_viewers_share_one_listener() {
    let dashboard = Dashboard::open().await;
    let mut viewers = Vec::new();
    for _ in 0..10 {
        viewers.push(dashboard.events("/api/stream", &[]).await);
    }
    for viewer in &mut viewers {
        viewer.next("now").await.unwrap();
    }
    assert_eq!((dashboard.site.metrics.viewers.get(), dashboard.site.metrics.listeners.get()), (10, 1));
    let listened = || dashboard.site.metrics.store_reads.with_label_values(&["listen"]).get();
    assert_eq!(listened(), 7);
    let mut germany = dashboard.events("/api/stream?country=DE", &[]).await;
    assert_eq!(germany.next("now").await.unwrap()["today"]["purchase_count"], 60);
    assert_eq!(dashboard.site.metrics.listeners.get(), 2);
    drop((viewers, germany));
    let began = Instant::now();
    while dashboard.site.metrics.listeners.get() > 0 || dashboard.site.metrics.viewers.get() > 0 {
        assert!(began.elapsed() < Duration::from_secs(15), "listeners go on without viewers");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // And are there again when somebody comes back.
    assert!(dashboard.events("/api/stream", &[]).await.next("now").await.is_some());
}

#[tokio::test]
async fn at_midnight_another_day_begins() {
    let dashboard = Dashboard::open().await;
    dashboard.set_time("2026-11-26T23:59:59Z");
    let mut events = dashboard.events("/api/stream", &[]).await;
    assert_eq!(events.next("now").await.unwrap()["day"], "2026-11-26");
    dashboard.write(&[shop("statistics/2026-11-27", 1), window("windows/2026-11-27T00:00", 1)]).await;
    dashboard.set_time("2026-11-27T00:00:01Z");
    loop {
        let now = events.next("now").await.unwrap();
        if now["day"] == "2026-11-27" && now["today"]["purchase_count"] == 1 {
            assert_eq!(now["yesterday"]["purchase_count"], 100);
            break;
        }
    }
}

#[tokio::test]
async fn viewers_are_told_that_the_store_is_down_and_that_it_is_back() {
    let dashboard = Dashboard::open().await;
    let mut events = dashboard.events("/api/stream", &[]).await;
    events.next("now").await.unwrap();
    dashboard.switch_store(false);
    let mut state = serde_json::json!({"state": "ok"});
    while state["state"] == "ok" {
        state = events.next("store").await.unwrap();
    }
    assert_eq!((&state["state"], state["message"].as_str().unwrap().contains("switched off")), (&"down".into(), true));
    dashboard.write(&[shop("statistics/2026-11-26", 102)]).await;
    dashboard.switch_store(true);
    let (mut is_back, mut has_changed) = (false, false);
    while !(is_back && has_changed) {
        let (name, data) = events.next_of_any().await.unwrap();
        is_back |= name == "store" && data["state"] == "ok";
        has_changed |= name == "now" && data["today"]["purchase_count"] == 102;
    }
}

#[tokio::test]
async fn a_viewer_too_many_is_sent_away_and_the_end_closes_streams() {
    let flags = vec!["--dashboard-max-viewers".to_owned(), "1".to_owned()];
    let dashboard = Dashboard::start(How { flags, ..How::default() }).await;
    let mut events = dashboard.events("/api/stream", &[]).await;
    events.next("now").await.unwrap();
    let answer = dashboard.get("/api/stream").await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "too_many_requests"));
    dashboard.stop();
    let began = Instant::now();
    while events.next("never").await.is_some() {}
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn questions_that_many_ask_are_read_once() {
    let dashboard = Dashboard::open().await;
    dashboard.get("/api/world").await;
    let reads = || dashboard.site.metrics.store_reads.with_label_values(&["query"]).get();
    let before = reads();
    for _ in 0..10 {
        assert_eq!(dashboard.get("/api/world").await.status, 200);
    }
    assert_eq!((before, reads()), (2, 2));
}
