//! The attackers, as a Job: Kafka clients with the papers of every principal, and forged ones.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Line, Verdict, papers};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::job::{self, Job, unique};
use crate::manifests::Manifests;
use crate::object::{Reference, text};

/// Who the attackers can be: their file of settings, and the KafkaUser.
const PRINCIPALS: [(&str, &str); 4] =
    [("simulator", "simulator"), ("analytics", "analytics"), ("auditor", "auditor"), ("admin", "verifier")];
/// Attacks that need a certificate of the real authority, made to be wrong. Only the operator has its key, and nobody
/// should take it out of there for a test.
const LEFT_OUT: &str = "expired-certificate,wrong-host,wrong-host-librdkafka";
const PAPERS: &str = "/papers";

/// Attacks; gives the attackers' own table, and what follows.
pub(super) async fn attack(cluster: &Cluster, manifests: &Manifests, image: &str) -> Result<(String, Line)> {
    let (namespace, kafka) = (manifests.namespace.as_str(), manifests.kafka()?);
    let at = Reference::new("v1", "Secret", namespace, &format!("{kafka}-clients-ca-cert"));
    let authority = cluster.get(&at).await?;
    let authority = authority
        .ok_or_else(|| Error::Cluster(format!("{at} is missing: is Kafka ready? (storepulse-deploy status)")))?;
    let name = unique("verify-attackers")?;
    let labels = json!({ "app.kubernetes.io/part-of": "storepulse" });
    let metadata = json!({ "name": name, "namespace": namespace, "labels": labels });
    let brokers = brokers(cluster, namespace, &kafka).await?;
    let settings = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": settings(&brokers) });
    let forged =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": papers::forge(&authority)? });

    let mut volumes = vec![
        ("settings".to_owned(), format!("{PAPERS}/settings"), json!({ "configMap": { "name": name } })),
        (
            "forged".to_owned(),
            format!("{PAPERS}/forged"),
            json!({ "secret": { "secretName": name, "defaultMode": 0o440 } }),
        ),
    ];
    volumes.extend(
        PRINCIPALS
            .iter()
            .map(|(file, user)| ((*file).to_owned(), format!("{PAPERS}/{file}"), job::papers(user, &kafka))),
    );
    let mut command = vec!["/usr/local/bin/storepulse-attacker".to_owned(), "--observer".to_owned()];
    for (flag, value) in [("env-dir", "settings"), ("certs", "forged")] {
        command.extend([format!("--{flag}"), format!("{PAPERS}/{value}")]);
    }
    command.extend(["--without".to_owned(), LEFT_OUT.to_owned()]);
    let job = Job {
        name: name.clone(),
        namespace,
        image,
        labels: json!({ "storepulse.io/kafka-client": "true" }),
        command,
        environment: json!({}),
        volumes,
        memory: "512Mi",
        limit: Duration::from_secs(300),
    };
    cluster.create(&settings).await?;
    let made = cluster.create(&forged).await;
    let ended = match made {
        Ok(_) => job.run(cluster).await,
        Err(error) => Err(error),
    };
    for kind in ["ConfigMap", "Secret"] {
        cluster.delete(&Reference::new("v1", kind, namespace, &name)).await?;
    }
    let ended = ended?;
    let mut last = ended.log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("they wrote nothing").to_owned();
    let verdict = match ended.code {
        0 => Verdict::Held,
        _ if ended.log.lines().any(|line| line.starts_with("HOLE:")) => Verdict::Hole,
        _ => Verdict::Unproven,
    };
    last += &format!("; left out: {LEFT_OUT}");
    Ok((ended.log, Line { part: "attackers", name: "Kafka".to_owned(), seen: last, verdict }))
}

/// Every broker by its own name: one open door is enough.
async fn brokers(cluster: &Cluster, namespace: &str, kafka: &str) -> Result<String> {
    let selector = format!("strimzi.io/cluster={kafka},strimzi.io/name={kafka}-kafka");
    let pods = cluster.list("v1", "Pod", namespace, &selector).await?;
    let names: Vec<String> = pods
        .iter()
        .filter(|pod| text(pod, "/metadata/labels/strimzi.io~1broker-role") != "false")
        .map(|pod| format!("{}.{kafka}-kafka-brokers.{namespace}.svc:9093", text(pod, "/metadata/name")))
        .collect();
    if names.is_empty() {
        return Err(Error::Cluster(format!(
            "Kafka has no brokers in namespace {namespace}: see storepulse-deploy status"
        )));
    }
    Ok(names.join(","))
}

fn settings(brokers: &str) -> Value {
    let file = |(file, user): &(&str, &str)| {
        let at = format!("{PAPERS}/{file}");
        let text = format!(
            "KAFKA_BROKERS={brokers}\nKAFKA_SASL_MECHANISM=SCRAM-SHA-512\nKAFKA_SASL_USERNAME={user}\n\
             KAFKA_SASL_PASSWORD_FILE={at}/password\nKAFKA_SSL_CA_LOCATION={at}/ca.crt\n\
             KAFKA_SSL_CERTIFICATE_LOCATION={at}/user.crt\nKAFKA_SSL_KEY_LOCATION={at}/user.key\n"
        );
        (format!("{file}.env"), Value::from(text))
    };
    Value::Object(PRINCIPALS.iter().map(file).collect::<Map<_, _>>())
}
