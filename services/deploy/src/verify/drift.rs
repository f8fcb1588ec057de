//! Whether everything that locks is there and unchanged: network policies, users' rights, Kafka's listeners, the
//! namespace's rules for pods, and what the pods may do.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Line, Verdict};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::manifests::Manifests;
use crate::object::{Reference, text};

/// What locks.
const LOCKS: [&str; 6] = ["Namespace", "NetworkPolicy", "Kafka", "KafkaUser", "Deployment", "ServiceAccount"];
/// Kinds of which there may be no more than the manifests have. (The operator makes network policies of its own.)
const COMPLETE: [(&str, &str); 2] = [("networking.k8s.io/v1", "NetworkPolicy"), ("kafka.strimzi.io/v1", "KafkaUser")];

/// Compares.
pub(super) async fn look(cluster: &Cluster, manifests: &Manifests) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for object in manifests.objects.iter().filter(|object| LOCKS.contains(&text(object, "/kind"))) {
        let Some(at) = Reference::of(object) else { continue };
        let (seen, verdict) = match cluster.get(&at).await? {
            None => ("it is missing".to_owned(), Verdict::Hole),
            // The server itself says what applying would change: with its defaults, and without what is not ours.
            Some(now) => match cluster.apply(object, true).await {
                Ok(then) => match differences(&now, &then) {
                    found if found.is_empty() => ("as the manifests have it".to_owned(), Verdict::Held),
                    found => (format!("differs from the manifests in {}", found.join(", ")), Verdict::Hole),
                },
                Err(error @ Error::Refused { .. }) => (error.to_string(), Verdict::Unproven),
                Err(error) => return Err(error),
            },
        };
        lines.push(Line { part: "drift", name: at.to_string(), seen, verdict });
    }
    let known: BTreeSet<Reference> = manifests.references().into_iter().collect();
    for (api_version, kind) in COMPLETE {
        for object in cluster.list(api_version, kind, &manifests.namespace, "").await? {
            let Some(at) = Reference::of(&object) else { continue };
            // What Strimzi made belongs to its Kafka.
            let owned = object.pointer("/metadata/ownerReferences").is_some();
            if !known.contains(&at) && !owned {
                let seen = "the manifests do not have it".to_owned();
                lines.push(Line { part: "drift", name: at.to_string(), seen, verdict: Verdict::Hole });
            }
        }
    }
    Ok(lines)
}

/// Where two versions of an object differ: in what is wanted of it, and in its labels and annotations. How many pods there
/// are, and of which image, locks nothing.
fn differences(now: &Value, then: &Value) -> Vec<String> {
    let (now, then) = (&without_images(now), &without_images(then));
    let mut found = Vec::new();
    for part in ["/spec", "/metadata/labels", "/metadata/annotations", "/automountServiceAccountToken"] {
        compare(
            part,
            now.pointer(part).unwrap_or(&Value::Null),
            then.pointer(part).unwrap_or(&Value::Null),
            &mut found,
        );
    }
    found
}

fn without_images(object: &Value) -> Value {
    let mut object = object.clone();
    let containers = object.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        container["image"] = Value::Null;
    }
    for at in ["/spec/replicas", "/spec/kafka/image"] {
        if let Some(place) = object.pointer_mut(at) {
            *place = Value::Null;
        }
    }
    object
}

fn compare(at: &str, now: &Value, then: &Value, found: &mut Vec<String>) {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            let keys: BTreeSet<_> = now.keys().chain(then.keys()).collect();
            for key in keys {
                let value = |of: &serde_json::Map<String, Value>| of.get(key).cloned().unwrap_or(Value::Null);
                compare(&format!("{at}/{key}"), &value(now), &value(then), found);
            }
        }
        (now, then) if now != then => found.push(at.trim_start_matches('/').to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_wanted_counts() {
        let now = json!({ "metadata": { "resourceVersion": "1", "labels": { "a": "1" } }, "spec": { "b": [1], "c": 2 },
                          "status": { "x": 1 } });
        let mut then = now.clone();
        then["metadata"]["resourceVersion"] = "2".into();
        then["status"]["x"] = 2.into();
        assert!(differences(&now, &then).is_empty());
        then["spec"]["b"] = json!([1, 2]);
        then["metadata"]["labels"] = Value::Null;
        assert_eq!(differences(&now, &then), ["spec/b", "metadata/labels"]);

        let deployment = |image: &str, privileged: bool| {
            json!({ "spec": { "replicas": 1, "template": { "spec": { "containers": [
                { "image": image, "securityContext": { "privileged": privileged } }] } } } })
        };
        assert!(differences(&deployment("a", false), &deployment("b", false)).is_empty());
        assert_eq!(differences(&deployment("a", false), &deployment("a", true)), ["spec/template/spec/containers"]);
    }
}
