//! One local cluster, from nothing to proven ready and back.

mod down;
mod parts;
mod plan;
mod status;
mod up;

use std::path::Path;

use crate::context::Context;
use crate::env_files::{self, Environment};
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::security::Security;
use crate::state::State;

pub use plan::StoreChoice;
pub use status::{Health, PartStatus, Status};
pub use up::Found;
pub(crate) use up::new_cluster_id;

/// A running local cluster. Dropping it leaves the cluster running: see [`Cluster::down`] and [`ClusterGuard`].
#[derive(Debug)]
pub struct Cluster {
    paths: Paths,
    state: State,
    security: Security,
}

impl Cluster {
    /// Finds the cluster of a state directory; `None` when there is none.
    ///
    /// # Errors
    /// When its state, certificates or passwords can't be read.
    pub fn open(paths: &Paths) -> Result<Option<Self>> {
        let Some(state) = State::load(paths)? else {
            return Ok(None);
        };
        let (security, _) = Security::init(paths)?;
        Ok(Some(Self { paths: paths.clone(), state, security }))
    }

    /// Like [`Cluster::open`], when there must be one.
    ///
    /// # Errors
    /// [`Error::NotRunning`] when there is none, and those of `open`.
    pub fn find(paths: &Paths) -> Result<Self> {
        Self::open(paths)?.ok_or_else(|| Error::NotRunning { dir: paths.dir().to_owned() })
    }

    /// Where its files are.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// What it consists of.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The environment of programs that act as `principal` (`admin`, `simulator`, `analytics`, `auditor`).
    /// It holds a password.
    pub fn environment(&self, principal: &str) -> Environment {
        env_files::environment(principal, &self.paths, &self.state, &self.security)
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Writes the state.
    pub(crate) fn save(&self) -> Result<()> {
        self.state.save(&self.paths)
    }

    /// How each part is.
    pub async fn status(&self) -> Status {
        Status::of(&self.state).await
    }

    /// Takes the lock and reads the state again: someone else may have changed the cluster.
    pub(crate) async fn exclusively(&mut self, context: &Context) -> Result<Lock> {
        let lock = Lock::take(&self.paths, context).await?;
        self.reload()?;
        Ok(lock)
    }

    /// Reads the state again.
    pub(crate) fn reload(&mut self) -> Result<()> {
        self.state = State::load(&self.paths)?.ok_or_else(|| Error::NotRunning { dir: self.paths.dir().to_owned() })?;
        Ok(())
    }
}

/// Takes a cluster down when dropped, at once and without asking: for tests.
#[derive(Debug)]
pub struct ClusterGuard {
    cluster: Cluster,
}

impl ClusterGuard {
    /// Brings up a cluster in `dir`.
    ///
    /// # Errors
    /// Those of [`Cluster::up`].
    pub async fn up(dir: &Path, store: StoreChoice, context: &Context) -> Result<Self> {
        let paths = Paths::find(Some(dir))?;
        let (cluster, _) = Cluster::up(&paths, store, context).await?;
        Ok(Self { cluster })
    }
}

impl std::ops::Deref for ClusterGuard {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl std::ops::DerefMut for ClusterGuard {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }
}

impl Drop for ClusterGuard {
    fn drop(&mut self) {
        let paths = &self.cluster.paths;
        let state = State::load(paths).ok().flatten();
        if let Err(error) = down::clear(paths, state.as_ref().unwrap_or(&self.cluster.state)) {
            eprintln!("storepulse-local: {error}");
        }
    }
}
