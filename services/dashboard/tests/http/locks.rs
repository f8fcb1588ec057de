//! Who is let in, and who is not.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use storepulse_dashboard::auth::Access;
use storepulse_dashboard::auth::users::{Users, hash};
use storepulse_dashboard::config::TlsFiles;
use storepulse_dashboard::server::tls;
use storepulse_platform::Secret;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{Dashboard, How, ask};

const TOKEN: &str = "a token of many letters";
const JSON: (&str, &str) = ("Content-Type", "application/json");

async fn locked() -> Dashboard {
    Dashboard::start(How { access: Access::Token(Secret::new(TOKEN)), ..How::default() }).await
}

async fn log_in(dashboard: &Dashboard, body: &str) -> crate::support::Answer {
    dashboard.ask("POST", "/api/login", &[JSON], body).await
}

#[tokio::test]
async fn without_a_log_in_nothing_is_told_but_what_a_log_in_needs() {
    let dashboard = locked().await;
    for path in [
        "/api/meta",
        "/api/now",
        "/api/stream",
        "/api/world",
        "/api/world.csv",
        "/api/products",
        "/api/products.csv",
        "/api/products/q",
        "/api/funnel",
        "/api/funnel.csv",
        "/api/sessions/s",
        "/api/pipeline",
    ] {
        let answer = dashboard.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{path}");
    }
    let session = dashboard.get("/api/session").await.json();
    assert_eq!(session, serde_json::json!({"required": true, "kind": "token", "user": null}));
    assert_eq!((dashboard.get("/healthz").await.status, dashboard.get("/readyz").await.status), (200, 200));
    assert_ne!(dashboard.get("/").await.status, 401);
    let open = Dashboard::open().await.get("/api/session").await.json();
    assert_eq!(open, serde_json::json!({"required": false, "kind": "none", "user": null}));
}

#[tokio::test]
async fn logging_in_gives_a_cookie_and_logging_out_takes_it() {
    let dashboard = locked().await;
    let answer = log_in(&dashboard, &format!(r#"{{"token": "{TOKEN}"}}"#)).await;
    assert_eq!(answer.status, 204);
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    assert!(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    let with_cookie = [("Cookie", pair)];
    assert_eq!(dashboard.ask("GET", "/api/meta", &with_cookie, "").await.status, 200);
    let mut events = dashboard.events("/api/stream", &with_cookie).await;
    assert!(events.next("now").await.is_some());
    let out = dashboard.ask("POST", "/api/logout", &[JSON, ("Cookie", pair)], "").await;
    assert_eq!((out.status, out.header("set-cookie").unwrap().contains("Max-Age=0")), (204, true));
    assert_eq!(dashboard.ask("GET", "/api/meta", &with_cookie, "").await.status, 401);
    while events.next("never").await.is_some() {}
}

#[tokio::test]
async fn wrong_tokens_are_refused_and_too_many_of_them_wait() {
    let dashboard = locked().await;
    let bearer = |token: &str| format!("Bearer {token}");
    let with = async |token: String| dashboard.ask("GET", "/api/meta", &[("Authorization", &token)], "").await;
    assert_eq!(with(bearer(TOKEN)).await.status, 200);
    for wrong in [bearer("wrong"), bearer(""), format!("Basic {}", STANDARD.encode(format!("x:{TOKEN}")))] {
        assert_eq!(with(wrong).await.status, 401);
    }
    // The second one gave nothing to guess with.
    for _ in 0..3 {
        let answer = log_in(&dashboard, r#"{"token": "wrong"}"#).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"));
    }
    let answer = log_in(&dashboard, &format!(r#"{{"token": "{TOKEN}"}}"#)).await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "too_many_requests"));
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() <= 60);
}

#[tokio::test]
async fn bodies_that_are_no_log_in_are_refused_without_being_repeated() {
    let dashboard = locked().await;
    for body in ["", "{", "{}", r#"{"token": "hunter2", "x": 1}"#, r#"{"user": "hunter2"}"#, r#"["hunter2"]"#] {
        let answer = log_in(&dashboard, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_parameter"), "{body}");
        assert!(!answer.body.contains("hunter2"), "{}", answer.body);
    }
    let form = dashboard.ask("POST", "/api/login", &[("Content-Type", "text/plain")], "{}").await;
    assert_eq!((form.status, &form.json()["error"]["parameter"]), (400, &"Content-Type".into()));
    assert_eq!(log_in(&dashboard, &"x".repeat(10_000)).await.status, 400);
}

#[tokio::test]
async fn users_log_in_with_their_passwords() {
    let users = Users::parse(&format!("ada:{}", hash(&Secret::new("correct horse")).unwrap())).unwrap();
    let dashboard = Dashboard::start(How { access: Access::Users(users), ..How::default() }).await;
    let answer = log_in(&dashboard, r#"{"user": "ada", "password": "correct horse"}"#).await;
    assert_eq!(answer.status, 204);
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let with_cookie = [("Cookie", cookie.as_str())];
    assert_eq!(dashboard.ask("GET", "/api/meta", &with_cookie, "").await.json()["user"], "ada");
    let session = dashboard.ask("GET", "/api/session", &with_cookie, "").await.json();
    assert_eq!(session, serde_json::json!({"required": true, "kind": "users", "user": "ada"}));
    let basic = format!("Basic {}", STANDARD.encode("ada:correct horse"));
    assert_eq!(dashboard.ask("GET", "/api/meta", &[("Authorization", &basic)], "").await.status, 200);
    for wrong in [r#"{"user": "ada", "password": "x"}"#, r#"{"user": "eve", "password": "correct horse"}"#] {
        assert_eq!(log_in(&dashboard, wrong).await.status, 401);
    }
}

#[tokio::test]
async fn other_sites_and_other_names_are_refused() {
    let dashboard = locked().await;
    let right = format!(r#"{{"token": "{TOKEN}"}}"#);
    for headers in [
        vec![JSON, ("Origin", "http://evil.example")],
        vec![JSON, ("Origin", "null")],
        vec![JSON, ("Origin", "http://localhost:9999")],
        vec![JSON, ("Sec-Fetch-Site", "cross-site")],
    ] {
        let answer = dashboard.ask("POST", "/api/login", &headers, &right).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{headers:?}");
    }
    let same = [JSON, ("Origin", "http://localhost:8800"), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(dashboard.ask("POST", "/api/login", &same, &right).await.status, 204);
    for host in ["evil.example", "evil.example:8800", "localhost.evil.example", ""] {
        assert_eq!(dashboard.ask("GET", "/api/session", &[("Host", host)], "").await.status, 403, "{host}");
    }
    for headers in [
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")],
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")],
        [("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "cors")],
    ] {
        assert_eq!(dashboard.ask("GET", "/api/session", &headers, "").await.status, 403, "{headers:?}");
    }
    let link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")];
    assert_ne!(dashboard.ask("GET", "/", &link, "").await.status, 403);
    for (method, path) in
        [("POST", "/api/now"), ("DELETE", "/api/world"), ("PUT", "/"), ("POST", "/"), ("GET", "/api/login")]
    {
        assert_eq!(
            dashboard.ask(method, path, &[JSON], "{}").await.status,
            if path == "/api/now" || path == "/api/login" || method != "GET" { 403 } else { 200 },
            "{method} {path}"
        );
    }
    let named = vec!["--dashboard-allowed-hosts".to_owned(), "shop.example".to_owned()];
    let named = Dashboard::start(How { flags: named, ..How::default() }).await;
    assert_eq!(named.ask("GET", "/api/meta", &[("Host", "Shop.example:443")], "").await.status, 200);
}

#[tokio::test]
async fn every_answer_says_what_may_run_and_that_figures_are_not_kept() {
    let dashboard = locked().await;
    for path in ["/api/session", "/api/now", "/", "/healthz", "/nothing.txt"] {
        let answer = dashboard.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';") && policy.ends_with("frame-ancestors 'none'")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        assert!(answer.header("permissions-policy").is_some() && answer.header("strict-transport-security").is_none());
        if path.starts_with("/api") {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        }
    }
}

#[tokio::test]
async fn there_is_no_way_to_other_files_and_oversized_requests_are_refused() {
    let dashboard = Dashboard::open().await;
    for path in [
        "/../Cargo.toml",
        "/assets/../../Cargo.toml",
        "/%2e%2e/%2e%2e/etc/passwd.conf",
        "/assets/..%2f..%2fCargo.toml",
        "//etc/hosts.txt",
    ] {
        let answer = dashboard.get(path).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(!answer.body.contains("[package]") && !answer.body.contains("root:"));
    }
    let big = "x".repeat(20_000);
    let answer = dashboard.ask("GET", "/api/meta", &[("X-Big", &big)], "").await;
    assert_eq!(answer.status, 431, "{}", answer.head);
    let many: Vec<(&str, &str)> = vec![("X-Many", "y"); 100];
    assert_eq!(dashboard.ask("GET", "/api/meta", &many, "").await.status, 431);
    assert_eq!(dashboard.get("/api/meta").await.status, 200);
}

#[tokio::test]
async fn tls_is_spoken_and_nothing_else_on_its_port() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles { certificate: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let acceptor = tls::acceptor(&files).unwrap();
    let how = How { access: Access::Token(Secret::new(TOKEN)), tls: Some(acceptor), ..How::default() };
    let dashboard = Dashboard::start(how).await;

    let plain = dashboard.get("/healthz").await;
    assert_eq!(plain.status, 0, "{plain:?}");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let connect = async || {
        let stream = TcpStream::connect(dashboard.address).await.unwrap();
        connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
    };
    let answer = ask(connect().await, "POST", "/api/login", &[JSON], &format!(r#"{{"token": "{TOKEN}"}}"#)).await;
    assert_eq!((answer.status, answer.header("strict-transport-security")), (204, Some("max-age=31536000")));
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with("__Host-storepulse=") && cookie.ends_with("; Secure"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(ask(connect().await, "GET", "/api/now", &[("Cookie", pair)], "").await.status, 200);

    let wrong = TlsFiles { certificate: files.key.clone(), key: files.key.clone() };
    assert_eq!(tls::acceptor(&wrong).err().unwrap().code(), 2);
}
