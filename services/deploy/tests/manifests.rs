//! The manifests say the same as the rest of the project: topics, permissions, alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use storepulse_kafka_admin::Plan;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// `principal operation type:name pattern`, as a line for each permission.
fn permissions(users: &[Value]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for user in users {
        let name = text(user, "/metadata/name");
        for acl in user.pointer("/spec/authorization/acls").and_then(Value::as_array).into_iter().flatten() {
            let (kind, resource) = match text(acl, "/resource/type") {
                "cluster" => ("cluster", "kafka-cluster"),
                "transactionalId" => ("transactional-id", text(acl, "/resource/name")),
                kind => (kind, text(acl, "/resource/name")),
            };
            let prefixed = text(acl, "/resource/patternType") == "prefix";
            for operation in acl["operations"].as_array().unwrap() {
                let operation = operation.as_str().unwrap().to_lowercase();
                all.insert(format!("User:{name} {operation} {kind}:{resource} {prefixed}"));
            }
        }
    }
    all
}

fn planned(acls: &[storepulse_kafka_admin::AclBinding]) -> BTreeSet<String> {
    acls.iter()
        .map(|acl| {
            let prefixed = acl.pattern == storepulse_kafka_admin::Pattern::Prefixed;
            format!("{} {} {}:{} {prefixed}", acl.principal, acl.operation, acl.resource_type, acl.resource)
        })
        .collect()
}

#[test]
fn users_may_what_the_plan_says_and_no_more() {
    let users = read("k8s/base/users.yaml");
    assert_eq!(permissions(&users), planned(&Plan::observed_by("verifier").acls));
    assert_eq!(permissions(&read("k8s/components/keda/user.yaml")), planned(&Plan::scaler_acls()));
}

#[test]
fn each_user_with_a_password_has_a_certificate_without_rights() {
    for file in ["k8s/base/users.yaml", "k8s/components/keda/user.yaml"] {
        let users = read(file);
        let of = |kind: &str| -> BTreeSet<String> {
            let chosen = users.iter().filter(|user| text(user, "/spec/authentication/type") == kind);
            chosen.map(|user| text(user, "/metadata/name").to_owned()).collect()
        };
        let certificates: BTreeSet<String> = of("scram-sha-512").iter().map(|name| format!("{name}-tls")).collect();
        assert_eq!(of("tls"), certificates, "{file}");
        let mut with_rights = users.iter().filter(|user| user.pointer("/spec/authorization").is_some());
        assert!(with_rights.all(|user| text(user, "/spec/authentication/type") == "scram-sha-512"));
    }
}

#[test]
fn topics_are_those_of_the_plan() {
    let mut found = BTreeMap::new();
    for topic in read("k8s/base/topics.yaml") {
        let config = topic["spec"]["config"].as_object().unwrap().iter();
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let config: BTreeMap<String, String> = config.map(|(key, value)| (key.clone(), plain(value))).collect();
        let shape = (topic["spec"]["partitions"].as_i64().unwrap(), topic["spec"]["replicas"].as_i64().unwrap());
        found.insert(text(&topic, "/metadata/name").to_owned(), (shape, config));
    }
    let planned: BTreeMap<_, _> = Plan::storepulse()
        .topics
        .into_iter()
        .map(|topic| (topic.name, ((i64::from(topic.partitions), i64::from(topic.replication)), topic.configs)))
        .collect();
    assert_eq!(found, planned);
}

#[test]
fn alerts_are_those_of_the_documentation() {
    let documented = &read("docs/prometheus-alerts.yml")[0]["groups"];
    let rules = read("k8s/components/monitoring/prometheus-rules.yaml");
    let groups = rules[0]["spec"]["groups"].as_array().unwrap();
    for group in documented.as_array().unwrap() {
        assert!(groups.contains(group), "{}", group["name"]);
    }
    let runbook = std::fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let headings: BTreeSet<String> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    for rule in groups.iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        let url = text(rule, "/annotations/runbook_url");
        let section = url.strip_prefix("docs/runbook.md#").unwrap_or_default();
        assert!(headings.contains(section), "{}: {url}", rule["alert"]);
    }
}

#[test]
fn no_kafka_client_is_let_in_without_a_certificate_and_a_password() {
    let kafka = &read("k8s/base/kafka.yaml")[0];
    let listeners = kafka["spec"]["kafka"]["listeners"].as_array().unwrap();
    assert_eq!(listeners.len(), 1);
    let listener = &listeners[0];
    let config = &listener["authentication"]["listenerConfig"];
    assert_eq!(listener["tls"], true);
    assert_eq!(listener["authentication"]["sasl"], true);
    assert_eq!(config["ssl.client.auth"], "required");
    assert_eq!(config["sasl.enabled.mechanisms"], "SCRAM-SHA-512");
    assert_eq!(text(kafka, "/spec/kafka/authorization/type"), "simple");
    assert!(kafka.pointer("/spec/kafka/authorization/superUsers").is_none());
}
