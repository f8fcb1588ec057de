//! Whether an object is as it should be, from what it says about itself. Pure.

use serde_json::Value;

use crate::object::{list, number, text};

/// How far an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ready,
    /// On the way; what is missing.
    Waiting(String),
    /// It will not become ready by waiting; why.
    Failed(String),
}

impl State {
    fn waiting(why: impl Into<String>) -> Self {
        Self::Waiting(why.into())
    }
}

/// How far an object is. Kinds that say nothing about themselves are ready as soon as they are there.
pub fn state(object: &Value) -> State {
    match text(object, "/kind") {
        "Kafka" | "KafkaTopic" | "KafkaUser" => strimzi(object),
        "Deployment" => deployment(object),
        "Job" => job(object),
        "Pod" => pod(object),
        _ => State::Ready,
    }
}

/// The condition of a type: its status, reason and message.
fn condition<'a>(object: &'a Value, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let found = list(object, "/status/conditions").iter().find(|condition| text(condition, "/type") == kind)?;
    Some((text(found, "/status"), text(found, "/reason"), text(found, "/message")))
}

/// Whether whoever is responsible has seen the latest version.
fn observed(object: &Value) -> bool {
    number(object, "/status/observedGeneration") >= number(object, "/metadata/generation")
}

fn strimzi(object: &Value) -> State {
    if object.pointer("/status/conditions").is_none() {
        return State::waiting("no operator has looked at it yet");
    }
    if !observed(object) {
        return State::waiting("the operator has not seen the latest change yet");
    }
    if let Some(("True", reason, message)) = condition(object, "NotReady") {
        return State::Waiting(format!("{reason}: {}", first_line(message)));
    }
    match condition(object, "Ready") {
        Some(("True", ..)) => State::Ready,
        Some((_, reason, message)) => State::Waiting(format!("{reason}: {}", first_line(message))),
        None => State::waiting("not ready yet"),
    }
}

fn deployment(object: &Value) -> State {
    if !observed(object) {
        return State::waiting("the latest change has not been seen yet");
    }
    if let Some(("False", "ProgressDeadlineExceeded", message)) = condition(object, "Progressing") {
        return State::Failed(first_line(message).to_owned());
    }
    let wanted = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let count = |name: &str| number(object, &format!("/status/{name}"));
    let (updated, available, all) = (count("updatedReplicas"), count("availableReplicas"), count("replicas"));
    if updated < wanted {
        State::Waiting(format!("{updated} of {wanted} pods are of the latest version"))
    } else if all > updated {
        State::Waiting(format!("{} pods of the version before still run", all - updated))
    } else if available < wanted {
        State::Waiting(format!("{available} of {wanted} pods are ready"))
    } else {
        State::Ready
    }
}

fn job(object: &Value) -> State {
    if let Some(("True", reason, message)) = condition(object, "Failed") {
        return State::Failed(format!("{reason}: {message}"));
    }
    match condition(object, "Complete") {
        Some(("True", ..)) => State::Ready,
        _ => State::waiting("it runs"),
    }
}

fn pod(object: &Value) -> State {
    if !text(object, "/metadata/deletionTimestamp").is_empty() {
        return State::waiting("it is being ended");
    }
    match condition(object, "Ready") {
        Some(("True", ..)) => State::Ready,
        _ => State::Waiting(trouble(object).unwrap_or_else(|| text(object, "/status/phase").to_owned())),
    }
}

/// What keeps a pod from being ready, as far as the pod knows.
pub(crate) fn trouble(pod: &Value) -> Option<String> {
    if let Some(("False", reason, message)) = condition(pod, "PodScheduled") {
        return Some(format!("{reason}: {}", first_line(message)));
    }
    let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
    for status in statuses.iter().flat_map(|pointer| list(pod, pointer)) {
        let ended = |state: &str| {
            let code = status.pointer(&format!("/{state}/terminated/exitCode"))?.as_i64().filter(|code| *code != 0)?;
            let reason = text(status, &format!("/{state}/terminated/reason"));
            Some(format!(
                "ended with exit code {code}{}",
                if reason == "Error" { String::new() } else { format!(" ({reason})") }
            ))
        };
        let waits = text(status, "/state/waiting/reason");
        let because = match waits {
            "ErrImagePull" | "ImagePullBackOff" => Some(format!(
                "the image {} can't be pulled; load it into the cluster, or set where it comes from (STOREPULSE_REGISTRY, KAFKA_IMAGE, …)",
                text(status, "/image")
            )),
            "CrashLoopBackOff" => ended("lastState"),
            "" | "ContainerCreating" | "PodInitializing" => ended("state"),
            other => Some(format!("{other}: {}", first_line(text(status, "/state/waiting/message")))),
        };
        if let Some(because) = because {
            return Some(format!("{}: {because}", text(status, "/name")));
        }
    }
    None
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kafka(observed: i64, conditions: Value) -> Value {
        json!({ "kind": "Kafka", "metadata": { "generation": 3 },
                "status": { "observedGeneration": observed, "conditions": conditions } })
    }

    #[test]
    fn kafka_is_ready_only_as_of_its_latest_version() {
        let ready = json!([{ "type": "Ready", "status": "True" }]);
        assert_eq!(state(&kafka(3, ready.clone())), State::Ready);
        assert!(matches!(state(&kafka(2, ready)), State::Waiting(why) if why.contains("latest")));
        let not = json!([{ "type": "NotReady", "status": "True", "reason": "Bad", "message": "why\nmore" }]);
        assert_eq!(state(&kafka(3, not)), State::Waiting("Bad: why".into()));
        let untouched = json!({ "kind": "Kafka", "metadata": { "generation": 1 } });
        assert!(matches!(state(&untouched), State::Waiting(why) if why.contains("no operator")));
    }

    #[test]
    fn a_deployment_is_ready_when_nothing_of_the_version_before_runs() {
        let of = |updated, available, all| {
            json!({ "kind": "Deployment", "metadata": { "generation": 1 }, "spec": { "replicas": 2 },
                    "status": { "observedGeneration": 1, "updatedReplicas": updated, "availableReplicas": available,
                                "replicas": all } })
        };
        assert_eq!(state(&of(2, 2, 2)), State::Ready);
        for (updated, available, all) in [(1, 2, 3), (2, 2, 3), (2, 1, 2)] {
            assert!(matches!(state(&of(updated, available, all)), State::Waiting(_)), "{updated} {available} {all}");
        }
        let mut stuck = of(1, 1, 2);
        stuck["status"]["conditions"] = json!([{ "type": "Progressing", "status": "False",
            "reason": "ProgressDeadlineExceeded", "message": "no" }]);
        assert_eq!(state(&stuck), State::Failed("no".into()));
    }

    #[test]
    fn a_pod_says_what_keeps_it() {
        let pod = |status: Value| json!({ "kind": "Pod", "status": { "containerStatuses": [status] } });
        let image =
            pod(json!({ "name": "a", "image": "x:1", "state": { "waiting": { "reason": "ImagePullBackOff" } } }));
        assert!(trouble(&image).unwrap().contains("x:1 can't be pulled"));
        let crash = pod(json!({ "name": "a", "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "exitCode": 2, "reason": "Error" } } }));
        assert_eq!(trouble(&crash).unwrap(), "a: ended with exit code 2");
        let starting = pod(json!({ "name": "a", "state": { "waiting": { "reason": "ContainerCreating" } } }));
        assert_eq!(trouble(&starting), None);
    }
}
