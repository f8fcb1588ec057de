//! Waits for real conditions, with a time limit; and when something does not become ready, says why.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::object::{Reference, number, text};
use crate::progress::Progress;
use crate::readiness::{State, state, trouble};

/// How often the cluster is asked.
const PAUSE: Duration = Duration::from_secs(2);
/// How often a wait says what it waits for.
const SAY: Duration = Duration::from_secs(20);
/// How many times in a row the API server may fail to answer.
const LAPSES: u32 = 5;

/// The label of Kafka's nodes.
const NODES: &str = "strimzi.io/name";

/// Something to wait for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Goal {
    /// An object is ready.
    Object(Reference),
    /// So many nodes of a Kafka cluster are ready: the cluster's own word may be older than they are.
    Nodes {
        /// The namespace.
        namespace: String,
        /// The Kafka cluster's name.
        kafka: String,
        /// How many.
        wanted: usize,
    },
    /// A Secret that somebody else makes is there.
    Secret(Reference),
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Object(at) | Self::Secret(at) => at.fmt(f),
            Self::Nodes { wanted, .. } => write!(f, "the {wanted} nodes of Kafka"),
        }
    }
}

impl Goal {
    /// How far it is.
    ///
    /// # Errors
    /// The API server refuses or does not answer.
    pub async fn state(&self, cluster: &Cluster) -> Result<State> {
        Ok(match self {
            Self::Object(at) => match cluster.get(at).await? {
                Some(object) => state(&object),
                None => State::Waiting("it is not there".to_owned()),
            },
            Self::Secret(at) => match cluster.get(at).await? {
                Some(_) => State::Ready,
                None => State::Waiting("nobody has made it yet".to_owned()),
            },
            Self::Nodes { namespace, kafka, wanted } => {
                let selector = format!("strimzi.io/cluster={kafka},{NODES}={kafka}-kafka");
                let pods = cluster.list("v1", "Pod", namespace, &selector).await?;
                let unready: Vec<_> = pods.iter().filter(|pod| state(pod) != State::Ready).collect();
                match (pods.len().saturating_sub(unready.len()), unready.first()) {
                    (ready, _) if ready >= *wanted => State::Ready,
                    (ready, Some(pod)) => {
                        let (name, why) =
                            (text(pod, "/metadata/name"), trouble(pod).unwrap_or_else(|| "starting".into()));
                        State::Waiting(format!("{ready} of {wanted} are ready; {name}: {why}"))
                    }
                    (ready, None) => State::Waiting(format!("{ready} of {wanted} are there")),
                }
            }
        })
    }
}

/// Waits until all goals are reached.
///
/// # Errors
/// One of them fails, or the time is over: the error has a paragraph for each that is not ready.
pub async fn all(
    cluster: &Cluster,
    namespace: &str,
    goals: &[Goal],
    limit: Duration,
    progress: &Progress,
) -> Result<()> {
    let started = Instant::now();
    let mut reached = BTreeSet::new();
    let (mut said, mut lapses) = (Instant::now(), 0);
    loop {
        let mut open = Vec::new();
        let mut failed = false;
        for goal in goals.iter().filter(|goal| !reached.contains(*goal)).collect::<Vec<_>>() {
            match goal.state(cluster).await {
                Ok(State::Ready) => {
                    progress.done(&goal.to_string());
                    reached.insert(goal.clone());
                }
                Ok(State::Waiting(why)) => open.push((goal, why)),
                Ok(State::Failed(why)) => {
                    failed = true;
                    open.push((goal, why));
                }
                Err(error @ Error::Refused { .. }) => return Err(error),
                Err(error) if lapses >= LAPSES => return Err(error),
                Err(error) => {
                    lapses += 1;
                    open.push((goal, error.to_string()));
                }
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        if failed || started.elapsed() >= limit {
            return Err(Error::NotReady(explain(cluster, namespace, &open, failed, limit).await));
        }
        if said.elapsed() >= SAY {
            let (goal, why) = &open[0];
            let more = if open.len() > 1 { format!(" (and {} more)", open.len() - 1) } else { String::new() };
            progress.note(&format!("waiting for {goal}: {why}{more}"));
            said = Instant::now();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn explain(
    cluster: &Cluster,
    namespace: &str,
    open: &[(&Goal, String)],
    failed: bool,
    limit: Duration,
) -> String {
    let mut lines = vec![match failed {
        true => "something will not become ready:".to_owned(),
        false => format!("not ready after {} s; the next run goes on from here:", limit.as_secs()),
    }];
    lines.extend(open.iter().map(|(goal, why)| format!("  {goal}: {why}")));
    lines.extend(diagnose(cluster, namespace).await.into_iter().map(|line| format!("  {line}")));
    if open.iter().any(|(_, why)| why.contains("no operator")) {
        lines.push(format!(
            "  is the Strimzi operator running, and does it watch namespace {namespace}? `scripts/k8s-start.sh` installs it"
        ));
    }
    lines.join("\n")
}

/// What is wrong with the pods of a namespace, and the latest warnings.
pub async fn diagnose(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let pods = cluster.list("v1", "Pod", namespace, "").await.unwrap_or_default();
    for pod in pods.iter().filter(|pod| text(pod, "/status/phase") != "Succeeded" && state(pod) != State::Ready) {
        let name = text(pod, "/metadata/name");
        let why = trouble(pod).unwrap_or_else(|| text(pod, "/status/phase").to_lowercase());
        lines.push(format!("pod {name}: {why}"));
        let restarted = number(pod, "/status/containerStatuses/0/restartCount") > 0;
        if restarted || why.contains("exit code") {
            // Services write no secrets to their logs.
            let log = cluster.logs(namespace, name, Some(3)).await.unwrap_or_default();
            lines.extend(log.lines().map(|line| format!("  its log: {line}")));
        }
    }
    let mut events = cluster.list("v1", "Event", namespace, "").await.unwrap_or_default();
    events.retain(|event| text(event, "/type") == "Warning");
    events.sort_by_key(|event| text(event, "/lastTimestamp").to_owned());
    for event in events.iter().rev().take(5) {
        let (kind, name) = (text(event, "/involvedObject/kind"), text(event, "/involvedObject/name"));
        let message = text(event, "/message").lines().next().unwrap_or_default();
        lines.push(format!("event: {kind} {name}: {}: {message}", text(event, "/reason")));
    }
    lines
}

/// Waits until an object is gone. Says false when it is still there after `limit`.
///
/// # Errors
/// The API server refuses or does not answer.
pub async fn gone(cluster: &Cluster, at: &Reference, limit: Duration) -> Result<bool> {
    let started = Instant::now();
    while cluster.get(at).await?.is_some() {
        if started.elapsed() >= limit {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(true)
}

/// The goals of a set of objects: that each is ready, that Kafka's nodes are, and that users have their secrets.
pub fn goals(objects: &[Value], namespace: &str) -> Vec<Goal> {
    let mut goals = Vec::new();
    let nodes: i64 = objects
        .iter()
        .filter(|object| text(object, "/kind") == "KafkaNodePool")
        .map(|pool| number(pool, "/spec/replicas"))
        .sum();
    for object in objects {
        let Some(at) = Reference::of(object) else { continue };
        match at.kind.as_str() {
            "Kafka" => {
                let (namespace, kafka) = (namespace.to_owned(), at.name.clone());
                goals.push(Goal::Object(at));
                goals.push(Goal::Nodes { namespace, kafka, wanted: usize::try_from(nodes).unwrap_or_default() });
            }
            "KafkaUser" => {
                let secret = Reference::new("v1", "Secret", namespace, &at.name);
                goals.push(Goal::Object(at));
                goals.push(Goal::Secret(secret));
            }
            "KafkaTopic" | "Deployment" => goals.push(Goal::Object(at)),
            _ => {}
        }
    }
    goals
}
