//! Pods of three roles try to reach everything in the namespace, and some things outside. A role is what the policies
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

/// A role, and whom it may reach.
struct Role {
    name: &'static str,
    labels: Value,
    kafka: bool,
    store: bool,
}

/// What there is to reach.
struct Targets {
    /// Kafka's listener for clients, through its Service and at each broker.
    clients: Vec<(String, String)>,
    /// The store's emulator, where there is one.
    store: Option<String>,
    /// What no role may reach.
    forbidden: Vec<(String, String)>,
}

/// Probes.
pub(super) async fn probe(cluster: &Cluster, manifests: &Manifests, image: &str) -> Result<Vec<Line>> {
    let targets = Targets::find(cluster, manifests).await?;
    let yes = "true";
    let roles = [
        Role { name: "a stranger", labels: json!({}), kafka: false, store: false },
        Role {
            name: "a Kafka client",
            labels: json!({ "storepulse.io/kafka-client": yes }),
            kafka: true,
            store: false,
        },
        Role {
            name: "a store client",
            labels: json!({ "storepulse.io/store-client": yes }),
            kafka: false,
            store: true,
        },
    ];
    let mut lines = Vec::new();
    for role in roles {
        let probes = targets.probes(&role);
        let mut command = vec!["/usr/local/bin/storepulse-deploy".to_owned(), "probe".to_owned()];
        command.extend(probes.iter().map(ToString::to_string));
        let job = Job {
            name: unique("verify-network")?,
            namespace: &manifests.namespace,
            image,
            labels: role.labels.clone(),
            command,
            environment: json!({}),
            volumes: Vec::new(),
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
        let mut clients = vec![("kafka".to_owned(), format!("{kafka}-kafka-bootstrap.{namespace}.svc:9093"))];
        let mut forbidden = Vec::new();
        let selector = format!("strimzi.io/cluster={kafka},strimzi.io/name={kafka}-kafka");
        for pod in cluster.list("v1", "Pod", namespace, &selector).await? {
            let (name, ip) = (text(&pod, "/metadata/name"), text(&pod, "/status/podIP"));
            if ip.is_empty() {
                continue;
            }
            let is_broker = text(&pod, "/metadata/labels/strimzi.io~1broker-role") != "false";
            if is_broker {
                clients.push((name.to_owned(), address(ip, 9093)));
                forbidden.push((format!("{name}, replication"), address(ip, 9091)));
            }
            forbidden.push((format!("{name}, control plane"), address(ip, 9090)));
        }
        let mut store = None;
        for (service, port) in [("analytics", 9102), ("simulator", 9101), ("firestore-emulator", 8080)] {
            let selector = format!("app.kubernetes.io/name={service}");
            let pods = cluster.list("v1", "Pod", namespace, &selector).await?;
            let running = pods.iter().find(|pod| text(pod, "/status/phase") == "Running");
            let Some(ip) = running.map(|pod| text(pod, "/status/podIP")).filter(|ip| !ip.is_empty()) else { continue };
            match service {
                "firestore-emulator" => store = Some(address(ip, port)),
                _ => forbidden.push((format!("{service}, metrics"), address(ip, port))),
            }
        }
        // Something of another namespace that listens everywhere. (The API server won't do: a node may always be reached
        // from the pods on it.)
        let names = cluster.list("v1", "Pod", "kube-system", "k8s-app=kube-dns").await?;
        if let Some(ip) = names.first().map(|pod| text(pod, "/status/podIP")).filter(|ip| !ip.is_empty()) {
            forbidden.push(("another namespace".to_owned(), address(ip, 8181)));
        }
        Ok(Self { clients, store, forbidden })
    }

    fn probes(&self, role: &Role) -> Vec<Probe> {
        let expect = |may| if may { Expected::Open } else { Expected::Closed };
        let probe = |(name, target): &(String, String), expected| Probe {
            name: name.clone(),
            target: target.clone(),
            expected,
        };
        let clients = self.clients.iter().map(|at| probe(at, expect(role.kafka)));
        let store =
            self.store.iter().map(|target| probe(&("the store".to_owned(), target.clone()), expect(role.store)));
        let forbidden = self.forbidden.iter().map(|at| probe(at, Expected::Closed));
        clients.chain(store).chain(forbidden).collect()
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
        let at = |name: &str| (name.to_owned(), format!("{name}:1"));
        let targets = Targets { clients: vec![at("kafka")], store: Some("store:1".into()), forbidden: vec![at("api")] };
        let role = Role { name: "r", labels: json!({}), kafka: true, store: false };
        let expected: Vec<_> = targets.probes(&role).iter().map(ToString::to_string).collect();
        assert_eq!(expected, ["kafka=kafka:1=open", "the store=store:1=closed", "api=api:1=closed"]);
        assert_eq!(address("fd00::1", 1), "[fd00::1]:1");
    }
}
