//! Ctrl-C and SIGTERM end the tests, and everything that they have started.
//!
//! A test binary's statics are never dropped, and a signal drops nothing at all. So everything that runs is written down
//! here, and taken down from here when a signal comes. (After a SIGKILL the next run takes down what it finds.)

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use storepulse_local::{Cluster, Paths};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Services drain within 10 s; `storepulse-local` takes a cluster down with it.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Running {
    /// Process groups.
    groups: BTreeSet<i32>,
    /// State directories of clusters.
    clusters: BTreeSet<PathBuf>,
    /// Nothing more may be started.
    ending: bool,
}

static RUNNING: Mutex<Running> =
    Mutex::new(Running { groups: BTreeSet::new(), clusters: BTreeSet::new(), ending: false });

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts something unless all is being taken down, and writes it down before anybody can look.
pub(crate) fn started<E: From<std::io::Error>>(start: impl FnOnce() -> Result<i32, E>) -> Result<i32, E> {
    let mut running = running();
    if running.ending {
        return Err(std::io::Error::other("the tests were interrupted").into());
    }
    let group = start()?;
    running.groups.insert(group);
    Ok(group)
}

/// Whether all is being taken down.
pub fn is_ending() -> bool {
    running().ending
}

pub(crate) fn ended(group: i32) {
    running().groups.remove(&group);
}

pub(crate) fn cluster_in(dir: &Path) {
    running().clusters.insert(dir.to_owned());
}

/// Takes all down and ends this process when a signal comes. `cancel` tells those that are bringing something up.
/// Must be called inside a Tokio runtime.
///
/// # Errors
/// When the operating system refuses the handlers.
pub fn on_signals(cancel: CancellationToken) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        eprintln!("\ninterrupted: stopping all services and clusters");
        cancel.cancel();
        take_all_down();
        std::process::exit(130);
    });
    Ok(())
}

fn take_all_down() {
    let (groups, clusters) = {
        let mut running = running();
        running.ending = true;
        (running.groups.clone(), running.clusters.clone())
    };
    let deadline = Instant::now() + PATIENCE;
    let all = |signal: Option<Signal>| {
        let alive = |group: &&i32| killpg(Pid::from_raw(**group), signal).is_ok();
        groups.iter().filter(alive).count()
    };
    all(Some(Signal::SIGTERM));
    while all(None) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
        reap();
    }
    all(Some(Signal::SIGKILL));
    for dir in clusters {
        if let Ok(Some(cluster)) = Paths::find(Some(&dir)).and_then(|paths| Cluster::open(&paths)) {
            cluster.state().processes().iter().for_each(|(_, process)| process.kill());
        }
        let _ = std::fs::remove_dir_all(dir);
    }
}

/// A dead child stays in its group until somebody takes note of it.
fn reap() {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    while !matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive) | Err(_)) {}
}
