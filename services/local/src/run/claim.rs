//! Who runs services on a cluster: noted in its state, so that a killed run can be cleaned up after.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::process::{ProcessId, identify};

/// This very process, for the state file.
fn own_process() -> Option<ProcessId> {
    identify(std::process::id())
}

impl Cluster {
    /// Notes in the state that this process runs services on the cluster; stops those a killed one left.
    pub(super) async fn claim(&mut self, new: bool, context: &Context) -> Result<()> {
        let _lock = self.exclusively(context).await?;
        if let Some(runner) = self.state().runner.as_ref().filter(|runner| runner.is_alive()) {
            return Err(Error::Usage(format!(
                "another `storepulse-local run` (process {}) is at work on this cluster: stop it first, or use another --dir",
                runner.pid()
            )));
        }
        for (name, process) in std::mem::take(&mut self.state_mut().services) {
            if process.is_alive() {
                context.progress.note(&format!("stopping {name} (process {}), left by an earlier run", process.pid()));
                process.stop(Duration::from_secs(12)).await;
            }
        }
        self.state_mut().runner = own_process();
        self.state_mut().temporary |= new;
        self.save()
    }

    pub(super) fn add_service(&mut self, service: Option<(String, ProcessId)>) -> Result<()> {
        self.reload()?;
        self.state_mut().services.extend(service);
        self.save()
    }

    /// Takes the note back. A cluster that is gone has no notes.
    pub(super) fn release(&mut self) {
        if self.reload().is_ok() {
            self.state_mut().services.clear();
            self.state_mut().runner = None;
            // At worst the next run looks at processes that are dead.
            let _ = self.save();
        }
    }
}
