//! Where everything lives.

use std::path::{Path, PathBuf};

use crate::error::{Error, FileContext, Result};

/// The directory's name under the repository, unless told otherwise.
const DEFAULT_DIR: &str = ".local";

/// The repository, and the state directory of one cluster.
#[derive(Debug, Clone)]
pub struct Paths {
    root: PathBuf,
    dir: PathBuf,
    is_default: bool,
}

impl Paths {
    /// Finds the repository and resolves the state directory.
    ///
    /// The repository is `STOREPULSE_ROOT`, or the nearest directory at or above the working
    /// directory or the running program that holds `scripts/fetch-kafka.sh`, or the one this program was built in.
    ///
    /// # Errors
    /// When there is no repository, or `dir` is relative and the working directory is gone.
    pub fn find(dir: Option<&Path>) -> Result<Self> {
        let root = find_root()?;
        let default = root.join(DEFAULT_DIR);
        let dir = match dir {
            Some(dir) => std::path::absolute(dir).file("resolve", dir)?,
            None => default.clone(),
        };
        Ok(Self { is_default: dir == default, root, dir })
    }

    /// The repository.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The state directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Is this the repository's own `.local`, whose cluster gets the well-known ports?
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// What runs, and where.
    pub fn state(&self) -> PathBuf {
        self.dir.join("state.json")
    }

    /// Held by whoever changes the cluster.
    pub fn lock(&self) -> PathBuf {
        self.dir.join(".lock")
    }

    /// Configuration, data and logs of Kafka node `id`.
    pub fn node(&self, id: u32) -> PathBuf {
        self.dir.join(format!("kafka-{id}"))
    }

    /// Logs of the Firestore emulator.
    pub fn firestore(&self) -> PathBuf {
        self.dir.join("firestore")
    }

    /// The embedded store, used where there is no emulator.
    pub fn sqlite(&self) -> PathBuf {
        self.dir.join("store.sqlite")
    }

    /// The environment of a program that acts as `principal`.
    pub fn env_file(&self, principal: &str) -> PathBuf {
        self.dir.join(format!("{principal}.env"))
    }

    /// The log of a service that `run` starts.
    pub fn service_log(&self, service: &str) -> PathBuf {
        self.dir.join(format!("{service}.log"))
    }

    /// What the simulator says it sent.
    pub fn ledger(&self) -> PathBuf {
        self.dir.join("ledger.json")
    }

    /// What the last audit found.
    pub fn audit_result(&self) -> PathBuf {
        self.dir.join("audit.json")
    }

    /// Logs kept after something went wrong.
    pub fn failure(&self) -> PathBuf {
        self.dir.join("last-failure")
    }

    /// Kafka's jars.
    pub fn kafka_libs(&self) -> PathBuf {
        self.root.join(".cache/kafka-4.3.1/libs")
    }
}

fn find_root() -> Result<PathBuf> {
    let is_root = |dir: &Path| dir.join("scripts/fetch-kafka.sh").is_file();
    if let Some(root) = std::env::var_os("STOREPULSE_ROOT") {
        let root = PathBuf::from(root);
        if is_root(&root) {
            return std::path::absolute(&root).file("resolve", &root);
        }
        return Err(Error::Usage(format!(
            "STOREPULSE_ROOT={} is not a storepulse repository (it has no scripts/fetch-kafka.sh)",
            root.display()
        )));
    }
    let starts =
        [std::env::current_dir().ok(), std::env::current_exe().ok(), Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")))];
    for start in starts.iter().flatten() {
        if let Some(root) = start.ancestors().find(|dir| is_root(dir)) {
            return Ok(root.to_owned());
        }
    }
    Err(Error::Missing {
        program: "the storepulse repository".to_owned(),
        reason: "neither the working directory nor this program is inside it".to_owned(),
        advice: "Run this inside the repository, or set STOREPULSE_ROOT to it".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_directory_is_in_the_repository() {
        let paths = Paths::find(None).unwrap();
        assert!(paths.is_default());
        assert!(paths.root().join("Cargo.toml").is_file());
    }

    #[test]
    fn another_directory_is_made_absolute() {
        let paths = Paths::find(Some(Path::new("elsewhere"))).unwrap();
        assert!(!paths.is_default());
        assert!(paths.dir().is_absolute());
    }
}
