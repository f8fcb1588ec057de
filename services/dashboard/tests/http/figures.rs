//! Every figure of the API, and what is no question.

use crate::support::Dashboard;

#[tokio::test]
async fn meta_tells_what_the_page_needs_to_begin() {
    let meta = Dashboard::open().await.get("/api/meta").await.json();
    assert_eq!((&meta["currency"], &meta["currency_exponent"]), (&"USD".into(), &2.into()));
    assert_eq!((&meta["today"], &meta["now"]), (&"2026-11-26".into(), &"2026-11-26T19:20:30Z".into()));
    assert!(meta["user"].is_null() && meta["grafana_url"].is_null() && meta["reads_per_viewer_hour"].is_null());
    assert_eq!(meta["reads_per_viewer_hour_bound"], 30_000.0);
}

#[tokio::test]
async fn now_is_today_yesterday_minutes_and_windows() {
    let dashboard = Dashboard::open().await;
    let now = dashboard.get("/api/now").await.json();
    assert_eq!((&now["day"], &now["country"]), (&"2026-11-26".into(), &serde_json::Value::Null));
    let today = &now["today"];
    assert_eq!((&today["revenue_minor"], &today["purchase_count"]), (&105_000.into(), &100.into()));
    assert_eq!((&today["average_order_value_minor"], &today["items_per_order"]), (&1_050.into(), &2.0.into()));
    assert_eq!((&today["conversion_rate"], &today["sessions"]["abandoned_carts_minor"]), (&0.1.into(), &32_500.into()));
    assert_eq!(now["yesterday"]["revenue_minor"], 52_500);
    // The whole window of 10:00, and of that of 19:15 the minutes up to 19:20.
    assert_eq!(now["yesterday_until_now"], serde_json::json!({"revenue_minor": 1_875 + 5 * 125, "purchase_count": 20}));
    let minutes = now["minutes"].as_array().unwrap();
    assert_eq!((minutes.len(), &minutes[0]["start"]), (60, &"2026-11-26T18:21:00Z".into()));
    let last = serde_json::json!({"start": "2026-11-26T19:20:00Z", "events_count": 4, "purchase_count": 1, "revenue_minor": 125});
    assert_eq!((&minutes[59], &minutes[0]["events_count"]), (&last, &0.into()));
    let windows = now["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 2, "not those of more than a day ago: {windows:?}");
    assert_eq!((&windows[0]["is_final"], &windows[1]["is_final"]), (&true.into(), &false.into()));
    assert_eq!((&windows[0]["events_count"], &windows[0]["events_after_close_count"]), (&45.into(), &2.into()));
    assert_eq!(now["watermark"], "2026-11-26T19:20:00Z");
    assert!(now["active_sessions"].is_null() && now["lag_events"].is_null());

    let germany = dashboard.get("/api/now?country=DE").await.json();
    assert_eq!((&germany["country"], &germany["today"]["purchase_count"]), (&"DE".into(), &60.into()));
    assert_eq!((germany["minutes"].as_array().unwrap().len(), germany["windows"].as_array().unwrap().len()), (0, 1));
    let spain = dashboard.get("/api/now?country=ES").await.json();
    assert!(spain["today"].is_null() && spain["yesterday_until_now"].is_null());
}

#[tokio::test]
async fn the_world_is_a_row_for_each_country() {
    let dashboard = Dashboard::open().await;
    let world = dashboard.get("/api/world?from=2026-11-25&to=2026-11-26").await.json();
    assert_eq!((&world["from"], &world["to"]), (&"2026-11-25".into(), &"2026-11-26".into()));
    let rows = world["countries"].as_array().unwrap();
    let told: Vec<_> =
        rows.iter().map(|r| (r["country"].as_str().unwrap(), r["purchase_count"].as_i64().unwrap())).collect();
    assert_eq!(told, [("DE", 61), ("FR", 40)]);
    assert_eq!(rows[1]["revenue_share"], 40.0 / 101.0);
    let today = dashboard.get("/api/world?sort=country&country=FR").await.json();
    assert_eq!(today["countries"].as_array().unwrap().len(), 1);
    let csv = dashboard.get("/api/world.csv?sort=revenue_minor").await;
    assert_eq!((csv.status, csv.header("content-type")), (200, Some("text/csv; charset=utf-8")));
    assert_eq!(csv.header("content-disposition"), Some("attachment; filename=\"world-2026-11-26-2026-11-26.csv\""));
    let lines: Vec<&str> = csv.body.lines().collect();
    assert!(lines[0].starts_with("country,revenue_share,revenue_minor,"), "{}", csv.body);
    assert!(lines[1].starts_with("FR,0.4,42000,40,160,") && lines[2].starts_with("DE,0.6,"), "{}", csv.body);
}

#[tokio::test]
async fn products_are_ranked_found_and_limited() {
    let dashboard = Dashboard::open().await;
    let page = dashboard.get("/api/products?from=2026-11-25").await.json();
    let names = |page: &serde_json::Value| -> Vec<String> {
        page["products"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&page), ["q", "A lamp, \"bright\""]);
    let lamp = &page["products"][1];
    assert_eq!(
        (&lamp["id"], &lamp["interest_score"], &lamp["revenue_minor"]),
        (&"p/1".into(), &42.into(), &6_050.into())
    );
    assert_eq!((&lamp["conversion_rate"], &page["is_complete"]), (&0.1.into(), &true.into()));
    assert_eq!(page["trending"]["most_bought"][0]["revenue_minor"], 950);
    assert_eq!(
        (&page["trending"]["latest_window"], &page["trending"]["rising"]),
        (&"2026-11-26T19:15:00Z".into(), &serde_json::json!([]))
    );
    let category = &page["categories"][0];
    assert_eq!((&category["name"], &category["conversion_rate"]), (&"=Lights".into(), &0.25.into()));
    assert_eq!(category["product_related_view_count"], 8);

    assert_eq!(names(&dashboard.get("/api/products?q=LAMP").await.json()), ["A lamp, \"bright\""]);
    assert_eq!(names(&dashboard.get("/api/products?limit=1&sort=interest_score").await.json()), ["A lamp, \"bright\""]);
    let germany = dashboard.get("/api/products?country=DE").await.json();
    assert_eq!((names(&germany), &germany["trending"]), (vec!["q".to_owned()], &serde_json::Value::Null));
    assert_eq!(germany["products"][0]["interest_score"], 5);
    let csv = dashboard.get("/api/products.csv?sort=name").await.body;
    assert!(csv.contains("\r\np/1,\"A lamp, \"\"bright\"\"\",40,20,5,1,2,3,3025,0.1\r\n"), "{csv}");
}

#[tokio::test]
async fn a_product_has_a_page_by_its_encoded_id() {
    let dashboard = Dashboard::open().await;
    let page = dashboard.get("/api/products/p%2F1?from=2026-11-24").await.json();
    assert_eq!((&page["id"], &page["name"]), (&"p/1".into(), &"A lamp, \"bright\"".into()));
    assert_eq!(page["lifetime"]["interest_score"], 500);
    let days: Vec<&str> = page["days"].as_array().unwrap().iter().map(|d| d["day"].as_str().unwrap()).collect();
    assert_eq!(days, ["2026-11-25", "2026-11-26"]);
    let hour = &page["hours"][0];
    assert_eq!(
        (&hour["hour"], &hour["is_final"], &hour["views_count"]),
        (&"2026-11-26T19".into(), &false.into(), &20.into())
    );
    let abroad = dashboard.get("/api/products/p%2F1?country=FR").await.json();
    assert!(
        abroad["lifetime"].is_null()
            && abroad["days"] == serde_json::json!([])
            && abroad["hours"] == serde_json::json!([])
    );
    let none = dashboard.get("/api/products/none").await;
    assert_eq!((none.status, none.code().as_str()), (404, "not_found"));
}

#[tokio::test]
async fn the_funnel_is_of_days_hours_and_countries() {
    let dashboard = Dashboard::open().await;
    let page = dashboard.get("/api/funnel?from=2026-11-25").await.json();
    assert_eq!((&page["total"]["sessions_count"], &page["rates"]["viewing"]), (&600.into(), &0.75.into()));
    assert_eq!((&page["rates"]["bounce"], &page["rates"]["abandonment"]), (&0.5.into(), &0.5.into()));
    assert!(page["by_day"][0]["visits"].is_null());
    assert_eq!(
        (&page["by_day"][1]["visits"]["unique_visitors_count"], &page["visits"]["p90_seconds"]),
        (&321.into(), &120.0.into())
    );
    assert!(page["visits"]["p99_seconds"].is_null());
    let hours: Vec<&str> = page["by_hour"].as_array().unwrap().iter().map(|h| h["hour"].as_str().unwrap()).collect();
    assert_eq!(hours, ["2026-11-26T18", "2026-11-26T19"]);
    let countries: Vec<_> = page["by_country"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["country"].as_str().unwrap(), c["sessions_count"].as_i64().unwrap()))
        .collect();
    assert_eq!(countries, [("DE", 244), ("FR", 160)]);
    let germany = dashboard.get("/api/funnel?country=DE").await.json();
    assert_eq!((&germany["total"]["sessions_count"], &germany["by_country"]), (&240.into(), &serde_json::json!([])));
    let csv = dashboard.get("/api/funnel.csv?from=2026-11-25").await.body;
    assert!(csv.contains("\r\n2026-11-25,200,150,100,50,100,50,50,16250,,,,,,,\r\n"), "{csv}");
    assert!(csv.contains("2026-11-26,400,300,200,100,200,100,100,32500,321,0.01625,300,61.5,120.0,,0.01\r\n"), "{csv}");
}

#[tokio::test]
async fn a_session_is_told_from_beginning_to_end() {
    let dashboard = Dashboard::open().await;
    let session = dashboard.get("/api/sessions/s%2F1").await.json();
    assert_eq!((&session["id"], &session["duration_seconds"]), (&"s/1".into(), &600.into()));
    assert_eq!(session["location"]["latitude"], 52.5);
    let kinds: Vec<&str> = session["entries"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["started", "product_viewed", "purchase", "ended"]);
    let purchase = &session["entries"][2]["purchase"];
    assert_eq!((&purchase["shipping_minor"], &purchase["city"]), (&499.into(), &"Berlin".into()));
    assert_eq!(session["omitted"], serde_json::json!([{"list": "products_viewed", "count": 3}]));
    let none = dashboard.get("/api/sessions/unknown").await;
    assert_eq!((none.status, none.code().as_str()), (404, "not_found"));
}

#[tokio::test]
async fn the_pipeline_tells_what_it_knows() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.json");
    let report = r#"{"messages": 10, "events": 9, "documents": 8, "differences": [], "not_aggregated": 0}"#;
    std::fs::write(&file, format!(r#"{{"finished_at": "2026-11-26T19:00:00Z", "report": {report}}}"#)).unwrap();
    let flags = vec!["--audit-result-file".to_owned(), file.to_str().unwrap().to_owned()];
    let dashboard = Dashboard::start(crate::support::How { flags, ..Default::default() }).await;
    let pipeline = dashboard.get("/api/pipeline").await.json();
    assert_eq!((&pipeline["health"], &pipeline["watermark"]), (&"ok".into(), &"2026-11-26T19:20:00Z".into()));
    assert_eq!((&pipeline["audit"]["documents"], &pipeline["audit"]["differences"]), (&8.into(), &0.into()));
    assert!(pipeline["produced_per_second"].is_null() && pipeline["duplicates"].is_null());

    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let flags = vec!["--analytics-urls".to_owned(), format!("http://{gone}")];
    let dashboard = Dashboard::start(crate::support::How { flags, ..Default::default() }).await;
    let pipeline = dashboard.get("/api/pipeline").await.json();
    assert_eq!((&pipeline["health"], &pipeline["services"][0]["reachable"]), (&"down".into(), &false.into()));
    assert_eq!(pipeline["reasons"][0], "No instance of analytics answers.");
}

#[tokio::test]
async fn bad_parameters_are_answered_with_what_is_allowed() {
    let dashboard = Dashboard::open().await;
    for (path, parameter) in [
        ("/api/world?from=2026-13-01", "from"),
        ("/api/world?to=x", "to"),
        ("/api/world?from=2026-11-27", "from"),
        ("/api/world?from=2026-10-26", "from"),
        ("/api/world?sort=colour", "sort"),
        ("/api/now?country=de", "country"),
        ("/api/stream?country=XX", "country"),
        ("/api/products?limit=501", "limit"),
        ("/api/products?sort=-", "sort"),
        ("/api/funnel.csv?country=Germany", "country"),
        ("/api/products/x?from=1", "from"),
    ] {
        let answer = dashboard.get(path).await;
        let error = &answer.json()["error"];
        assert_eq!(
            (answer.status, &error["code"], &error["parameter"]),
            (400, &"bad_parameter".into(), &parameter.into()),
            "{path}"
        );
        assert!(error["message"].as_str().unwrap().contains("allowed is"), "{error}");
    }
    let long = dashboard.get(&format!("/api/products?q={}", "x".repeat(101))).await;
    assert_eq!((long.status, &long.json()["error"]["parameter"]), (400, &"q".into()));
    for path in ["/api/", "/api/nothing", "/api", "/api/now/x", "/x.txt"] {
        assert_eq!(dashboard.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_503_and_a_damaged_document_500() {
    let dashboard = Dashboard::open().await;
    dashboard.switch_store(false);
    for path in ["/api/now", "/api/world", "/api/products", "/api/funnel", "/api/sessions/s", "/api/products/q"] {
        let answer = dashboard.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "store_unavailable"), "{path}");
        assert!(answer.header("retry-after").is_some());
    }
    let pipeline = dashboard.get("/api/pipeline").await.json();
    assert_eq!(pipeline["health"], "degraded");
    dashboard.switch_store(true);
    assert_eq!(dashboard.get("/api/world").await.status, 200);
    let damaged =
        crate::documents::counting("statistics/2026-11-01", "shop", &[("sessions_count", crate::documents::text("7"))]);
    dashboard.write(&[damaged]).await;
    let answer = dashboard.get("/api/funnel?from=2026-11-01&to=2026-11-01").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "store_refused"));
    assert!(answer.body.contains("sessions_count of statistics/2026-11-01"), "{}", answer.body);
}
