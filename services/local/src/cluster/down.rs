//! Taking a cluster down, and leaving nothing behind.

use std::time::Duration;

use tokio::task::JoinSet;

use super::Cluster;
use crate::context::Context;
use crate::env_files::{DASHBOARD, SERVICES};
use crate::error::Result;
use crate::files::{make_private_dir, remove};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::process::{ProcessId, Stopped};
use crate::state::State;

/// A node that waits for the others to take over its partitions waits in vain when all stop.
const PATIENCE: Duration = Duration::from_secs(3);
/// Services drain within 10 s.
const SERVICE_PATIENCE: Duration = Duration::from_secs(12);

impl Cluster {
    /// Stops everything that runs in a state directory and removes its files. Returns what was stopped.
    ///
    /// # Errors
    /// When the state can't be read or a file can't be removed.
    pub async fn down(paths: &Paths, context: &Context) -> Result<Vec<String>> {
        Self::down_keeping_logs(paths, false, context).await
    }

    /// Like [`Cluster::down`], but keeps copies of the logs when asked to.
    pub(crate) async fn down_keeping_logs(paths: &Paths, keep: bool, context: &Context) -> Result<Vec<String>> {
        if !paths.dir().exists() {
            return Ok(Vec::new());
        }
        let _lock = Lock::take(paths, context).await?;
        let mut stopped = Vec::new();
        if let Some(state) = State::load(paths)? {
            let step = context.progress.step("stopping the cluster");
            stopped = stop_all(&state).await;
            step.done("");
            if keep {
                keep_logs(paths, Some(&state));
            }
        }
        clear_all_but(paths, if keep { &[".lock", FAILURE] } else { &[".lock"] })?;
        remove_dir(paths)?;
        Ok(stopped)
    }
}

/// Services first, so that they have a cluster to finish their work on; the last started is the first stopped.
async fn stop_all(state: &State) -> Vec<String> {
    let mut stopped = Vec::new();
    for service in state.services.iter().rev() {
        stopped.extend(stop_together(vec![service.clone()], SERVICE_PATIENCE).await);
    }
    stopped.extend(stop_together(state.processes(), PATIENCE).await);
    stopped
}

async fn stop_together(processes: Vec<(String, ProcessId)>, patience: Duration) -> Vec<String> {
    let mut tasks = JoinSet::new();
    for (name, process) in processes {
        tasks.spawn(async move {
            match process.stop(patience).await {
                Stopped::WasDead => None,
                // The data goes too, so a kill is as good as a stop.
                Stopped::Gracefully | Stopped::Killed => Some(format!("{name} (process {})", process.pid())),
            }
        });
    }
    let mut stopped: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
    stopped.sort();
    stopped
}

/// Kills everything and removes all files and the directory.
pub(super) fn clear(paths: &Paths, state: &State) -> Result<()> {
    clear_but_lock(paths, state)?;
    remove_dir(paths)
}

/// Kills everything and removes all files but the lock.
pub(super) fn clear_but_lock(paths: &Paths, state: &State) -> Result<()> {
    for (_, process) in state.services.iter().chain(&state.processes()) {
        process.kill();
    }
    clear_files(paths)
}

/// Kills everything and removes what was made, except for logs kept of the failure.
pub(super) fn clear_after_failure(paths: &Paths, state: Option<&State>) -> Result<()> {
    for (_, process) in state.iter().flat_map(|state| state.processes()) {
        process.kill();
    }
    clear_all_but(paths, &[".lock", FAILURE])?;
    remove_dir(paths)
}

const FAILURE: &str = "last-failure";

/// Copies logs to where they outlive the cluster. Best effort: the failure itself is what matters.
pub(crate) fn keep_logs(paths: &Paths, state: Option<&State>) {
    let target = paths.failure();
    let _ = remove(&target);
    let mut logs = vec![paths.firestore().join("firestore.log")];
    for node in state.iter().flat_map(|state| &state.nodes) {
        let dir = paths.node(node.id);
        logs.extend([dir.join("server.log"), dir.join("stdout.log")]);
    }
    logs.extend(SERVICES.map(|service| paths.service_log(service)));
    logs.push(paths.ledger());
    for log in logs.iter().filter(|log| log.metadata().is_ok_and(|metadata| metadata.len() > 0)) {
        let Ok(relative) = log.strip_prefix(paths.dir()) else { continue };
        let name = relative.to_string_lossy().replace('/', "-");
        if make_private_dir(&target).is_ok() {
            let _ = std::fs::copy(log, target.join(name));
        }
    }
}

/// Removes our files, and only ours: someone may have put others here. The lock is held, and stays.
pub(super) fn clear_files(paths: &Paths) -> Result<()> {
    clear_all_but(paths, &[".lock"])
}

fn clear_all_but(paths: &Paths, kept: &[&str]) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(paths.dir()) else {
        return Ok(());
    };
    // The state goes last: as long as it is there, another `down` can finish this one's work.
    let mut state = None;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kept.contains(&name.as_ref()) || !is_ours(&name) {
            continue;
        }
        if name == "state.json" {
            state = Some(entry.path());
        } else {
            remove(&entry.path())?;
        }
    }
    state.map_or(Ok(()), |state| remove(&state))
}

fn is_ours(name: &str) -> bool {
    let has_environment = |name: &str| storepulse_pki::PRINCIPALS.contains(&name) || name == DASHBOARD;
    name == ".lock"
        || name == "state.json"
        || name == "ledger.json"
        || name == "firestore"
        || name == FAILURE
        || name.starts_with("store.sqlite")
        || name.strip_prefix("kafka-").is_some_and(|id| id.parse::<u32>().is_ok())
        || name.strip_suffix(".env").is_some_and(has_environment)
        || name.strip_suffix(".log").is_some_and(|service| SERVICES.contains(&service))
        || name.starts_with("audit.json")
        || name.ends_with(".partial")
}

/// Removes the lock, and the directory when it is empty then.
fn remove_dir(paths: &Paths) -> Result<()> {
    remove(&paths.lock())?;
    // Not empty: not all ours.
    let _ = std::fs::remove_dir(paths.dir());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn down_removes_our_files_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let cluster = dir.path().join("cluster");
        std::fs::create_dir_all(cluster.join("kafka-1/data")).unwrap();
        for name in ["admin.env", "thesis.txt", "my.env", "store.sqlite-wal"] {
            std::fs::write(cluster.join(name), "x").unwrap();
        }
        let paths = Paths::find(Some(&cluster)).unwrap();
        assert!(Cluster::down(&paths, &Context::quiet()).await.unwrap().is_empty());
        let mut left: Vec<_> = std::fs::read_dir(&cluster)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["my.env", "thesis.txt"]);
    }
}
