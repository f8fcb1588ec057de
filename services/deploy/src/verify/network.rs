//! Pods of several roles try to reach everything in the namespace, and some things outside. A role is what the policies
//! select by: labels.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Line, Verdict};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::job::{Job, unique};
use crate::manifests::Manifests;
use crate::object::text;
use crate::probe::{Expected, Found, Probe};

/// What a role may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Kafka's listener for clients, through its Service and at each broker.
    Kafka,
    /// The store's emulator, where there is one.
    Store,
    /// The metrics that the dashboard reads.
    Metrics,
    /// The dashboard's page.
    Dashboard,
    /// What no role may reach.
    Nobody,
}

/// A role, which is a label, and its only door.
struct Role {
    name: &'static str,
    label: Option<&'static str>,
    door: Option<Door>,
}

const ROLES: [Role; 5] = [
    Role { name: "a stranger", label: None, door: None },
    Role { name: "a Kafka client", label: Some("storepulse.io/kafka-client"), door: Some(Door::Kafka) },
    Role { name: "a store client", label: Some("storepulse.io/store-client"), door: Some(Door::Store) },
    Role { name: "a reader of metrics", label: Some("storepulse.io/metrics-reader"), door: Some(Door::Metrics) },
    Role {
        name: "a client of the dashboard",
        label: Some("storepulse.io/dashboard-client"),
        door: Some(Door::Dashboard),
    },
];

/// What there is to reach: whose door, its name, its address.
struct Targets(Vec<(Door, String, String)>);

/// Probes.
pub(super) async fn probe(cluster: &Cluster, manifests: &Manifests, image: &str) -> Result<Vec<Line>> {
    let targets = Targets::find(cluster, manifests).await?;
    let mut lines = Vec::new();
    for role in ROLES {
        let probes = targets.probes(&role);
        let mut command = vec!["/usr/local/bin/storepulse-deploy".to_owned(), "probe".to_owned()];
        command.extend(probes.iter().map(ToString::to_string));
        let job = Job {
            name: unique("verify-network")?,
            namespace: &manifests.namespace,
            image,
            labels: role.labels(),
            command,
            environment: json!({}),
            volumes: Vec::new(),
            memory: "512Mi",
            limit: Duration::from_secs(120),
        };
        let ended = job.run(cluster).await?;
        let found: Vec<Found> = ended.log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        lines.extend(
            probes.iter().map(|probe| judge(role.name, probe, found.iter().find(|found| found.name == probe.name))),
        );
    }
    Ok(lines)
}

fn judge(role: &str, probe: &Probe, found: Option<&Found>) -> Line {
    let (seen, verdict) = match found {
        Some(found) if !found.tried => (found.answer.clone(), Verdict::Unproven),
        Some(found) if found.open == (probe.expected == Expected::Open) => (found.answer.clone(), Verdict::Held),
        Some(found) if found.open => (format!("{role} can connect to {}", probe.target), Verdict::Hole),
        Some(found) => (format!("it should be let through to {}: {}", probe.target, found.answer), Verdict::Unproven),
        None => ("the probe gave no answer".to_owned(), Verdict::Unproven),
    };
    Line { part: "network", name: format!("{role} → {}", probe.name), seen, verdict }
}

impl Targets {
    async fn find(cluster: &Cluster, manifests: &Manifests) -> Result<Self> {
        let (namespace, kafka) = (manifests.namespace.as_str(), manifests.kafka()?);
        let mut all = Vec::new();
        let mut add = |door, name: String, target| all.push((door, name, target));
        add(Door::Kafka, "kafka".to_owned(), format!("{kafka}-kafka-bootstrap.{namespace}.svc:9093"));
        let selector = format!("strimzi.io/cluster={kafka},strimzi.io/name={kafka}-kafka");
        for pod in cluster.list("v1", "Pod", namespace, &selector).await? {
            let (name, ip) = (text(&pod, "/metadata/name"), text(&pod, "/status/podIP"));
            if ip.is_empty() {
                continue;
            }
            let is_broker = text(&pod, "/metadata/labels/strimzi.io~1broker-role") != "false";
            if is_broker {
                add(Door::Kafka, name.to_owned(), address(ip, 9093));
                add(Door::Nobody, format!("{name}, replication"), address(ip, 9091));
            }
            add(Door::Nobody, format!("{name}, control plane"), address(ip, 9090));
        }
        for (service, what, port, door) in [
            ("firestore-emulator", "the store", 8080, Door::Store),
            ("analytics", "analytics, metrics", 9102, Door::Metrics),
            ("simulator", "simulator, metrics", 9101, Door::Metrics),
            ("dashboard", "the dashboard", 8800, Door::Dashboard),
            ("dashboard", "dashboard, metrics", 9103, Door::Nobody),
        ] {
            let selector = format!("app.kubernetes.io/name={service}");
            let pods = cluster.list("v1", "Pod", namespace, &selector).await?;
            let running = pods.iter().find(|pod| text(pod, "/status/phase") == "Running");
            let Some(ip) = running.map(|pod| text(pod, "/status/podIP")).filter(|ip| !ip.is_empty()) else { continue };
            add(door, what.to_owned(), address(ip, port));
        }
        // Something of another namespace that listens everywhere. (The API server won't do: a node may always be reached
        // from the pods on it.)
        let names = cluster.list("v1", "Pod", "kube-system", "k8s-app=kube-dns").await?;
        if let Some(ip) = names.first().map(|pod| text(pod, "/status/podIP")).filter(|ip| !ip.is_empty()) {
            add(Door::Nobody, "another namespace".to_owned(), address(ip, 8181));
        }
        Ok(Self(all))
    }

    fn probes(&self, role: &Role) -> Vec<Probe> {
        let all = self.0.iter().map(|(door, name, target)| {
            let expected = if role.door == Some(*door) { Expected::Open } else { Expected::Closed };
            Probe { name: name.clone(), target: target.clone(), expected }
        });
        all.collect()
    }
}

impl Role {
    fn labels(&self) -> Value {
        self.label.map_or_else(|| json!({}), |label| json!({ label: "true" }))
    }
}

fn address(ip: &str, port: u16) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(open: bool, tried: bool) -> Found {
        let expected = Expected::Closed;
        Found { name: "n".into(), target: "t:1".into(), expected, answer: "answer".into(), open, tried }
    }

    #[test]
    fn a_connection_that_should_not_be_is_a_hole() {
        let probe = |expected| Probe { name: "n".into(), target: "t:1".into(), expected };
        let verdict = |expected, found: Option<&Found>| judge("a stranger", &probe(expected), found).verdict;
        assert_eq!(verdict(Expected::Closed, Some(&found(true, true))), Verdict::Hole);
        assert_eq!(verdict(Expected::Closed, Some(&found(false, true))), Verdict::Held);
        assert_eq!(verdict(Expected::Open, Some(&found(true, true))), Verdict::Held);
        assert_eq!(verdict(Expected::Open, Some(&found(false, true))), Verdict::Unproven);
        assert_eq!(verdict(Expected::Closed, Some(&found(false, false))), Verdict::Unproven);
        assert_eq!(verdict(Expected::Closed, None), Verdict::Unproven);
    }

    #[test]
    fn each_role_is_tried_at_every_door() {
        let at = |door, name: &str| (door, name.to_owned(), format!("{name}:1"));
        let targets = Targets(vec![at(Door::Kafka, "kafka"), at(Door::Store, "store"), at(Door::Nobody, "api")]);
        let expected = |role: &Role| targets.probes(role).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(expected(&ROLES[1]), ["kafka=kafka:1=open", "store=store:1=closed", "api=api:1=closed"]);
        assert!(expected(&ROLES[0]).iter().all(|probe| probe.ends_with("=closed")));
        assert_eq!(ROLES[1].labels(), json!({ "storepulse.io/kafka-client": "true" }));
        assert_eq!(address("fd00::1", 1), "[fd00::1]:1");
    }
}
