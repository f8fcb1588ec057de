//! One cluster, the services on it, and what they should add up to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use storepulse_analytics::store::args::StoreKind;
use storepulse_analytics::store::{Fields, SharedStore, StoreArgs, Value, open};
use storepulse_local::{Cluster, ClusterGuard, Context, Paths, StoreChoice};
use tokio::runtime::Runtime;

use crate::service::last_lines;
use crate::{Ended, Reckoning, Secrets, Service, Spec, by_hand, cleanup, http};

/// The longest a simulator may take for what a test asks of it.
const SIMULATION: Duration = Duration::from_secs(180);
/// The longest an audit waits until all is in the store; and the longest it may take from then on.
const AUDIT_WAITS: Duration = Duration::from_secs(120);
const AUDIT: Duration = Duration::from_secs(120);

/// Intervals of analytics in tests: short, so that a test waits for the system, not for its patience.
const FAST: [(&str, &str); 6] = [
    ("HOT_FLUSH_INTERVAL_MS", "200"),
    ("WARM_FLUSH_INTERVAL_MS", "1000"),
    ("COLD_FLUSH_INTERVAL_MS", "3000"),
    ("IDLE_FLUSH_MS", "1000"),
    ("SESSION_HISTORY_IDLE_SECONDS", "1"),
    ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
];

/// A local cluster and everything around it. Taken down when dropped.
#[derive(Debug)]
pub struct Pipeline {
    // Services are the scenarios' own, and gone before this.
    cluster: ClusterGuard,
    runtime: Runtime,
    context: Context,
    logs: PathBuf,
    number: u32,
    recent: Vec<PathBuf>,
    secrets: Arc<Secrets>,
    /// What was sent so far.
    pub reckoning: Reckoning,
}

/// A run of the simulator.
#[derive(Debug)]
pub struct Run {
    /// The simulator.
    pub simulator: Service,
    pub(crate) ledger: PathBuf,
}

/// What the audit says.
#[derive(Debug, Clone, Deserialize)]
pub struct Audit {
    /// Messages read from the event topic.
    pub messages: u64,
    /// Events that count.
    pub events: u64,
    /// Further copies of events.
    pub duplicates: u64,
    /// Messages that are no events.
    pub rejected: u64,
    /// Messages that were not aggregated yet.
    pub not_aggregated: i64,
    /// Documents compared.
    pub documents: usize,
    /// Histories of sessions among them.
    pub sessions: usize,
    /// Dead letters compared.
    pub dead_letters: usize,
    /// Entries of the ledger compared.
    pub ledger_entries: usize,
    /// What is not as it should be.
    pub differences: Vec<Difference>,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Difference {
    /// A document's path, and its field.
    pub subject: String,
    /// What the topics say.
    pub expected: String,
    /// What the store says.
    pub found: String,
}

impl Pipeline {
    /// Brings up a cluster under `dir`, where a run that was killed may have left one. `dir` gets the logs too.
    ///
    /// # Errors
    /// When the cluster does not come up.
    pub fn up(dir: &Path, store: StoreChoice) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let context = Context::quiet();
        let cluster_dir = dir.join("cluster");
        let logs = dir.join("logs");
        runtime.block_on(async {
            cleanup::on_signals(context.cancel.clone())?;
            Cluster::down(&Paths::find(Some(&cluster_dir))?, &context).await?;
            anyhow::Ok(())
        })?;
        let _ = std::fs::remove_dir_all(&logs);
        std::fs::create_dir_all(&logs)?;
        cleanup::cluster_in(&cluster_dir);
        let cluster = runtime.block_on(ClusterGuard::up(&cluster_dir, store, &context)).context("the cluster")?;
        let secrets = Secrets::watch();
        for principal in ["admin", "simulator", "analytics", "auditor"] {
            for (name, value) in cluster.environment(principal) {
                if name == "KAFKA_SASL_PASSWORD" {
                    secrets.add(principal, &value);
                }
            }
        }
        Ok(Self {
            cluster,
            runtime,
            context,
            logs,
            number: 0,
            recent: Vec::new(),
            secrets,
            reckoning: Reckoning::default(),
        })
    }

    /// The variables of a principal.
    pub fn environment(&self, principal: &str) -> Vec<(String, String)> {
        let own = self.cluster.environment(principal).into_iter();
        own.filter(|(name, _)| *name != "HTTP_ADDRESS").map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The state directory of the cluster.
    pub fn cluster_dir(&self) -> &Path {
        self.cluster.paths().dir()
    }

    /// The processes of the cluster that run: their names and numbers, which are those of their groups, too.
    pub fn cluster_processes(&self) -> Vec<(String, i32)> {
        self.cluster.state().processes().into_iter().map(|(name, process)| (name, process.pid())).collect()
    }

    /// The repository.
    pub fn root(&self) -> &Path {
        self.cluster.paths().root()
    }

    /// Where logs go, and whatever else a test has to put somewhere.
    pub fn dir(&self) -> &Path {
        &self.logs
    }

    /// Who looks for passwords.
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// Waits for a future.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Starts a program.
    ///
    /// # Errors
    /// When it is missing or does not start.
    pub fn start(&mut self, spec: &Spec) -> anyhow::Result<Service> {
        self.number += 1;
        let service = Service::start(spec, &self.logs, self.number, &self.secrets)?;
        self.recent.push(service.log().to_owned());
        Ok(service)
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// When it does not end within the limit.
    pub fn run(&mut self, spec: &Spec, limit: Duration) -> anyhow::Result<Ended> {
        self.start(spec)?.wait(limit)
    }

    /// How analytics is started.
    pub fn analytics_spec(&self) -> Spec {
        Spec::new("analytics").arguments(["run"]).environment(self.environment("analytics")).environment(FAST)
    }

    /// How analytics is started with fail points (see `storepulse_analytics::failpoint`), which are those of `FAILPOINTS`.
    pub fn failpoints_spec(&self, points: &str) -> Spec {
        Spec { name: "analytics-failpoints".to_owned(), ..self.analytics_spec() }.set("FAILPOINTS", points)
    }

    /// How the simulator is started: two workers, and what else is said.
    pub fn simulator_spec(&self, arguments: &[&str]) -> Spec {
        let spec = Spec::new("simulator").arguments(["--processes=2"]).arguments(arguments.iter().copied());
        spec.environment(self.environment("simulator"))
    }

    /// Starts an instance of analytics, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn analytics(&mut self) -> anyhow::Result<Service> {
        let mut service = self.start(&self.analytics_spec())?;
        service.until_ready()?;
        Ok(service)
    }

    /// Starts a run of the simulator, which keeps a ledger.
    ///
    /// # Errors
    /// When it does not start.
    pub fn simulate(&mut self, arguments: &[&str]) -> anyhow::Result<Run> {
        let ledger = self.logs.join(format!("{:03}-ledger.json", self.number + 1));
        let flag = format!("--ledger={}", ledger.display());
        let simulator = self.start(&self.simulator_spec(&[arguments, &[&flag]].concat()))?;
        Ok(Run { simulator, ledger })
    }

    /// Waits until a finite run has sent all, insists that all was acknowledged, and adds it to the reckoning.
    /// Returns the ledger's file and what is in it.
    ///
    /// # Errors
    /// When the simulator fails.
    pub fn finish(&mut self, run: Run) -> anyhow::Result<(PathBuf, Json)> {
        run.simulator.wait(SIMULATION)?.expect_code(0)?;
        self.reckon(run.ledger)
    }

    /// Ends an endless run, and does as [`Self::finish`].
    ///
    /// # Errors
    /// When the simulator fails, or does not stop in time.
    pub fn end(&mut self, run: Run) -> anyhow::Result<(PathBuf, Json)> {
        run.simulator.stop()?;
        self.reckon(run.ledger)
    }

    fn reckon(&mut self, path: PathBuf) -> anyhow::Result<(PathBuf, Json)> {
        let ledger: Json = serde_json::from_slice(&std::fs::read(&path)?)?;
        ensure!(ledger["delivery_errors"] == 0, "messages were not acknowledged: {}", ledger["delivery_errors"]);
        self.reckoning.add_ledger(&ledger)?;
        Ok((path, ledger))
    }

    /// Audits everything so far.
    ///
    /// # Errors
    /// When the audit can't be made.
    pub fn audit(&mut self, ledger: Option<&Path>) -> anyhow::Result<(Ended, Audit)> {
        self.audit_within(ledger, AUDIT_WAITS, AUDIT)
    }

    /// As [`Self::audit`], for as much as takes longer: `drain` until all is in the store, then `limit`.
    ///
    /// # Errors
    /// When the audit can't be made.
    pub fn audit_within(
        &mut self,
        ledger: Option<&Path>,
        drain: Duration,
        limit: Duration,
    ) -> anyhow::Result<(Ended, Audit)> {
        let mut spec = Spec::new("analytics")
            .arguments(["audit", "--json", "--wait-seconds", &drain.as_secs().to_string()])
            .environment(self.environment("auditor"));
        if let Some(ledger) = ledger {
            spec = spec.arguments(["--ledger", &ledger.to_string_lossy()]);
        }
        let ended = self.run(&spec, drain + limit)?;
        let audit = serde_json::from_str(&ended.stdout)
            .with_context(|| format!("the audit could not be made: {}", last_lines(&ended.stderr)))?;
        Ok((ended, audit))
    }

    /// Audits everything so far, and insists that nothing differs: neither the documents from the topics, nor the
    /// topics from what was sent, nor the shop's own document from that.
    ///
    /// # Errors
    /// What differs.
    pub fn expect_exact(&mut self, ledger: Option<&Path>) -> anyhow::Result<Audit> {
        let (ended, audit) = self.audit(ledger)?;
        let shown: Vec<_> = audit.differences.iter().take(10).collect();
        ensure!(shown.is_empty(), "{} differences, such as {shown:#?}", audit.differences.len());
        ended.expect_code(0)?;
        ensure!(audit.not_aggregated == 0, "{} messages were not aggregated", audit.not_aggregated);
        let (sent, read) = (&self.reckoning, (audit.events, audit.duplicates, audit.rejected));
        let counted = (sent.events, sent.duplicates, sent.rejected);
        ensure!(read == counted, "events, duplicates, malformed: in the topic {read:?}, sent were {counted:?}");
        ensure!(audit.dead_letters as u64 == sent.rejected, "{} dead letters", audit.dead_letters);
        // It begins with the first event that it counts.
        let shop = self.document("statistics/lifetime")?;
        for (name, sum) in &self.reckoning.shop {
            let found = shop.as_ref().and_then(|shop| counter(&shop.fields, name));
            ensure!(found == Some(*sum), "statistics/lifetime {name} is {found:?}, sent was {sum}");
        }
        Ok(audit)
    }

    /// Takes what is in the topic now for what was sent: after a simulator that could not say what it had sent, because
    /// it was killed. The documents must equal the topic, and at least `events` more than reckoned must be there.
    ///
    /// # Errors
    /// What differs.
    pub fn reckon_from_topic(&mut self, events: u64) -> anyhow::Result<()> {
        let (ended, audit) = self.audit(None)?;
        ended.expect_code(0)?;
        let least = self.reckoning.events + events;
        ensure!(audit.events >= least, "{} events are in the topic, acknowledged were {least}", audit.events);
        let (events, duplicates, rejected) = (audit.events, audit.duplicates, audit.rejected);
        let shop = self.document("statistics/lifetime")?.context("there is no statistics/lifetime")?;
        let names: Vec<String> = self.reckoning.shop.keys().cloned().collect();
        let sums = names.into_iter().map(|name| {
            let sum = counter(&shop.fields, &name).with_context(|| format!("statistics/lifetime has no {name}"))?;
            Ok((name, sum))
        });
        let shop = sums.collect::<anyhow::Result<_>>()?;
        self.reckoning = Reckoning { events, duplicates, rejected, shop };
        Ok(())
    }

    /// The address of the emulator, as `host:port`.
    ///
    /// # Errors
    /// When there is no emulator.
    pub fn store_address(&self) -> anyhow::Result<String> {
        let own = self.environment("analytics").into_iter();
        own.rev()
            .find_map(|(name, value)| (name == "FIRESTORE_EMULATOR_HOST").then_some(value))
            .context("there is no Firestore emulator")
    }

    /// The store, opened by this process.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn store(&self) -> anyhow::Result<SharedStore> {
        let environment = self.environment("auditor");
        let get =
            |name: &str| environment.iter().find(|(variable, _)| variable == name).map(|(_, value)| value.clone());
        let arguments = StoreArgs {
            store: if get("STORE").as_deref() == Some("sqlite") { StoreKind::Sqlite } else { StoreKind::Firestore },
            gcloud_project: get("GCLOUD_PROJECT"),
            google_application_credentials: None,
            firestore_emulator_host: get("FIRESTORE_EMULATOR_HOST"),
            sqlite_path: get("SQLITE_PATH").map(PathBuf::from),
        };
        Ok(self.wait(open::open(&arguments))?)
    }

    /// A document of the store.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn document(&self, path: &str) -> anyhow::Result<Option<storepulse_analytics::store::Stored>> {
        let store = self.store()?;
        let found = self.wait(async { store.read(&[path.to_owned()]).await })?;
        Ok(found.into_iter().next().flatten())
    }

    /// A document as the emulator shows it to anyone, in Firestore's JSON, without any of this project's code in between.
    /// `DELETE` removes it instead.
    ///
    /// # Errors
    /// When there is no emulator, or it does not answer with success.
    pub fn ask_firestore(&self, method: &str, path: &str) -> anyhow::Result<Json> {
        let environment = self.environment("auditor");
        let get = |name: &str| {
            let found = environment.iter().find(|(variable, _)| variable == name);
            found.map(|(_, value)| value.as_str()).with_context(|| format!("{name} is not known"))
        };
        // What is escaped in a path once is escaped in a URL twice.
        let path = path.replace('%', "%25");
        let url = format!("/v1/projects/{}/databases/(default)/documents/{path}", get("GCLOUD_PROJECT")?);
        let (status, body) =
            http::ask(method, get("FIRESTORE_EMULATOR_HOST")?, &url).context("the emulator does not answer")?;
        ensure!(status == 200, "{method} {path}: the emulator answers {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    /// Copies the logs of the cluster's parts to the others'.
    pub fn keep_cluster_logs(&self) {
        let parts = ["kafka-1/server.log", "kafka-2/server.log", "kafka-3/server.log", "firestore/firestore.log"];
        for part in parts {
            // Best effort: there is a failure to tell about already.
            let _ = std::fs::copy(self.cluster_dir().join(part), self.logs.join(part.replace('/', "-")));
        }
    }

    /// Kills a broker.
    ///
    /// # Errors
    /// When it was not running.
    pub fn kill_broker(&mut self, id: u32) -> anyhow::Result<()> {
        let killed = self.runtime.block_on(self.cluster.kill_broker(id, &self.context))?;
        ensure!(killed == storepulse_local::Stopped::Killed, "broker {id} was not running");
        Ok(())
    }

    /// Stops a broker as an operator would: its partitions move first.
    ///
    /// # Errors
    /// When it was not running.
    pub fn stop_broker(&mut self, id: u32) -> anyhow::Result<()> {
        let stopped = self.runtime.block_on(self.cluster.stop_broker(id, &self.context))?;
        ensure!(stopped != storepulse_local::Stopped::WasDead, "broker {id} was not running");
        Ok(())
    }

    /// Starts a broker again, and waits until it serves.
    ///
    /// # Errors
    /// When it does not.
    pub fn start_broker(&mut self, id: u32) -> anyhow::Result<()> {
        self.runtime.block_on(self.cluster.start_broker(id, &self.context))?;
        Ok(())
    }

    /// Makes the Firestore emulator hang, or go on.
    ///
    /// # Errors
    /// When there is no emulator.
    pub fn pause_store(&mut self, pause: bool) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(self.cluster.pause_firestore(pause, &self.context))?)
    }

    /// Gives back what a scenario that failed may have taken away, so that the next one begins with a whole cluster.
    ///
    /// # Errors
    /// When a part does not come back.
    pub fn heal(&mut self) -> anyhow::Result<()> {
        self.recent.clear();
        if matches!(self.cluster.state().store, storepulse_local::Store::Firestore { .. }) {
            self.pause_store(false)?;
        }
        for id in 1..=3 {
            self.start_broker(id)?;
        }
        let admin = self.environment("admin");
        self.wait(by_hand::give_back(&admin))
    }

    /// The ends of the logs of the last few processes started since the last [`Self::heal`].
    pub fn recent_logs(&self) -> String {
        const SHOWN: usize = 5;
        let shown = &self.recent[self.recent.len().saturating_sub(SHOWN)..];
        let ends = shown.iter().map(|log| {
            let text = std::fs::read(log).unwrap_or_default();
            format!("--- {}\n{}\n", log.display(), last_lines(&String::from_utf8_lossy(&text)))
        });
        ends.collect()
    }
}

/// A counter of a document, amounts in minor units, by its name in a ledger.
pub fn counter(fields: &Fields, name: &str) -> Option<i64> {
    match (fields.get(name.strip_suffix("_minor").unwrap_or(name))?, name.ends_with("_minor")) {
        (Value::Integer(n), false) => Some(*n),
        (Value::Double(units), true) => Some((units * 100.0).round() as i64),
        _ => None,
    }
}
