//! The whole pipeline, watched: cluster, analytics, simulator, dashboard.

pub(crate) mod child;
mod claim;
mod finish;
mod metrics;
mod report;
mod screen;
mod view;
mod watch;

use std::time::{Duration, Instant};

use crate::cluster::{Cluster, Found, StoreChoice};
use crate::context::Context;
use crate::env_files::{DASHBOARD, Environment, PAGE, SERVICES};
use crate::error::{Error, Result};
use crate::http;
use crate::paths::Paths;
use crate::ports::Ports;
use crate::ready;
use child::Service;
use watch::Watch;

/// Events per second when nobody says: a modest shop to look at, and a busy one to get done.
const ENDLESS_RATE: f64 = 1_000.0;
const FINITE_RATE: f64 = 5_000.0;
/// Connecting to Kafka and the store, creating topics' leaders, joining the group.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Stop after this many events, then compare everything. Endless when `None`.
    pub events: Option<u64>,
    /// Makes the stream repeatable.
    pub seed: Option<u64>,
    /// Events per second.
    pub rate: Option<f64>,
    /// Where documents go, when a cluster has to be brought up.
    pub store: StoreChoice,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An endless run was ended by Ctrl-C.
    Stopped,
    /// A finite run: every document was as it should be.
    Exact,
    /// A finite run: the audit found differences, or could not be made.
    Inexact,
}

/// Runs the pipeline until its end, or until cancelled, and leaves nothing running that was not before.
///
/// # Errors
/// When a part is missing, does not start or dies; [`Error::Interrupted`] when a finite run is cancelled.
pub async fn run(paths: &Paths, options: &Options, context: &Context) -> Result<Outcome> {
    let (mut cluster, found) = Cluster::up(paths, options.store, context).await?;
    // Until it is claimed, it is someone else's where it was not started here.
    let mut ours = found == Found::Nothing;
    let result = match cluster.claim(ours, context).await {
        Ok(()) => {
            // Or a killed run's.
            ours = cluster.state().temporary;
            if !ours {
                context.progress.note("the cluster was running already; it will be left running");
            }
            let result = pipeline(&mut cluster, options, context).await;
            cluster.release();
            result
        }
        Err(error) => Err(error),
    };
    // Cancelled or not, what follows has to happen.
    let calm = Context { cancel: Default::default(), ..context.clone() };
    let failed = !matches!(result, Ok(Outcome::Stopped | Outcome::Exact) | Err(Error::Interrupted));
    if ours {
        Cluster::down_keeping_logs(paths, failed, &calm).await?;
        if failed {
            context.progress.note(&format!("the logs are in {}", paths.failure().display()));
        }
    }
    result
}

async fn pipeline(cluster: &mut Cluster, options: &Options, context: &Context) -> Result<Outcome> {
    let mut services = Services::start(cluster, options, context).await?;
    let result = services.work(cluster, options, context).await;
    services.stop(context).await;
    result
}

/// The services under way.
struct Services {
    analytics: Service,
    simulator: Service,
    dashboard: Service,
    /// What reads the documents.
    auditor: Environment,
    /// What the analytics service got.
    analytics_environment: Environment,
    simulator_port: u16,
    analytics_port: u16,
    started: Instant,
    /// Is every event of the topic in the ledger?
    whole_ledger: bool,
}

impl Services {
    async fn start(cluster: &mut Cluster, options: &Options, context: &Context) -> Result<Self> {
        let paths = cluster.paths().clone();
        for service in SERVICES {
            crate::files::remove(&paths.service_log(service))?;
        }
        crate::files::remove(&paths.ledger())?;
        let whole_ledger = match options.events {
            Some(_) => ready::is_empty(&cluster.environment("admin"), context).await?,
            None => false,
        };
        if options.events.is_some() && !whole_ledger {
            context.progress.note(
                "the topic holds events of an earlier run: the audit compares all of them, and the ledger is left out",
            );
        }
        let mut ports = Ports::default();
        let mut with_port = |service: &'static str| -> Result<(Environment, u16)> {
            let mut environment = cluster.environment(service);
            let preferred = cluster.state().http_port(service);
            let port = ports.choose(&format!("{service}'s metrics"), preferred)?;
            set(&mut environment, "HTTP_ADDRESS", format!("127.0.0.1:{port}"));
            Ok((environment, port))
        };
        let (analytics_environment, analytics_port) = with_port("analytics")?;
        let (simulator_environment, simulator_port) = with_port("simulator")?;
        let (mut dashboard_environment, dashboard_port) = with_port(DASHBOARD)?;
        let page = ports.choose("the dashboard", cluster.state().http_port(PAGE))?;
        set(&mut dashboard_environment, "DASHBOARD_ADDRESS", format!("127.0.0.1:{page}"));
        set(&mut dashboard_environment, "ANALYTICS_URLS", format!("http://127.0.0.1:{analytics_port}"));
        set(&mut dashboard_environment, "SIMULATOR_URLS", format!("http://127.0.0.1:{simulator_port}"));
        for note in &ports.notes {
            context.progress.note(note);
        }

        let step = context.progress.step("analytics");
        let arguments = ["run".to_owned()];
        let mut analytics =
            Service::start("analytics", &arguments, &analytics_environment, &paths.service_log("analytics"))?;
        cluster.add_service(analytics.process())?;
        if let Err(error) = wait_ready(&mut analytics, analytics_port, context).await {
            analytics.stop().await;
            return Err(error);
        }
        step.done(&format!("http://127.0.0.1:{analytics_port}/metrics"));

        let arguments = simulator_arguments(options, &paths);
        let simulator =
            Service::start("simulator", &arguments, &simulator_environment, &paths.service_log("simulator"))?;
        cluster.add_service(simulator.process())?;
        context.progress.note(&format!("simulator: http://127.0.0.1:{simulator_port}/metrics"));

        let step = context.progress.step("dashboard");
        let mut dashboard =
            Service::start(DASHBOARD, &["run".to_owned()], &dashboard_environment, &paths.service_log(DASHBOARD))?;
        cluster.add_service(dashboard.process())?;
        if let Err(error) = wait_ready(&mut dashboard, dashboard_port, context).await {
            analytics.stop().await;
            return Err(error);
        }
        step.done(&format!("look at http://127.0.0.1:{page}"));
        Ok(Self {
            analytics,
            simulator,
            dashboard,
            auditor: cluster.environment("auditor"),
            analytics_environment,
            simulator_port,
            analytics_port,
            started: Instant::now(),
            whole_ledger,
        })
    }

    async fn work(&mut self, cluster: &Cluster, options: &Options, context: &Context) -> Result<Outcome> {
        let mut watch = Watch::new(self.started, options.events);
        loop {
            self.look(&mut watch, cluster).await?;
            if let Some(status) = self.simulator.ended() {
                if !(status.success() && options.events.is_some()) {
                    return Err(self.simulator.failure(status));
                }
                watch.all_sent();
                break;
            }
            match context.sleep(watch::INTERVAL).await {
                Err(Error::Interrupted) if options.events.is_none() => {
                    watch.finish();
                    return Ok(Outcome::Stopped);
                }
                slept => slept?,
            }
        }
        while !watch.is_caught_up() {
            context.sleep(watch::INTERVAL).await?;
            self.look(&mut watch, cluster).await?;
        }
        watch.finish();
        let ledger = self.whole_ledger.then(|| cluster.paths().ledger());
        let exact = finish::audit(&self.auditor, ledger.as_deref(), cluster.paths(), context).await?;
        // The last documents were written while the audit waited for them.
        watch.read_again((self.simulator_port, self.analytics_port)).await;
        finish::summarise(&watch, &self.auditor, exact).await;
        Ok(if exact { Outcome::Exact } else { Outcome::Inexact })
    }

    /// Reads and shows the figures, and makes sure that everything that should run does.
    async fn look(&mut self, watch: &mut Watch, cluster: &Cluster) -> Result<()> {
        if let Some(status) = self.analytics.ended() {
            return Err(self.analytics.failure(status));
        }
        if let Some(status) = self.dashboard.ended() {
            return Err(self.dashboard.failure(status));
        }
        let ports = (self.simulator_port, self.analytics_port);
        watch.look(ports, &self.analytics_environment, cluster).await
    }

    /// Stops in the order of the flow, so that what was sent is counted.
    async fn stop(mut self, context: &Context) {
        let step = context.progress.step("stopping the dashboard and the simulator");
        tokio::join!(self.dashboard.stop(), self.simulator.stop());
        step.done("");
        let step = context.progress.step("stopping analytics, drained");
        let ended = self.analytics.stop().await;
        step.done(&ended.map_or_else(|| "lost sight of it".to_owned(), |status| status.to_string()));
    }
}

/// Sets a variable, in place of a value that it has.
fn set(environment: &mut Environment, name: &'static str, value: String) {
    environment.retain(|(known, _)| *known != name);
    environment.push((name, value));
}

fn simulator_arguments(options: &Options, paths: &Paths) -> Vec<String> {
    let default = if options.events.is_some() { FINITE_RATE } else { ENDLESS_RATE };
    let mut arguments = vec!["--rate".to_owned(), options.rate.unwrap_or(default).to_string()];
    let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    if let Some(events) = options.events {
        add("--events", events.to_string());
        add("--ledger", paths.ledger().to_string_lossy().into_owned());
    }
    if let Some(seed) = options.seed {
        add("--seed", seed.to_string());
    }
    arguments
}

/// Waits until a service says that it can do its work.
async fn wait_ready(service: &mut Service, port: u16, context: &Context) -> Result<()> {
    let start = Instant::now();
    let mut last = String::new();
    loop {
        if let Some(status) = service.ended() {
            return Err(service.failure(status));
        }
        let answer = context.unless_cancelled(http::get(port, "/readyz", Duration::from_secs(1))).await?;
        match answer {
            Some((200, _)) => return Ok(()),
            Some((_, body)) => body.trim().clone_into(&mut last),
            None => {}
        }
        if start.elapsed() > PATIENCE {
            return Err(Error::Process {
                name: service.full_name(),
                what: format!("was not ready within {} s", PATIENCE.as_secs()),
                cause: if last.is_empty() { "it did not answer".to_owned() } else { last },
            });
        }
        context.sleep(Duration::from_millis(100)).await?;
    }
}
