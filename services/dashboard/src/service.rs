//! The running dashboard.

use std::sync::Arc;
use std::time::{Duration, Instant};

use storepulse_analytics::store::{self, SharedStore};
use storepulse_platform::http::{self, Part, Readiness};
use storepulse_platform::{Failure, shutdown};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::auth::{Access, Auth};
use crate::clock::Clock;
use crate::config::RunArgs;
use crate::live::Hub;
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::reader::Reader;
use crate::server::{self, Shared, Site, accept, tls};

/// How long requests that are under way may take at the end, so that the process ends within ten seconds.
const DRAIN: Duration = Duration::from_secs(8);

/// Runs until SIGTERM or SIGINT, then lets requests end and returns.
///
/// # Errors
///
/// What is wrong with a setting, or what failed.
pub async fn run(args: RunArgs) -> Result<(), Failure> {
    let stop = shutdown::on_signal().map_err(Failure::runtime)?;
    args.store.must_keep("the dashboard")?;
    let access = args.access()?;
    let tls = args.tls()?.map(|files| tls::acceptor(&files)).transpose()?;
    args.check_exposure(tls.is_some(), &access)?;
    let is_open = matches!(access, Access::Open);
    // The address first: what is wrong with it needs no store to be found out.
    let address = args.dashboard_address;
    let listener = TcpListener::bind(address).await.map_err(|e| {
        Failure::config(format!(
            "DASHBOARD_ADDRESS is {address}, which cannot be listened on: {e}; choose another port"
        ))
    })?;
    let store = store::open::open(&args.store).await?;
    let site = site(&args, store, access, tls.is_some(), Clock::system(), stop.clone())?;
    let bound = listener.local_addr().map_err(Failure::runtime)?;

    let readiness = {
        let site = Arc::clone(&site);
        Arc::new(move || readiness(&site))
    };
    let (_, health) = http::serve(args.http_address, site.metrics.registry.clone(), readiness, stop.clone())
        .await
        .map_err(Failure::config)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let kind = site.auth.access().kind();
    tracing::info!(url = %format!("{scheme}://{bound}"), log_in = kind, "serving the dashboard");
    if is_open && !bound.ip().is_loopback() {
        tracing::warn!(
            "there is no log-in: whoever can reach {bound} sees the shop's figures (DASHBOARD_BEHIND_PROXY=yes)"
        );
    }
    serve(&site, listener, tls, args.dashboard_max_connections as usize).await;
    let _ = health.await;
    tracing::info!("stopped");
    Ok(())
}

/// The parts of a dashboard, put together.
///
/// # Errors
///
/// What is wrong with a setting.
pub fn site(
    args: &RunArgs,
    store: SharedStore,
    access: Access,
    has_tls: bool,
    clock: Clock,
    stop: CancellationToken,
) -> Result<Shared, Failure> {
    let metrics = Metrics::new().map_err(Failure::runtime)?;
    let (analytics, simulators) = args.targets()?;
    let audit = args.audit_result_file.clone().filter(|file| !file.as_os_str().is_empty());
    let pipeline = Arc::new(Pipeline::new(analytics, simulators, audit, clock.clone()));
    let (bound, documents) = (args.dashboard_reads_per_viewer_hour, args.dashboard_cache_documents as usize);
    let reader = Arc::new(Reader::new(store, clock, metrics.clone(), bound, documents));
    let hub = Hub::new(Arc::clone(&reader), Arc::clone(&pipeline), metrics.clone(), stop.clone());
    Ok(Arc::new(Site {
        currency: args.shop_currency,
        grafana_url: args.grafana()?,
        allowed_hosts: args.allowed_hosts()?,
        has_tls,
        auth: Auth::new(access).map_err(Failure::runtime)?,
        reader,
        hub,
        pipeline,
        metrics,
        streams: Arc::new(Semaphore::new(args.dashboard_max_viewers as usize)),
        stop,
    }))
}

/// Serves until the site's end.
pub async fn serve(site: &Shared, listener: TcpListener, tls: Option<TlsAcceptor>, max_connections: usize) {
    let meter = site.reader.meter.clone();
    let counting = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            // Keeps the gauges and counters up to date that grow as time passes.
            meter.per_viewer_hour(Instant::now());
        }
    });
    accept::serve(listener, server::router(site), tls, max_connections, site.stop.clone(), DRAIN).await;
    counting.abort();
}

/// The dashboard is ready as long as it serves: that the store is down is what it then shows.
fn readiness(site: &Shared) -> Readiness {
    let store = site.reader.watch.now();
    let state = if store.is_ok() { "working" } else { "unavailable" };
    let part = Part {
        name: "store".to_owned(),
        ready: true,
        state: state.to_owned(),
        detail: store.message,
        since: Some(store.since),
        seconds: 0,
    };
    Readiness { parts: vec![part] }
}
