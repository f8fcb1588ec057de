//! What each command does, and its exit code.

use std::io::Write as _;
use std::process::ExitCode;

use storepulse_local::run::{Options, Outcome};
use storepulse_local::{Cluster, Context, Error, Found, Health, Paths, Stopped, Store, StoreChoice, containers};

use crate::cli::{BrokerAction, Cli, Command, ContainerFilesArgs, FirestoreAction};

/// Prints a line; a reader that went away (`| head`) is no reason to panic.
macro_rules! say {
    ($($argument:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($argument)*);
    }};
}

/// Something is not as it should be.
const FAILURE: u8 = 1;
/// `status` without a cluster.
const NOT_RUNNING: u8 = 3;

/// Runs the command.
pub(crate) async fn execute(cli: Cli, context: &Context) -> anyhow::Result<ExitCode> {
    let paths = Paths::find(cli.dir.as_deref())?;
    match cli.command {
        Command::Up(store) => up(&paths, store.choice(), context).await,
        Command::Down => down(&paths, context).await,
        Command::Status { json } => status(&paths, json).await,
        Command::Env { principal } => env(&paths, &principal),
        Command::Run(arguments) => run(&paths, &arguments.options(), context).await,
        Command::Attack { arguments } => attack(&paths, &arguments, context).await,
        Command::ContainerFiles(arguments) => container_files(&paths, arguments),
        Command::Broker { action, id } => broker(&paths, action, id, context).await,
        Command::Firestore { action } => firestore(&paths, action, context).await,
    }
}

async fn up(paths: &Paths, store: StoreChoice, context: &Context) -> anyhow::Result<ExitCode> {
    let start = std::time::Instant::now();
    let (cluster, found) = Cluster::up(paths, store, context).await?;
    let seconds = start.elapsed().as_secs_f64();
    let state = cluster.state();
    match found {
        Found::Nothing => say!("The cluster is up, proven by an event ({seconds:.1} s)."),
        Found::Running => say!("The cluster was up already, since {}, and works.", state.started_at),
        Found::Broken(parts) => say!("The cluster was up without {}; it is whole again.", parts.join(", ")),
    }
    let store = match &state.store {
        Store::Firestore { port, .. } => format!("Firestore emulator at 127.0.0.1:{port}"),
        Store::Sqlite { path } => format!("SQLite file {}", path.display()),
    };
    say!("  Kafka      {}", state.brokers());
    say!("  documents  {store}");
    say!("  act as     set -a; . {}; set +a", paths.env_file("analytics").display());
    say!("             (also: admin.env, simulator.env, auditor.env)");
    Ok(ExitCode::SUCCESS)
}

async fn down(paths: &Paths, context: &Context) -> anyhow::Result<ExitCode> {
    let stopped = Cluster::down(paths, context).await?;
    if stopped.is_empty() {
        say!("Nothing was running in {}.", paths.dir().display());
    } else {
        say!("Stopped: {}.", stopped.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(paths: &Paths, json: bool) -> anyhow::Result<ExitCode> {
    let Some(cluster) = Cluster::open(paths)? else {
        if json {
            say!("{}", serde_json::json!({ "health": "not_running" }));
        } else {
            say!("No cluster is running in {}.", paths.dir().display());
        }
        return Ok(ExitCode::from(NOT_RUNNING));
    };
    let status = cluster.status().await;
    if json {
        say!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        say!("{}", status.to_string().trim_end());
    }
    Ok(match status.health {
        Health::Healthy => ExitCode::SUCCESS,
        Health::Degraded | Health::Starting => ExitCode::from(FAILURE),
    })
}

fn env(paths: &Paths, principal: &str) -> anyhow::Result<ExitCode> {
    let file = paths.env_file(principal);
    if !paths.state().exists() {
        return Err(Error::NotRunning { dir: paths.dir().to_owned() }.into());
    }
    anyhow::ensure!(
        file.is_file(),
        "there is no principal {principal:?}: choose admin, simulator, analytics or auditor"
    );
    say!("set -a; . {}; set +a", storepulse_local::shell_quote(&file.to_string_lossy()));
    Ok(ExitCode::SUCCESS)
}

async fn run(paths: &Paths, options: &Options, context: &Context) -> anyhow::Result<ExitCode> {
    Ok(match storepulse_local::run::run(paths, options, context).await? {
        Outcome::Stopped | Outcome::Exact => ExitCode::SUCCESS,
        Outcome::Inexact => ExitCode::from(FAILURE),
    })
}

async fn attack(paths: &Paths, arguments: &[String], context: &Context) -> anyhow::Result<ExitCode> {
    let status = storepulse_local::attack::attack(paths, arguments, context).await?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILURE)))
}

fn container_files(paths: &Paths, arguments: ContainerFilesArgs) -> anyhow::Result<ExitCode> {
    let dir = arguments.to.unwrap_or_else(|| paths.root().join("secret/compose"));
    let (owner, google, token) = (arguments.owner, arguments.google_key, arguments.dashboard_token);
    let options = containers::Options { dir, owner, google, token };
    let written = containers::prepare(paths, &options)?;
    for warning in &written.warnings {
        say!("  ! {warning}");
    }
    let (files, changed, owner) = (written.files, written.changed, written.owner);
    say!("{}: {files} files for user {owner}, {changed} of them new", options.dir.display());
    Ok(ExitCode::SUCCESS)
}

async fn broker(paths: &Paths, action: BrokerAction, id: u32, context: &Context) -> anyhow::Result<ExitCode> {
    let mut cluster = Cluster::find(paths)?;
    let said = match action {
        BrokerAction::Stop => stopped(cluster.stop_broker(id, context).await?),
        BrokerAction::Kill => stopped(cluster.kill_broker(id, context).await?),
        BrokerAction::Start => started(cluster.start_broker(id, context).await?),
    };
    say!("Broker {id} {said}.");
    Ok(ExitCode::SUCCESS)
}

async fn firestore(paths: &Paths, action: FirestoreAction, context: &Context) -> anyhow::Result<ExitCode> {
    let mut cluster = Cluster::find(paths)?;
    let said = match action {
        FirestoreAction::Stop => stopped(cluster.stop_firestore(context).await?),
        FirestoreAction::Start => started(cluster.start_firestore(context).await?),
        FirestoreAction::Pause => cluster.pause_firestore(true, context).await.map(|()| "hangs")?,
        FirestoreAction::Resume => cluster.pause_firestore(false, context).await.map(|()| "goes on")?,
    };
    say!("The Firestore emulator {said}.");
    Ok(ExitCode::SUCCESS)
}

fn stopped(how: Stopped) -> &'static str {
    match how {
        Stopped::WasDead => "was not running",
        Stopped::Gracefully => "stopped",
        Stopped::Killed => "was killed",
    }
}

fn started(new: bool) -> &'static str {
    if new { "started" } else { "was running already" }
}
