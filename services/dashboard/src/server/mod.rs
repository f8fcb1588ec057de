//! Serving: from connections to answers.
//!
//! - [`accept`]: connections, TLS, limits, the end.
//! - [`guard`]: what every request must pass, and what every answer gets: host, origin, log-in, headers.
//! - [`api`]: figures, as JSON and CSV.
//! - [`stream`]: server-sent events.
//! - [`login`]: logging in and out.
//! - [`assets`]: the page.
//! - [`tls`]: the certificate.

pub mod accept;
pub mod api;
pub mod assets;
pub mod guard;
pub mod login;
pub mod stream;
pub mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use storepulse_events::Currency;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;
use crate::error::ApiError;
use crate::live::Hub;
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::reader::Reader;

/// The address that a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What answers need.
pub struct Site {
    /// The currency of all amounts.
    pub currency: Currency,
    /// Where operators look further.
    pub grafana_url: Option<String>,
    /// Names by which browsers may reach it, besides addresses and localhost.
    pub allowed_hosts: Vec<String>,
    /// Whether it speaks TLS.
    pub has_tls: bool,
    /// Who may look.
    pub auth: Auth,
    /// The store.
    pub reader: Arc<Reader>,
    /// What is watched.
    pub hub: Hub,
    /// The services.
    pub pipeline: Arc<Pipeline>,
    /// What is counted.
    pub metrics: Metrics,
    /// One for each stream that may be open.
    pub streams: Arc<Semaphore>,
    /// Ends streams.
    pub stop: CancellationToken,
}

/// A site that is shared by requests.
pub type Shared = Arc<Site>;

/// All routes.
pub fn router(site: &Shared) -> Router {
    let api = Router::new()
        .route("/meta", get(api::meta))
        .route("/stream", get(stream::stream))
        .route("/now", get(api::now))
        .route("/world", get(api::world))
        .route("/world.csv", get(api::world_csv))
        .route("/products", get(api::products))
        .route("/products.csv", get(api::products_csv))
        .route("/products/{id}", get(api::product))
        .route("/funnel", get(api::funnel))
        .route("/funnel.csv", get(api::funnel_csv))
        .route("/sessions/{id}", get(api::session))
        .route("/pipeline", get(api::pipeline))
        .route_layer(middleware::from_fn_with_state(Arc::clone(site), guard::log_in))
        .route("/login", post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/session", get(login::session))
        .fallback(async || ApiError::NotFound("there is no such thing here: see docs/dashboard-api.md".to_owned()))
        .method_not_allowed_fallback(guard::wrong_method);
    Router::new()
        .nest("/api", api)
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async || "ready\n"))
        .fallback(assets::serve)
        .layer(middleware::from_fn_with_state(Arc::clone(site), guard::guard))
        .with_state(Arc::clone(site))
}
