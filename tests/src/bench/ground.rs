//! The cluster, and the programs on it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::sys::statvfs::statvfs;
use storepulse_analytics::store::args::StoreKind;
use storepulse_analytics::store::{SharedStore, StoreArgs, open};
use storepulse_local::{Cluster, Context, Paths, ProcessId, Progress, Store, StoreChoice};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::options::Options;
use super::{say, topic};
use crate::{Secrets, Service, Spec, cleanup, wait};

/// A secured cluster of three brokers. Taken down when dropped, unless it is to be kept.
#[derive(Debug)]
pub struct Ground {
    cluster: Cluster,
    runtime: Runtime,
    context: Context,
    programs: Programs,
    keep: bool,
}

/// Starts programs, and keeps their logs.
#[derive(Debug)]
pub struct Programs {
    logs: PathBuf,
    number: u32,
    secrets: Arc<Secrets>,
}

impl Programs {
    /// Removes the logs of the run before.
    ///
    /// # Errors
    /// When there is no place for logs.
    pub fn new() -> anyhow::Result<Self> {
        let logs = own_dir()?.join("logs");
        let _ = std::fs::remove_dir_all(&logs);
        std::fs::create_dir_all(&logs)?;
        say(format!("logs of the programs are in {}", logs.display()));
        Ok(Self { logs, number: 0, secrets: Arc::default() })
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

    /// Runs a program of others to its end; its output goes to a file. Returns what it wrote to standard output.
    ///
    /// # Errors
    /// When it fails, or takes longer than `limit`.
    pub fn run(&mut self, name: &str, mut command: Command, limit: Duration) -> anyhow::Result<String> {
        self.number += 1;
        let log = |ending: &str| self.logs.join(format!("{:03}-{name}.{ending}", self.number));
        let (out, err) = (log("out"), log("log"));
        command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?).process_group(0);
        let mut child = None;
        let group = cleanup::started(|| -> anyhow::Result<i32> {
            let started = command.spawn().with_context(|| format!("starting {name}"))?;
            let group = i32::try_from(started.id())?;
            child = Some(started);
            Ok(group)
        })?;
        let mut child = child.context("no process")?;
        let ended = wait::until(&format!("{name} has ended"), limit, || match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(format!("{other:?}")),
        });
        if ended.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        cleanup::ended(group);
        let status = ended?;
        ensure!(status.success(), "{name} ended with {status}; its log is {}", err.display());
        Ok(std::fs::read_to_string(&out)?)
    }
}

/// Where this program keeps what it needs for a while: beside the build.
fn own_dir() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program")?;
    let target = own.ancestors().nth(2).context("this program is in no directory")?;
    Ok(target.join("tmp/bench"))
}

/// Makes sure that the disk takes all topics of a run; brokers that find it full end, and nothing says why.
fn room(dir: &Path, events: u64) -> anyhow::Result<()> {
    /// Three copies of the narrow and of the wide stream, and of the changes that they lead to; seen: 13 GB for 4,000,000.
    const BYTES_AN_EVENT: u64 = 4_000;
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let disk = statvfs(dir).with_context(|| format!("asking for the space at {}", dir.display()))?;
    let (free, needed) = (disk.blocks_available() * disk.fragment_size(), events * BYTES_AN_EVENT);
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    ensure!(
        free >= needed,
        "{} has {:.1} GiB free, and {events} events need up to {:.1} (fewer: --events)",
        dir.display(),
        gib(free),
        gib(needed)
    );
    Ok(())
}

impl Ground {
    /// Brings up a cluster of its own, or finds the one that is to be kept.
    ///
    /// # Errors
    /// When the cluster does not come up.
    pub fn up(options: &Options, programs: Programs) -> anyhow::Result<Self> {
        let keep = options.keep_cluster.is_some();
        let cluster_dir = options.keep_cluster.clone().unwrap_or(own_dir()?.join("cluster"));
        let paths = Paths::find(Some(&cluster_dir))?;
        if !keep {
            room(&own_dir()?, options.events)?;
        }
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
        let admin: Vec<(String, String)> =
            cluster.environment("admin").into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        runtime.block_on(topic::allow(&admin)).context("allowing topics of one measurement")?;
        let ground = Self { cluster, runtime, context, programs, keep };
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

    /// The emulator's process number and address, where there is one.
    pub fn emulator(&self) -> Option<(u32, String)> {
        match &self.cluster.state().store {
            Store::Firestore { port, process, .. } => Some((pid(process.as_ref()?)?, format!("127.0.0.1:{port}"))),
            Store::Sqlite { .. } => None,
        }
    }

    /// Starts the emulator anew, empty: it keeps what is deleted in its memory, which is soon full.
    ///
    /// # Errors
    /// When there is no emulator, or it does not start.
    pub fn fresh_emulator(&mut self) -> anyhow::Result<u32> {
        let (cluster, context) = (&mut self.cluster, &self.context);
        self.runtime.block_on(async {
            cluster.stop_firestore(context).await?;
            cluster.start_firestore(context).await
        })?;
        let (pid, _) = self.emulator().context("there is no Firestore emulator")?;
        Ok(pid)
    }

    /// The documents of one of the emulator's projects.
    ///
    /// # Errors
    /// When there is no emulator, or it does not answer.
    pub fn store(&self, project: &str) -> anyhow::Result<SharedStore> {
        let (_, address) = self.emulator().context("there is no Firestore emulator")?;
        let arguments = StoreArgs {
            store: StoreKind::Firestore,
            gcloud_project: Some(project.to_owned()),
            google_application_credentials: None,
            firestore_emulator_host: Some(address),
            sqlite_path: None,
        };
        Ok(self.wait(open::open(&arguments))?)
    }

    /// Waits for a future.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The repository.
    pub fn paths(&self) -> &Paths {
        self.cluster.paths()
    }

    /// Starts programs.
    pub fn programs(&mut self) -> &mut Programs {
        &mut self.programs
    }

    /// Starts a program.
    ///
    /// # Errors
    /// When it is missing or does not start.
    pub fn start(&mut self, spec: &Spec) -> anyhow::Result<Service> {
        self.programs.start(spec)
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
