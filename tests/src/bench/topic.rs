//! What stands in the topics, and filling the event topic.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use storepulse_events::topics;

use super::ground::Ground;
use super::say;
use crate::Spec;
use crate::by_hand::client_config;

const ANSWER: Duration = Duration::from_secs(30);
/// The longest time that filling the topic may take.
const FILLING: Duration = Duration::from_secs(1800);

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

/// How many messages are in the event topic.
///
/// # Errors
/// When the cluster does not tell.
pub fn messages(ground: &Ground) -> anyhow::Result<u64> {
    let consumer = consumer(ground, topics::ANALYTICS_GROUP)?;
    let marks = watermarks(&consumer, topics::EVENTS)?;
    Ok(marks.values().map(|(low, high)| u64::try_from(high - low).unwrap_or_default()).sum())
}

/// Has the simulator add events, flat out, until there are so many. Returns how many there are.
///
/// # Errors
/// When the simulator fails.
pub fn fill(ground: &mut Ground, events: u64) -> anyhow::Result<u64> {
    let there = messages(ground)?;
    if there >= events {
        say(format!("the event topic has {there} events already"));
        return Ok(there);
    }
    let missing = events - there;
    say(format!("filling the event topic: {missing} events"));
    // Other seeds make other events: none is a duplicate.
    let (count, seed) = (format!("--events={missing}"), format!("--seed={}", there + 1));
    let spec = Spec::new("simulator")
        .arguments(["--processes=2", "--flat-out", &count, &seed])
        .environment(ground.environment("simulator"));
    let ended = ground.start(&spec)?.wait(FILLING)?;
    ended.expect_code(0)?;
    let there = messages(ground)?;
    ensure!(there == events, "the event topic has {there} messages, {events} were expected");
    Ok(there)
}

/// Makes a new group of analytics begin at the end of what former runs have left for the second stage.
///
/// # Errors
/// When the cluster does not take the offsets.
pub fn skip_former_changes(ground: &Ground, group: &str) -> anyhow::Result<()> {
    let consumer = consumer(ground, &format!("{group}{}", topics::MATERIALISER_SUFFIX))?;
    let mut ends = TopicPartitionList::new();
    for (partition, (_, end)) in watermarks(&consumer, topics::DELTAS)? {
        ends.add_partition_offset(topics::DELTAS, partition, Offset::Offset(end))?;
    }
    consumer.commit(&ends, CommitMode::Sync).context("committing where the second stage begins")
}
