//! Health and metrics over HTTP: `/healthz` (the process lives), `/readyz` (it can do its work, or why not; as JSON with
//! `?format=json` or `Accept: application/json`), `/metrics` (Prometheus text).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Registry, TextEncoder};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Whether a service can do its work, part by part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// The parts that have something to say.
    pub parts: Vec<Part>,
}

/// A part of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its name.
    #[serde(rename = "part")]
    pub name: String,
    /// Whether it does its work.
    pub ready: bool,
    /// Its state, in a word or two.
    pub state: String,
    /// What more there is to say, and what to do about it.
    pub detail: String,
    /// Since when it is in this state, RFC 3339, if that is kept.
    pub since: Option<String>,
    /// How long that is, in seconds.
    pub seconds: u64,
}

impl Readiness {
    /// Whether all parts are ready.
    pub fn is_ready(&self) -> bool {
        self.parts.iter().all(|part| part.ready)
    }

    /// As `/readyz?format=json` says it.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "ready": self.is_ready(), "parts": self.parts })
    }
}

/// A line for the whole, then one for each part, marked as Kubernetes marks its own checks.
impl std::fmt::Display for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_ready() { "ready\n" } else { "not ready\n" })?;
        for Part { name, ready, state, detail, since, seconds } in &self.parts {
            write!(f, "[{}]{name}: {state}", if *ready { '+' } else { '-' })?;
            if let (false, Some(since)) = (ready, since) {
                write!(f, " for {seconds} s, since {since}")?;
            }
            if !detail.is_empty() {
                write!(f, ": {}", detail.replace('\n', " "))?;
            }
            f.write_str("\n")?;
        }
        Ok(())
    }
}

/// Tells whether the service can do its work.
pub type ReadinessCheck = Arc<dyn Fn() -> Readiness + Send + Sync>;

#[derive(Clone)]
struct Served {
    registry: Registry,
    readiness: ReadinessCheck,
}

/// Binds `address` (port 0 takes a free one) and serves until `stop` is cancelled. Returns the address that was bound.
///
/// # Errors
///
/// Names the address that can't be bound.
pub async fn serve(
    address: SocketAddr,
    registry: Registry,
    readiness: ReadinessCheck,
    stop: CancellationToken,
) -> Result<(SocketAddr, JoinHandle<()>), String> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|e| format!("HTTP_ADDRESS is {address}, which cannot be listened on: {e}; choose another port"))?;
    let bound = listener.local_addr().map_err(|e| e.to_string())?;
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Served { registry, readiness });
    let task = tokio::spawn(async move {
        let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(%error, "the health and metrics server ended");
        }
    });
    tracing::info!(address = %bound, "serving /healthz, /readyz and /metrics");
    Ok((bound, task))
}

async fn readyz(State(served): State<Served>, uri: Uri, headers: HeaderMap) -> impl IntoResponse {
    let readiness = (served.readiness)();
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if wants_json(&uri, &headers) {
        return (status, [(header::CONTENT_TYPE, "application/json")], format!("{}\n", readiness.to_json()));
    }
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], readiness.to_string())
}

fn wants_json(uri: &Uri, headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "format=json"))
        || accepts.is_some_and(|accepts| accepts.contains("application/json"))
}

async fn metrics(State(served): State<Served>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    match TextEncoder::new().encode_to_string(&served.registry.gather()) {
        Ok(text) => (StatusCode::OK, kind, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, kind, format!("{error}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_told_to_people_and_to_programs() {
        let part = |name: &str, ready, state: &str| Part {
            name: name.into(),
            ready,
            state: state.into(),
            since: Some("2026-11-21T11:00:00Z".into()),
            seconds: 7,
            ..Part::default()
        };
        let mut readiness = Readiness { parts: vec![part("a", true, "working"), part("b", false, "gone")] };
        readiness.parts[1].detail = "two\nlines".into();
        let told = "not ready\n[+]a: working\n[-]b: gone for 7 s, since 2026-11-21T11:00:00Z: two lines\n";
        assert_eq!(readiness.to_string(), told);
        let json = readiness.to_json();
        assert_eq!((&json["ready"], &json["parts"][1]["part"]), (&false.into(), &"b".into()));
        readiness.parts.pop();
        assert_eq!(readiness.to_string(), "ready\n[+]a: working\n");
    }

    #[test]
    fn json_is_for_who_asks_for_it() {
        let mut headers = HeaderMap::new();
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert!(!wants_json(&uri("/readyz"), &headers) && !wants_json(&uri("/readyz?x=json"), &headers));
        assert!(wants_json(&uri("/readyz?verbose&format=json"), &headers));
        headers.insert(header::ACCEPT, "text/html, application/json;q=0.9".parse().unwrap());
        assert!(wants_json(&uri("/readyz"), &headers));
    }
}
