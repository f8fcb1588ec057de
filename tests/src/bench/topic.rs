//! What stands in the topics; filling them; topics that are there for one measurement only.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use storepulse_events::topics;
use storepulse_kafka_admin::{AclBinding, Operation, Pattern, Plan, ResourceType};

use super::ground::Ground;
use super::say;
use crate::by_hand::{admin, client_config};
use crate::{Spec, wait};

const ANSWER: Duration = Duration::from_secs(30);
/// The longest time that filling a topic may take.
const FILLING: Duration = Duration::from_secs(1800);
/// What the names of topics of one measurement begin with.
const PREFIX: &str = "bench-";

fn consumer(ground: &Ground, group: &str) -> anyhow::Result<BaseConsumer> {
    let mut config = client_config(&ground.environment("analytics"))?;
    config.set("group.id", group).set("enable.auto.commit", "false");
    Ok(config.create()?)
}

/// The first and the next offset of each partition of a topic.
fn watermarks(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<BTreeMap<i32, (i64, i64)>> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER)?;
    let partitions = metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions);
    partitions
        .map(|partition| Ok((partition.id(), consumer.fetch_watermarks(topic, partition.id(), ANSWER)?)))
        .collect()
}

/// How many messages are in a topic that no transaction writes to.
///
/// # Errors
/// When the cluster does not tell.
pub fn messages(ground: &Ground, topic: &str) -> anyhow::Result<u64> {
    let consumer = consumer(ground, topics::ANALYTICS_GROUP)?;
    let marks = watermarks(&consumer, topic)?;
    Ok(marks.values().map(|(low, high)| u64::try_from(high - low).unwrap_or_default()).sum())
}

/// The next offset of each partition of the topic of changes.
///
/// # Errors
/// When the cluster does not tell.
pub fn ends_of_changes(ground: &Ground) -> anyhow::Result<BTreeMap<i32, i64>> {
    let consumer = consumer(ground, topics::ANALYTICS_GROUP)?;
    let marks = watermarks(&consumer, topics::DELTAS)?;
    Ok(marks.into_iter().map(|(partition, (_, end))| (partition, end)).collect())
}

/// The simulator, as fast as it can, with two workers.
pub fn simulator(ground: &Ground, topic: &str, events: u64, seed: u64, more: &[&str]) -> Spec {
    let (events, seed) = (format!("--events={events}"), format!("--seed={seed}"));
    Spec::new("simulator")
        .arguments(["--processes=2", "--flat-out", &events, &seed])
        .arguments(more.iter().copied())
        .environment(ground.environment("simulator"))
        .set("KAFKA_EVENT_TOPIC", topic)
}

/// Has the simulator add events, flat out, until there are so many. Returns how many there are. `more` are flags.
///
/// # Errors
/// When the simulator fails.
pub fn fill(ground: &mut Ground, topic: &str, events: u64, more: &[&str]) -> anyhow::Result<u64> {
    let there = messages(ground, topic)?;
    if there >= events {
        say(format!("{topic} has {there} events already"));
        return Ok(there);
    }
    let missing = events - there;
    say(format!("filling {topic}: {missing} events"));
    // Another seed makes other events: none is a duplicate.
    let spec = simulator(ground, topic, missing, there + 1, more);
    ground.start(&spec)?.wait(FILLING)?.expect_code(0)?;
    let there = messages(ground, topic)?;
    ensure!(there == events, "{topic} has {there} messages, {events} were expected");
    Ok(there)
}

/// Makes a new group of analytics begin at the end of what former runs have left for the second stage.
///
/// # Errors
/// When the cluster does not take the offsets.
pub fn skip_former_changes(ground: &Ground, group: &str) -> anyhow::Result<()> {
    let consumer = consumer(ground, &format!("{group}{}", topics::MATERIALISER_SUFFIX))?;
    let mut ends = TopicPartitionList::new();
    for (partition, end) in ends_of_changes(ground)? {
        ends.add_partition_offset(topics::DELTAS, partition, Offset::Offset(end))?;
    }
    consumer.commit(&ends, CommitMode::Sync).context("committing where the second stage begins")
}

/// Allows the simulator and analytics to use topics of one measurement.
///
/// # Errors
/// When the cluster refuses.
pub async fn allow(variables: &[(String, String)]) -> anyhow::Result<()> {
    let may = |user: &str, operation| AclBinding {
        principal: format!("User:{user}"),
        resource_type: ResourceType::Topic,
        resource: PREFIX.to_owned(),
        pattern: Pattern::Prefixed,
        operation,
    };
    let all = [
        may("simulator", Operation::Write),
        may("simulator", Operation::Describe),
        may("analytics", Operation::Read),
        may("analytics", Operation::Describe),
    ];
    Ok(admin(variables).await?.create_acls(&all).await?)
}

/// An empty topic, in all else like the event topic. One of that name that is there is deleted first.
///
/// # Errors
/// When the cluster refuses.
pub fn make(ground: &Ground, name: &str) -> anyhow::Result<String> {
    let name = format!("{PREFIX}{name}");
    delete(ground, &name)?;
    let mut plan = Plan::storepulse().topics.into_iter().find(|topic| topic.name == topics::EVENTS);
    let mut plan = plan.take().context("the plan has no event topic")?;
    plan.name.clone_from(&name);
    let variables = ground.environment("admin");
    ground.wait(async { anyhow::Ok(admin(&variables).await?.create_topic(&plan).await?) })?;
    wait::until("the new topic is led", ANSWER, || {
        let topic = ground.wait(async { anyhow::Ok(admin(&variables).await?.topic(&name).await?) });
        match topic {
            Ok(Some(topic)) if topic.is_led() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })?;
    Ok(name)
}

/// Deletes a topic, if there is one.
///
/// # Errors
/// When the cluster refuses.
pub fn delete(ground: &Ground, name: &str) -> anyhow::Result<()> {
    let variables = ground.environment("admin");
    ground.wait(async { anyhow::Ok(admin(&variables).await?.delete_topic(name).await?) })?;
    wait::until("the topic is gone", ANSWER, || {
        match ground.wait(async { anyhow::Ok(admin(&variables).await?.topic(name).await?) }) {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
}
