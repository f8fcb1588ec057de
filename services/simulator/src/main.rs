//! `storepulse-simulator`: see `--help`. As `storepulse-simulator worker …` it is a worker, which only its supervisor starts.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use rdkafka::ClientConfig;
use storepulse_platform::{Failure, exit, http, preflight, probe, shutdown, telemetry};
use storepulse_simulator::metrics::Metrics;
use storepulse_simulator::options::{DEFAULT_HTTP_ADDRESS, HealthOptions, Options};
use storepulse_simulator::settings::{Settings, Target};
use storepulse_simulator::sink::{self, SinkError};
use storepulse_simulator::supervisor::{self, Launch, Progress, SupervisorError};
use storepulse_simulator::worker::{self, WorkerError};
use storepulse_simulator::world::World;

const WORKER: &str = "worker";
const HEALTH: &str = "health";

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == HEALTH) {
        arguments.remove(1);
        return exit::finish("storepulse-simulator", health(&arguments));
    }
    let is_worker = arguments.get(1).is_some_and(|first| first == WORKER);
    if is_worker {
        arguments.remove(1);
    }
    let options = Options::parse_from(&arguments);
    let outcome = start(&options, is_worker, arguments);
    exit::finish("storepulse-simulator", outcome)
}

fn health(arguments: &[OsString]) -> Result<(), Failure> {
    let options = HealthOptions::parse_from(arguments);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::runtime)?;
    runtime.block_on(probe::run(&options.probe, DEFAULT_HTTP_ADDRESS))
}

fn start(options: &Options, is_worker: bool, arguments: Vec<OsString>) -> Result<(), Failure> {
    telemetry::init(&options.log).map_err(Failure::config)?;
    let settings = options.settings().map_err(Failure::config)?;
    let kafka = options.producer_config(&settings).map_err(Failure::config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::runtime)?;
    if is_worker {
        let stop = Arc::new(AtomicBool::new(false));
        watch_signals(runtime, stop.clone()).map_err(Failure::runtime)?;
        let topic = options.producer.kafka_event_topic.as_str();
        let outcome = worker::run(&settings, kafka.as_ref().map(|config| (config, topic)), stop);
        return outcome.map_err(|error| match error {
            WorkerError::Sink(SinkError::Denied { .. }) => Failure::config(error),
            _ => Failure::runtime(error),
        });
    }
    let outcome = runtime.block_on(supervise(options, settings, kafka, arguments));
    runtime.shutdown_background();
    outcome
}

/// Sets `stop` on SIGTERM or SIGINT, from a thread of its own.
fn watch_signals(runtime: tokio::runtime::Runtime, stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let token = runtime.block_on(async { shutdown::on_signal() })?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(token.cancelled());
        stop.store(true, Ordering::Relaxed);
    })?;
    Ok(())
}

async fn supervise(
    options: &Options,
    settings: Settings,
    kafka: Option<ClientConfig>,
    arguments: Vec<OsString>,
) -> Result<(), Failure> {
    let stop = shutdown::on_signal().map_err(Failure::runtime)?;
    let seed = match settings.seed {
        Some(seed) => seed,
        None => getrandom::u64().map_err(Failure::runtime)?,
    };
    tracing::info!(seed, processes = settings.processes, sessions = settings.sessions, pace = ?settings.pace, "starting");
    if let Some(config) = kafka {
        let topic = options.producer.kafka_event_topic.clone();
        let limit = options.producer.start_timeout();
        let check = tokio::task::spawn_blocking(move || preflight(&config, &[&topic], limit));
        let checked = tokio::select! {
            checked = check => checked.map_err(Failure::runtime)?,
            () = stop.cancelled() => return Ok(()),
        };
        checked?;
    }
    let metrics = Metrics::new().map_err(Failure::runtime)?;
    let workers = metrics.workers.clone();
    let wanted = i64::from(settings.processes);
    let readiness: http::ReadinessCheck = Arc::new(move || {
        let running = workers.get();
        let (ready, state) = (running == wanted, if running == wanted { "running" } else { "starting" });
        let detail = format!("{running} of {wanted} workers run");
        let part = http::Part { name: "workers".into(), ready, state: state.into(), detail, ..http::Part::default() };
        http::Readiness { parts: vec![part] }
    });
    let registry = metrics.registry.clone();
    let (_, server) =
        http::serve(options.http_address, registry, readiness, stop.clone()).await.map_err(Failure::config)?;
    let program = std::env::current_exe().map_err(Failure::runtime)?;
    let arguments = [WORKER.into()].into_iter().chain(arguments.into_iter().skip(1)).collect();
    let progress = Arc::new(Progress::new(settings.processes, metrics));
    let started = Instant::now();
    let outcome = supervisor::run(&settings, seed, &Launch { program, arguments }, &progress, &stop).await;
    server.abort();
    finish(options, &settings, seed, &progress, started.elapsed(), outcome)
}

/// Joins the file, prints and saves the ledger, and judges the run.
fn finish(
    options: &Options,
    settings: &Settings,
    seed: u64,
    progress: &Progress,
    elapsed: Duration,
    outcome: Result<(), SupervisorError>,
) -> Result<(), Failure> {
    let sum = progress.sum();
    let world = World::new(seed, settings.products, settings.categories, settings.currency.as_str())
        .with_countries(settings.countries);
    let ledger = sum.ledger(seed, &world, settings.currency.as_str());
    let seconds = elapsed.as_secs_f64();
    let mut summary = ledger.summary();
    summary.push_str(&format!("\n  {:.1} s, {:.0} events/s\n", seconds, ledger.events as f64 / seconds.max(1e-9)));
    // A closed standard output is no reason to lose the files below.
    let _ = std::io::stdout().write_all(summary.as_bytes());
    let joined = match &settings.target {
        Target::File(path) => sink::join(path, settings.processes).map_err(Failure::runtime),
        _ => Ok(()),
    };
    if let Some(path) = &options.ledger {
        let failed =
            |e| Failure::runtime(format!("SIMULATOR_LEDGER is {}, which cannot be written: {e}", path.display()));
        ledger.save(path).map_err(failed)?;
    }
    outcome.map_err(|error| match error {
        SupervisorError::Refused(_) => Failure::config(error),
        _ => Failure::runtime(error),
    })?;
    joined?;
    if ledger.delivery_errors > 0 {
        let lost = ledger.delivery_errors;
        return Err(Failure::runtime(format!("{lost} messages were not acknowledged; the log says why")));
    }
    Ok(())
}
