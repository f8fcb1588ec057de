//! Taking single parts away and giving them back: for trying out faults.

use std::time::Duration;

use super::Cluster;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::java::Java;
use crate::kafka::{Jars, Launcher};
use crate::process::Stopped;
use crate::state::Store;

/// A node hands its partitions over before it stops.
const BROKER_PATIENCE: Duration = Duration::from_secs(30);
const STORE_PATIENCE: Duration = Duration::from_secs(5);

impl Cluster {
    /// Stops a broker as an operator would: its partitions move first. It had to be killed when this returns
    /// [`Stopped::Killed`].
    ///
    /// # Errors
    /// When there is no such broker, or no cluster any more.
    pub async fn stop_broker(&mut self, id: u32, context: &Context) -> Result<Stopped> {
        let _lock = self.exclusively(context).await?;
        match self.state.node_mut(id)?.process.clone() {
            Some(process) => context.unless_cancelled(process.stop(BROKER_PATIENCE)).await,
            None => Ok(Stopped::WasDead),
        }
    }

    /// Kills a broker (SIGKILL), as a power cut would.
    ///
    /// # Errors
    /// When there is no such broker, or no cluster any more.
    pub async fn kill_broker(&mut self, id: u32, context: &Context) -> Result<Stopped> {
        let _lock = self.exclusively(context).await?;
        match &self.state.node_mut(id)?.process {
            Some(process) if process.is_alive() => {
                process.kill();
                Ok(Stopped::Killed)
            }
            _ => Ok(Stopped::WasDead),
        }
    }

    /// Starts a broker again on its data, and waits until it serves. Returns false when it was running.
    ///
    /// # Errors
    /// When there is no such broker, no cluster any more, or it does not start.
    pub async fn start_broker(&mut self, id: u32, context: &Context) -> Result<bool> {
        let _lock = self.exclusively(context).await?;
        if self.state.node_mut(id)?.is_alive() {
            return Ok(false);
        }
        self.start_some(&[id], false, context).await?;
        Ok(true)
    }

    /// Stops the Firestore emulator; its documents, in memory, are lost.
    ///
    /// # Errors
    /// When the store is not the emulator, or there is no cluster any more.
    pub async fn stop_firestore(&mut self, context: &Context) -> Result<Stopped> {
        let _lock = self.exclusively(context).await?;
        match &self.state.store {
            Store::Firestore { process: Some(process), .. } => Ok(process.stop(STORE_PATIENCE).await),
            Store::Firestore { process: None, .. } => Ok(Stopped::WasDead),
            Store::Sqlite { .. } => Err(no_emulator()),
        }
    }

    /// Stops the Firestore emulator's execution without ending it (SIGSTOP), so that it answers nothing, or lets it
    /// go on (SIGCONT); its documents are kept.
    ///
    /// # Errors
    /// When the store is not the emulator, or there is no cluster any more.
    pub async fn pause_firestore(&mut self, pause: bool, context: &Context) -> Result<()> {
        use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};
        let _lock = self.exclusively(context).await?;
        match &self.state.store {
            Store::Firestore { process: Some(process), .. } => {
                process.signal(if pause { SIGSTOP } else { SIGCONT });
                Ok(())
            }
            _ => Err(no_emulator()),
        }
    }

    /// Starts the Firestore emulator again, empty, and waits until it answers. Returns false when it was running.
    ///
    /// # Errors
    /// When the store is not the emulator, there is no cluster any more, or it does not start.
    pub async fn start_firestore(&mut self, context: &Context) -> Result<bool> {
        let _lock = self.exclusively(context).await?;
        match &self.state.store {
            Store::Firestore { process: Some(process), .. } if process.is_alive() => Ok(false),
            Store::Firestore { .. } => self.start_some(&[], true, context).await.map(|()| true),
            Store::Sqlite { .. } => Err(no_emulator()),
        }
    }

    async fn start_some(&mut self, ids: &[u32], with_store: bool, context: &Context) -> Result<()> {
        let java = Java::find(context).await?;
        let jars = Jars::fetch(&self.paths, context).await?;
        let launcher = Launcher::new(self.paths.clone(), java.clone(), jars, self.security.clone());
        self.start_parts(&launcher, &java, ids, with_store, context).await
    }
}

fn no_emulator() -> Error {
    Error::Usage("this cluster has no Firestore emulator: its store is SQLite".to_owned())
}
