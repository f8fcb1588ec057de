//! The declared state of the cluster: topics, users and ACLs.

use std::collections::BTreeMap;

use storepulse_events::topics;

use crate::admin::{AclBinding, Operation, Pattern, ResourceType};
use crate::error::Result;
use crate::secret::Secret;
use crate::settings::secret_from;

/// The user that looks and changes nothing.
const VIEWER: &str = "viewer";
/// A day in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// How the names begin of all that attackers try to make.
const ATTACKERS: &str = "storepulse-attack-";

/// A topic as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPlan {
    /// The name.
    pub name: String,
    /// Number of partitions; never changed once the topic exists, because keys would move.
    pub partitions: i32,
    /// Copies of each partition.
    pub replication: i16,
    /// Settings that differ from the brokers' defaults or must not depend on them.
    pub configs: BTreeMap<String, String>,
}

/// Everything [`apply`](crate::apply) brings about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The topics.
    pub topics: Vec<TopicPlan>,
    /// SCRAM-SHA-256 users. (`broker` and `admin` exist since the storage was formatted.)
    pub users: Vec<String>,
    /// What the users may do; all else is denied.
    pub acls: Vec<AclBinding>,
}

impl Plan {
    /// storepulse's own cluster, with three copies of everything.
    pub fn storepulse() -> Self {
        Self::with_replication(3)
    }

    /// The same cluster where an operator manages users (`k8s/base/users.yaml`): besides the plan's permissions, those of
    /// `observer`, who looks on while attackers are at work, and changes nothing.
    pub fn observed_by(observer: &str) -> Self {
        let mut plan = Self::storepulse();
        plan.acls.extend(observer_acls(observer));
        plan.users.push(observer.to_owned());
        plan
    }

    /// The permissions of the autoscaler, where there is one (`k8s/components/keda`).
    pub fn scaler_acls() -> Vec<AclBinding> {
        let see = |resource_type, name: &str| AclBinding {
            principal: "User:scaler".to_owned(),
            resource_type,
            resource: name.to_owned(),
            pattern: Pattern::Literal,
            operation: Operation::Describe,
        };
        vec![see(ResourceType::Topic, topics::EVENTS), see(ResourceType::Group, topics::ANALYTICS_GROUP)]
    }

    /// The same with another number of copies (a single broker can only hold one). The smallest
    /// number of copies a write needs is one less, at least one.
    pub fn with_replication(replication: i16) -> Self {
        let min_isr = (replication - 1).max(1).to_string();
        let topic = |name: &str, partitions, more: &[(&str, String)]| TopicPlan {
            name: name.to_owned(),
            partitions,
            replication,
            configs: more
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .chain([("min.insync.replicas".to_owned(), min_isr.clone())])
                .collect(),
        };
        let large = || ("max.message.bytes", "2097152".to_owned());
        let days = |n: u64| ("retention.ms", (n * DAY_MS).to_string());
        Self {
            topics: vec![
                topic(
                    topics::EVENTS,
                    12,
                    &[
                        days(7),
                        ("message.timestamp.type", "LogAppendTime".to_owned()),
                        ("compression.type", "producer".to_owned()),
                        ("max.message.bytes", "1048576".to_owned()),
                    ],
                ),
                topic(topics::DELTAS, 12, &[days(7), large()]),
                // Small segments, closed soon, so that compaction keeps what a restart reads short.
                topic(
                    topics::SESSIONS,
                    12,
                    &[
                        ("cleanup.policy", "compact".to_owned()),
                        ("segment.bytes", "16777216".to_owned()),
                        ("segment.ms", "600000".to_owned()),
                        ("min.cleanable.dirty.ratio", "0.1".to_owned()),
                        large(),
                    ],
                ),
                // A rejected message of the largest size must fit with its headers.
                topic(topics::DEAD_LETTERS, 3, &[days(30), large()]),
                topic(topics::READY, 1, &[("retention.ms", (DAY_MS / 24).to_string())]),
            ],
            users: ["simulator", "analytics", "auditor"].map(str::to_owned).to_vec(),
            acls: acls(),
        }
    }

    /// With the user `viewer`, for a program that shows people the cluster: it may look at everything of storepulse's,
    /// and change nothing. Only for clusters that have such a program.
    #[must_use]
    pub fn with_viewer(mut self) -> Self {
        self.users.push(VIEWER.to_owned());
        self.acls.extend(viewer_acls(self.topics.iter().map(|topic| topic.name.as_str())));
        self
    }
}

/// Reading topics and their settings, and seeing groups, brokers and their settings (passwords in those are never told).
fn viewer_acls<'a>(topics: impl Iterator<Item = &'a str>) -> Vec<AclBinding> {
    use Operation::{Describe, DescribeConfigs, Read};

    let give = |resource_type, resource: &str, pattern, operation| AclBinding {
        principal: format!("User:{VIEWER}"),
        resource_type,
        resource: resource.to_owned(),
        pattern,
        operation,
    };
    let literal = Pattern::Literal;
    let mut all: Vec<AclBinding> = topics
        .flat_map(|topic| {
            [Read, Describe, DescribeConfigs].map(|operation| give(ResourceType::Topic, topic, literal, operation))
        })
        .collect();
    all.push(give(ResourceType::Group, topics::ANALYTICS_GROUP, Pattern::Prefixed, Describe));
    let cluster = |operation| give(ResourceType::Cluster, "kafka-cluster", literal, operation);
    all.extend([Describe, DescribeConfigs].map(cluster));
    all
}

/// What an observer needs: to see permissions, users, topics and groups, and to write to the canary topic.
fn observer_acls(observer: &str) -> Vec<AclBinding> {
    use Operation::{Describe, Read, Write};
    use Pattern::{Literal, Prefixed};
    use ResourceType::{Cluster, Group, Topic};

    let all: [(_, _, _, &[Operation]); 7] = [
        (Cluster, Literal, "kafka-cluster", &[Describe]),
        (Topic, Literal, topics::READY, &[Read, Write, Describe]),
        (Topic, Literal, topics::EVENTS, &[Describe]),
        (Topic, Literal, topics::DELTAS, &[Describe]),
        (Topic, Prefixed, ATTACKERS, &[Describe]),
        (Group, Prefixed, topics::ANALYTICS_GROUP, &[Describe]),
        (Group, Prefixed, ATTACKERS, &[Describe]),
    ];
    let binding = |(resource_type, pattern, name, operations): (ResourceType, Pattern, &str, &[Operation])| {
        let principal = format!("User:{observer}");
        let resource = name.to_owned();
        let of = |operation: &Operation| AclBinding {
            principal: principal.clone(),
            resource_type,
            resource: resource.clone(),
            pattern,
            operation: *operation,
        };
        operations.iter().map(of).collect::<Vec<_>>()
    };
    all.into_iter().flat_map(binding).collect()
}

/// The fewest permissions that work. Write implies Describe in Kafka, yet both are listed, as the
/// clients need both.
fn acls() -> Vec<AclBinding> {
    use Operation::{Describe, Read, Write};
    use ResourceType::{Group, Topic, TransactionalId};

    let mut all = Vec::new();
    let mut allow = |user: &str, kind, pattern, name: &str, operations: &[Operation]| {
        all.extend(operations.iter().map(|operation| AclBinding {
            principal: format!("User:{user}"),
            resource_type: kind,
            resource: name.to_owned(),
            pattern,
            operation: *operation,
        }));
    };
    let literal = Pattern::Literal;

    allow("simulator", Topic, literal, topics::EVENTS, &[Write, Describe]);

    allow("analytics", Topic, literal, topics::EVENTS, &[Read, Describe]);
    for topic in [topics::DELTAS, topics::SESSIONS] {
        allow("analytics", Topic, literal, topic, &[Read, Write, Describe]);
    }
    allow("analytics", Topic, literal, topics::DEAD_LETTERS, &[Write, Describe]);
    allow("analytics", Group, Pattern::Prefixed, topics::ANALYTICS_GROUP, &[Read]);
    allow("analytics", TransactionalId, Pattern::Prefixed, topics::ANALYTICS_GROUP, &[Write, Describe]);

    for topic in [topics::EVENTS, topics::DELTAS, topics::SESSIONS, topics::DEAD_LETTERS] {
        allow("auditor", Topic, literal, topic, &[Read, Describe]);
    }
    allow("auditor", Group, Pattern::Prefixed, topics::ANALYTICS_GROUP, &[Describe]);
    all
}

/// The passwords of a plan's users.
#[derive(Debug, Clone, Default)]
pub struct Passwords(BTreeMap<String, Secret>);

impl Passwords {
    /// Reads `KAFKA_<USER>_PASSWORD` (or `…_FILE`) of every user of the plan.
    ///
    /// # Errors
    /// The first variable that is missing, or whose file can't be read.
    pub fn from_lookup(plan: &Plan, lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut all = Self::default();
        for user in &plan.users {
            let name = format!("KAFKA_{}_PASSWORD", user.to_ascii_uppercase().replace('-', "_"));
            all.insert(user, secret_from(&lookup, &name)?);
        }
        Ok(all)
    }

    /// Sets a user's password.
    pub fn insert(&mut self, user: &str, password: Secret) {
        self.0.insert(user.to_owned(), password);
    }

    /// A user's password.
    pub fn get(&self, user: &str) -> Option<&Secret> {
        self.0.get(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(user: &str, operation: Operation, topic: &str) -> bool {
        let principal = format!("User:{user}");
        Plan::storepulse().acls.iter().any(|acl| {
            acl.principal == principal
                && acl.operation == operation
                && acl.resource_type == ResourceType::Topic
                && acl.resource == topic
        })
    }

    #[test]
    fn nobody_may_more_than_they_need() {
        assert!(may("simulator", Operation::Write, topics::EVENTS));
        assert!(!may("simulator", Operation::Read, topics::EVENTS));
        assert!(!may("analytics", Operation::Write, topics::EVENTS));
        assert!(!may("analytics", Operation::Read, topics::DEAD_LETTERS));
        for topic in [topics::EVENTS, topics::DELTAS, topics::SESSIONS, topics::DEAD_LETTERS] {
            assert!(!may("auditor", Operation::Write, topic));
            assert!(!topic.starts_with("analytics") || !may("simulator", Operation::Describe, topic));
        }
        assert!(Plan::storepulse().acls.iter().all(|acl| acl.resource != topics::READY && acl.resource != "*"));
    }

    #[test]
    fn a_viewer_looks_and_changes_nothing() {
        let plain = Plan::storepulse();
        let plan = Plan::storepulse().with_viewer();
        let (its, others): (Vec<_>, Vec<_>) =
            plan.acls.iter().cloned().partition(|acl| acl.principal == format!("User:{VIEWER}"));
        assert_eq!((others, plan.topics), (plain.acls, plain.topics));
        let looks = [Operation::Read, Operation::Describe, Operation::DescribeConfigs];
        assert!(its.iter().all(|acl| looks.contains(&acl.operation) && acl.resource != "*"));
        // To read as a member of a group would be to take partitions away from the service.
        let takes = |acl: &&AclBinding| acl.resource_type == ResourceType::Group && acl.operation == Operation::Read;
        assert_eq!(its.iter().find(takes), None);
    }

    #[test]
    fn every_topic_survives_the_loss_of_one_broker() {
        for topic in Plan::storepulse().topics {
            assert_eq!(topic.replication, 3, "{}", topic.name);
            assert_eq!(topic.configs["min.insync.replicas"], "2", "{}", topic.name);
        }
        assert_eq!(Plan::with_replication(1).topics[0].configs["min.insync.replicas"], "1");
    }

    #[test]
    fn a_missing_password_is_named() {
        let error = Passwords::from_lookup(&Plan::storepulse(), |_| None).unwrap_err().to_string();
        assert!(error.contains("KAFKA_SIMULATOR_PASSWORD"), "{error}");
    }
}
