//! The cluster, and the programs on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use storepulse_local::{Cluster, Context, Paths, ProcessId, Progress, StoreChoice};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::options::Options;
use super::say;
use crate::{Secrets, Service, Spec, cleanup};

/// A secured cluster of three brokers. Taken down when dropped, unless it is to be kept.
#[derive(Debug)]
pub struct Ground {
    cluster: Cluster,
    runtime: Runtime,
    context: Context,
    logs: PathBuf,
    number: u32,
    keep: bool,
    secrets: Arc<Secrets>,
}

impl Ground {
    /// Brings up a cluster of its own, or finds the one that is to be kept.
    ///
    /// # Errors
    /// When the cluster does not come up.
    pub fn up(options: &Options) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("finding this program")?;
        let target = own.ancestors().nth(2).context("this program is in no directory")?;
        let dir = target.join("tmp/bench");
        let logs = dir.join("logs");
        let _ = std::fs::remove_dir_all(&logs);
        std::fs::create_dir_all(&logs)?;
        let keep = options.keep_cluster.is_some();
        let cluster_dir = options.keep_cluster.clone().unwrap_or_else(|| dir.join("cluster"));
        let paths = Paths::find(Some(&cluster_dir))?;
        let runtime = Runtime::new()?;
        let context = Context { progress: Progress::stderr(), cancel: CancellationToken::new() };
        let cluster = runtime.block_on(async {
            cleanup::on_signals(context.cancel.clone())?;
            if !keep {
                cleanup::cluster_in(&cluster_dir);
                // What a run that was killed has left.
                Cluster::down(&paths, &context).await?;
            }
            let (cluster, _) = Cluster::up(&paths, StoreChoice::Auto, &context).await.context("the cluster")?;
            anyhow::Ok(cluster)
        })?;
        say(format!("logs of the programs are in {}", logs.display()));
        let ground = Self { cluster, runtime, context, logs, number: 0, keep, secrets: Arc::default() };
        say(format!("brokers are processes {:?}", ground.brokers()));
        Ok(ground)
    }

    /// The variables of a principal.
    pub fn environment(&self, principal: &str) -> Vec<(String, String)> {
        let own = self.cluster.environment(principal).into_iter();
        own.filter(|(name, _)| *name != "HTTP_ADDRESS").map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The brokers' process numbers.
    pub fn brokers(&self) -> Vec<u32> {
        self.cluster.state().nodes.iter().filter_map(|node| pid(node.process.as_ref()?)).collect()
    }

    /// Where logs go, and whatever else has to be put somewhere.
    pub fn dir(&self) -> &Path {
        &self.logs
    }

    /// Starts a program.
    ///
    /// # Errors
    /// When it is missing or does not start.
    pub fn start(&mut self, spec: &Spec) -> anyhow::Result<Service> {
        self.number += 1;
        Service::start(spec, &self.logs, self.number, &self.secrets)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if self.keep {
            say(format!("the cluster in {} is left running", self.cluster.paths().dir().display()));
            return;
        }
        let down = self.runtime.block_on(Cluster::down(self.cluster.paths(), &self.context));
        if let Err(error) = down {
            eprintln!("storepulse-bench: {error}");
        }
    }
}

fn pid(process: &ProcessId) -> Option<u32> {
    u32::try_from(process.pid()).ok()
}
