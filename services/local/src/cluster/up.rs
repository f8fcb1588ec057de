//! Bringing a cluster up, or finding the one that is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::task::JoinSet;

use super::plan::{self, StoreChoice};
use super::{Cluster, down};
use crate::admin;
use crate::context::Context;
use crate::env_files;
use crate::error::{Error, Result};
use crate::files::make_private_dir;
use crate::firestore;
use crate::java::Java;
use crate::kafka::{Jars, Launcher, extra_properties, started_log_offset};
use crate::lock::Lock;
use crate::paths::Paths;
use crate::ports::Ports;
use crate::ready;
use crate::security::{ADMIN, Security};
use crate::state::{Phase, State, Store};

/// What [`Cluster::up`] came upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing: it was started.
    Nothing,
    /// The cluster, up and well.
    Running,
    /// The cluster without these parts, which were started again.
    Broken(Vec<String>),
}

impl Cluster {
    /// Brings a cluster up, or finds the one that runs and starts what it lacks. Returns when an event has gone through it.
    ///
    /// # Errors
    /// When something is missing, a part does not start, or `context` is cancelled. Nothing new is left running then.
    pub async fn up(paths: &Paths, store: StoreChoice, context: &Context) -> Result<(Self, Found)> {
        let _lock = Lock::take(paths, context).await?;
        let step = context.progress.step("certificates and passwords");
        let (security, warnings) = Security::init(paths)?;
        step.done("");
        for warning in warnings {
            context.progress.note(&warning);
        }
        match State::load(paths)? {
            Some(state) if state.phase == Phase::Ready => {
                let cluster = Self { paths: paths.clone(), state, security };
                return cluster.find_or_repair(context).await;
            }
            Some(abandoned) => {
                context.progress.note("an earlier start was cut short: cleaning up after it");
                down::clear_but_lock(paths, &abandoned)?;
            }
            None => down::clear_files(paths)?,
        }
        let made = Self::start_new(paths, store, security, context).await;
        if let Err(error) = &made {
            // The lock is ours, so what the state says is what we started.
            let state = State::load(paths)?;
            if !matches!(error, Error::Interrupted) {
                down::keep_logs(paths, state.as_ref());
            }
            down::clear_after_failure(paths, state.as_ref())?;
        }
        Ok((made?, Found::Nothing))
    }

    async fn start_new(paths: &Paths, store: StoreChoice, security: Security, context: &Context) -> Result<Self> {
        let java = Java::find(context).await?;
        let step = context.progress.step("Kafka's jars");
        let jars = Jars::fetch(paths, context).await?;
        step.done("");

        let mut ports = Ports::default();
        let nodes = plan::choose_nodes(paths, &mut ports)?;
        let store = plan::choose_store(paths, store, &mut ports, context)?;
        let http_ports = plan::choose_http_ports(paths, &mut ports)?;
        for note in &ports.notes {
            context.progress.note(note);
        }
        let certificates = security.fingerprint(nodes.iter().map(|node| node.id))?;
        let cluster_id = new_cluster_id();
        let state = State::new(cluster_id, nodes, store, http_ports, certificates);
        make_private_dir(paths.dir())?;
        state.save(paths)?;
        let launcher = Launcher::new(paths.clone(), java.clone(), jars, security.clone());
        let mut cluster = Self { paths: paths.clone(), state, security };

        cluster.format(&launcher, context).await?;
        let all: Vec<u32> = cluster.state.nodes.iter().map(|node| node.id).collect();
        cluster.start_parts(&launcher, &java, &all, true, context).await?;

        let step = context.progress.step("topics, users and ACLs");
        let detail =
            context.unless_cancelled(admin::apply(&cluster.paths, &cluster.state, &cluster.security)).await??;
        step.done(&detail);
        cluster.prove(context).await?;
        env_files::write_all(paths, &cluster.state, &cluster.security)?;
        cluster.state.phase = Phase::Ready;
        cluster.state.save(paths)?;
        Ok(cluster)
    }

    async fn find_or_repair(mut self, context: &Context) -> Result<(Self, Found)> {
        let certificates = self.security.fingerprint(self.state.nodes.iter().map(|node| node.id))?;
        if certificates != self.state.certificates {
            return Err(Error::Pki(
                "they were renewed since the cluster was started: run `make local-down`, then `make local-up`"
                    .to_owned(),
            ));
        }
        let dead: Vec<u32> = self.state.nodes.iter().filter(|node| !node.is_alive()).map(|node| node.id).collect();
        let mut names: Vec<String> = dead.iter().map(|id| format!("Kafka node {id}")).collect();
        let lost_store = matches!(&self.state.store, Store::Firestore { process, .. }
            if !process.as_ref().is_some_and(crate::process::ProcessId::is_alive));
        if lost_store {
            names.push("the Firestore emulator".to_owned());
        }
        if !names.is_empty() {
            context.progress.note(&format!("not running: {}; starting again", names.join(", ")));
            if lost_store {
                context.progress.note("the Firestore emulator's documents were lost with it (it keeps them in memory)");
            }
            let java = Java::find(context).await?;
            let jars = Jars::fetch(&self.paths, context).await?;
            let launcher = Launcher::new(self.paths.clone(), java.clone(), jars, self.security.clone());
            self.start_parts(&launcher, &java, &dead, lost_store, context).await?;
        }
        self.prove(context).await?;
        let found = if names.is_empty() { Found::Running } else { Found::Broken(names) };
        Ok((self, found))
    }

    async fn format(&self, launcher: &Launcher, context: &Context) -> Result<()> {
        let step = context.progress.step("formatting storage");
        let mut tasks = JoinSet::new();
        for node in &self.state.nodes {
            launcher.configure(node, &self.state.nodes)?;
            let (launcher, node) = (launcher.clone(), node.clone());
            let (cluster_id, context) = (self.state.cluster_id.clone(), context.clone());
            tasks.spawn(async move { launcher.format(&node, &cluster_id, &context).await });
        }
        join(tasks).await?;
        step.done("");
        Ok(())
    }

    /// Starts these nodes, and the emulator when asked and there is one, and waits until all serve.
    ///
    /// On failure those just started are stopped.
    pub(super) async fn start_parts(
        &mut self,
        launcher: &Launcher,
        java: &Java,
        ids: &[u32],
        with_store: bool,
        context: &Context,
    ) -> Result<()> {
        let started = self.start_and_wait(launcher, java, ids, with_store, context).await;
        if started.is_err() {
            for id in ids {
                if let Some(process) = &self.state.node_mut(*id)?.process {
                    process.kill();
                }
            }
            if let (true, Store::Firestore { process: Some(process), .. }) = (with_store, &self.state.store) {
                process.kill();
            }
        }
        started
    }

    async fn start_and_wait(
        &mut self,
        launcher: &Launcher,
        java: &Java,
        ids: &[u32],
        with_store: bool,
        context: &Context,
    ) -> Result<()> {
        if let Some(file) = extra_properties() {
            context.progress.note(&format!("not as usual: with Kafka properties from {}", file.display()));
        }
        let mut tasks = JoinSet::new();
        let nodes = self.state.nodes.clone();
        for id in ids {
            let node = self.state.node_mut(*id)?;
            plan::check_ports(node).await?;
            let step = context.progress.step(format!("Kafka node {id}"));
            launcher.configure(node, &nodes)?;
            let offset = started_log_offset(&self.paths, *id);
            let process = launcher.start(node)?;
            node.process = Some(process.clone());
            let (launcher, node, context) = (launcher.clone(), node.clone(), context.clone());
            self.state.save(&self.paths)?;
            tasks.spawn(async move {
                launcher.wait(&node, &process, offset, &context).await?;
                step.done(&format!("localhost:{}, process {}", node.client_port, process.pid()));
                Ok(())
            });
        }
        if with_store && let Store::Firestore { jar, port, process } = &mut self.state.store {
            let step = context.progress.step("Firestore emulator");
            let port = *port;
            let new = firestore::start(&self.paths, java, jar, port)?;
            *process = Some(new.clone());
            self.state.save(&self.paths)?;
            let (paths, context) = (self.paths.clone(), context.clone());
            tasks.spawn(async move {
                firestore::wait(&paths, &new, port, &context).await?;
                step.done(&format!("127.0.0.1:{port}, process {}", new.pid()));
                Ok(())
            });
        }
        join(tasks).await
    }

    async fn prove(&self, context: &Context) -> Result<()> {
        let step = context.progress.step("proof: an event written and read back");
        ready::prove(&self.environment(ADMIN), context).await?;
        step.done("");
        Ok(())
    }
}

/// A random id as Kafka makes them: 16 bytes of URL-safe base64, without a leading dash, which tools take for an option.
pub(crate) fn new_cluster_id() -> String {
    loop {
        let id = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        if !id.starts_with('-') {
            return id;
        }
    }
}

/// Waits for all, or the first failure; the others are given up then.
async fn join(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(result) => result?,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return Err(Error::Interrupted),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cluster_id_looks_like_an_option() {
        assert!((0..2_000).all(|_| !new_cluster_id().starts_with('-')));
    }
}
