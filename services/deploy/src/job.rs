//! A short-lived Job: made, waited for, read, removed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::object::{Reference, list, number, text};
use crate::readiness::trouble;
use crate::wait;

/// How often its pod is looked at.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a pod may take to start: images are there already.
const START: Duration = Duration::from_secs(120);

/// What a Job is to do.
pub struct Job<'a> {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its image.
    pub image: &'a str,
    /// What the network policies know its pod by.
    pub labels: Value,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment of the container: `env` and `envFrom`.
    pub environment: Value,
    /// Volumes: name, mount path, and the volume itself.
    pub volumes: Vec<(String, String, Value)>,
    /// The most memory it may take, as Kubernetes writes it.
    pub memory: &'static str,
    /// The longest it may run.
    pub limit: Duration,
}

/// How it ended.
pub struct Ended {
    /// The exit code of its only container.
    pub code: i64,
    /// When it ended, RFC 3339.
    pub finished_at: String,
    /// All it wrote.
    pub log: String,
}

impl Job<'_> {
    fn manifest(&self) -> Value {
        let mut labels = self.labels.clone();
        labels["app.kubernetes.io/part-of"] = "storepulse".into();
        labels["storepulse.io/job"] = self.name.as_str().into();
        let mounts: Vec<Value> = self
            .volumes
            .iter()
            .map(|(name, path, _)| json!({ "name": name, "mountPath": path, "readOnly": true }))
            .collect();
        let volumes: Vec<Value> = self
            .volumes
            .iter()
            .map(|(name, _, volume)| {
                let mut volume = volume.clone();
                volume["name"] = name.as_str().into();
                volume
            })
            .collect();
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": { "name": self.name, "namespace": self.namespace,
                          "labels": { "app.kubernetes.io/part-of": "storepulse" } },
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": self.limit.as_secs(),
                // In case nobody is left to remove it.
                "ttlSecondsAfterFinished": 600,
                "template": {
                    "metadata": { "labels": labels },
                    "spec": {
                        "restartPolicy": "Never",
                        "automountServiceAccountToken": false,
                        "enableServiceLinks": false,
                        "securityContext": {
                            "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
                            "seccompProfile": { "type": "RuntimeDefault" },
                        },
                        "containers": [{
                            "name": "job", "image": self.image, "imagePullPolicy": "IfNotPresent",
                            "command": self.command,
                            "env": self.environment.get("env").cloned().unwrap_or_else(|| json!([])),
                            "envFrom": self.environment.get("envFrom").cloned().unwrap_or_else(|| json!([])),
                            "resources": { "requests": { "cpu": "50m", "memory": "64Mi" },
                                           "limits": { "memory": self.memory } },
                            "securityContext": { "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                                                 "capabilities": { "drop": ["ALL"] } },
                            "volumeMounts": mounts,
                        }],
                        "volumes": volumes,
                    },
                },
            },
        })
    }

    /// Runs it to its end and removes it.
    ///
    /// # Errors
    /// It could not be started, or did not end in time.
    pub async fn run(&self, cluster: &Cluster) -> Result<Ended> {
        let at = Reference::new("batch/v1", "Job", self.namespace, &self.name);
        cluster.create(&self.manifest()).await?;
        let ended = self.until_the_end(cluster).await;
        let removed = cluster.delete(&at).await;
        let ended = ended?;
        removed?;
        Ok(ended)
    }

    async fn until_the_end(&self, cluster: &Cluster) -> Result<Ended> {
        let started = Instant::now();
        let selector = format!("storepulse.io/job={}", self.name);
        loop {
            let pods = cluster.list("v1", "Pod", self.namespace, &selector).await?;
            if let Some(pod) = pods.first() {
                let terminated = "/status/containerStatuses/0/state/terminated";
                if pod.pointer(terminated).is_some() {
                    let log = cluster.logs(self.namespace, text(pod, "/metadata/name"), None).await?;
                    let finished_at = text(pod, &format!("{terminated}/finishedAt")).to_owned();
                    return Ok(Ended { code: number(pod, &format!("{terminated}/exitCode")), finished_at, log });
                }
            }
            let runs = pods.first().is_some_and(|pod| text(pod, "/status/phase") == "Running");
            if started.elapsed() > if runs { self.limit } else { START.min(self.limit) } {
                let why = pods.first().and_then(trouble).unwrap_or_else(|| "it did not end".to_owned());
                let mut lines =
                    vec![format!("the job {} was given up after {} s: {why}", self.name, started.elapsed().as_secs())];
                lines.extend(wait::diagnose(cluster, self.namespace).await);
                return Err(Error::NotReady(lines.join("\n  ")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The only container of a Deployment that is there: jobs use its image and its settings.
///
/// # Errors
/// There is no such Deployment.
pub async fn container_of(cluster: &Cluster, namespace: &str, deployment: &str) -> Result<Value> {
    let at = Reference::new("apps/v1", "Deployment", namespace, deployment);
    let found = cluster.get(&at).await?;
    let container = found.as_ref().and_then(|found| list(found, "/spec/template/spec/containers").first());
    container.cloned().ok_or_else(|| {
        Error::Cluster(format!(
            "there is no Deployment {deployment} in namespace {namespace}: `storepulse-deploy up` makes it"
        ))
    })
}

/// Where a principal's papers are mounted from: password, certificate, key, and the brokers' authority.
pub fn papers(principal: &str, kafka: &str) -> Value {
    json!({ "projected": { "defaultMode": 0o440, "sources": [
        { "secret": { "name": principal, "items": [{ "key": "password", "path": "password" }] } },
        { "secret": { "name": format!("{principal}-tls"),
                      "items": [{ "key": "user.crt", "path": "user.crt" }, { "key": "user.key", "path": "user.key" }] } },
        { "secret": { "name": format!("{kafka}-cluster-ca-cert"), "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
    ] } })
}

/// A name that no other run has.
///
/// # Errors
/// The system has no random numbers.
pub fn unique(prefix: &str) -> Result<String> {
    let mut bytes = [0_u8; 4];
    getrandom::fill(&mut bytes).map_err(|error| Error::Cluster(format!("no random numbers: {error}")))?;
    Ok(format!("{prefix}-{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}
