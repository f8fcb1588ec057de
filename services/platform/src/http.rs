//! Health and metrics over HTTP: `/healthz` (the process lives), `/readyz` (it can do its work, or why not),
//! `/metrics` (Prometheus text).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Says whether the service can do its work: `Err` with the reason if not.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

#[derive(Clone)]
struct Served {
    registry: Registry,
    readiness: Readiness,
}

/// Binds `address` (port 0 takes a free one) and serves until `stop` is cancelled. Returns the address that was bound.
///
/// # Errors
///
/// Names the address that can't be bound.
pub async fn serve(
    address: SocketAddr,
    registry: Registry,
    readiness: Readiness,
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

async fn readyz(State(served): State<Served>) -> impl IntoResponse {
    match (served.readiness)() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(State(served): State<Served>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    match TextEncoder::new().encode_to_string(&served.registry.gather()) {
        Ok(text) => (StatusCode::OK, kind, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, kind, format!("{error}\n")),
    }
}
