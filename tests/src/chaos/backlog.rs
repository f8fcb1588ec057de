//! Whether the system has caught up: seen from outside, in the offsets that it has committed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use storepulse_events::topics;

use crate::by_hand::{self, Quiet, Variables};

/// For an answer of a broker; one that is down gives none.
const ANSWER: Duration = Duration::from_secs(3);

/// Looks without an answer after which a client is replaced.
const PATIENCE: u32 = 3;

/// Offsets of a topic's partitions.
type Offsets = BTreeMap<i32, i64>;

/// Looks at how far both stages are. It joins no group and commits nothing.
pub struct Backlog {
    variables: Vec<(String, String)>,
    /// Looks in a row that got no answer.
    failures: u32,
    events: BaseConsumer<Quiet>,
    deltas: BaseConsumer<Quiet>,
    partitions: BTreeMap<&'static str, Vec<i32>>,
}

/// What must be in the documents until the system has caught up. Filled step by step.
#[derive(Debug, Clone, Default)]
pub struct Target {
    events: Option<Offsets>,
    aggregated: bool,
    deltas: Option<Offsets>,
}

impl Backlog {
    /// Looks with the papers of a principal that may read all topics.
    ///
    /// # Errors
    /// When the papers can't be used, or the cluster does not describe its topics.
    pub fn new(variables: &Variables) -> anyhow::Result<Self> {
        let (events, deltas) = consumers(variables)?;
        let mut partitions = BTreeMap::new();
        for topic in [topics::EVENTS, topics::DELTAS] {
            let metadata = events.fetch_metadata(Some(topic), Duration::from_secs(30))?;
            let found = metadata.topics().iter().flat_map(|topic| topic.partitions().iter().map(|one| one.id()));
            let found: Vec<i32> = found.collect();
            ensure!(!found.is_empty(), "{topic} has no partitions");
            partitions.insert(topic, found);
        }
        Ok(Self { variables: variables.to_vec(), failures: 0, events, deltas, partitions })
    }

    /// Whether all that is in the event topic since the target was new is in the documents. Says what is missing.
    ///
    /// A client that gets no answer again and again is replaced: after brokers were down, one that belongs to no group
    /// may ask the wrong one for its offsets for more than a minute, when the system has long caught up.
    pub fn is_done(&mut self, target: &mut Target) -> Result<(), String> {
        let error = match self.step(target) {
            Ok(seen) => {
                self.failures = 0;
                return seen;
            }
            Err(error) => error,
        };
        self.failures += 1;
        if self.failures.is_multiple_of(PATIENCE)
            && let Ok((events, deltas)) = consumers(&self.variables)
        {
            (self.events, self.deltas) = (events, deltas);
        }
        Err(format!("{error:#}"))
    }

    fn step(&self, target: &mut Target) -> anyhow::Result<Result<(), String>> {
        let events = match &target.events {
            Some(events) => events,
            None => target.events.insert(self.ends(&self.events, topics::EVENTS)?),
        };
        if !target.aggregated {
            let missing = missing(events, &self.committed(&self.events, topics::EVENTS)?);
            if missing > 0 {
                return Ok(Err(format!("{missing} messages are not aggregated")));
            }
            target.aggregated = true;
        }
        let deltas = match &target.deltas {
            Some(deltas) => deltas,
            None => target.deltas.insert(self.ends(&self.deltas, topics::DELTAS)?),
        };
        // Transactions' markers take offsets too: the stream, which goes on, brings records behind them.
        match missing(deltas, &self.committed(&self.deltas, topics::DELTAS)?) {
            0 => Ok(Ok(())),
            missing => Ok(Err(format!("{missing} changes are not in the documents"))),
        }
    }

    fn partitions(&self, topic: &str) -> &[i32] {
        self.partitions.get(topic).map_or(&[], Vec::as_slice)
    }

    /// The end of each partition.
    fn ends(&self, consumer: &BaseConsumer<Quiet>, topic: &str) -> anyhow::Result<Offsets> {
        let end = |partition: &i32| {
            let (_, end) = consumer.fetch_watermarks(topic, *partition, ANSWER).context("asking for ends")?;
            Ok((*partition, end))
        };
        self.partitions(topic).iter().map(end).collect()
    }

    fn committed(&self, consumer: &BaseConsumer<Quiet>, topic: &str) -> anyhow::Result<Offsets> {
        let mut list = TopicPartitionList::new();
        for partition in self.partitions(topic) {
            list.add_partition(topic, *partition);
        }
        let answer = consumer.committed_offsets(list, ANSWER).context("asking for committed offsets")?;
        let offset = |offset: Offset| if let Offset::Offset(number) = offset { number } else { 0 };
        Ok(answer.elements().iter().map(|element| (element.partition(), offset(element.offset()))).collect())
    }
}

/// Members of neither stage's group, that ask for its offsets.
fn consumers(variables: &Variables) -> anyhow::Result<(BaseConsumer<Quiet>, BaseConsumer<Quiet>)> {
    let consumer = |group: &str| -> anyhow::Result<BaseConsumer<Quiet>> {
        let mut config = by_hand::client_config(variables)?;
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            // What is committed may stand behind an open transaction of somebody dead: ends are those of all records.
            .set("isolation.level", "read_uncommitted")
            // It asks all the time; what it waits for while a broker is away should not be its own patience.
            .set("reconnect.backoff.max.ms", "1000");
        Ok(config.create_with_context(Quiet)?)
    };
    let deltas = format!("{}{}", topics::ANALYTICS_GROUP, topics::MATERIALISER_SUFFIX);
    Ok((consumer(topics::ANALYTICS_GROUP)?, consumer(&deltas)?))
}

/// How much is missing until all ends are committed.
fn missing(ends: &Offsets, committed: &Offsets) -> i64 {
    ends.iter().map(|(partition, end)| (end - committed.get(partition).copied().unwrap_or(0)).max(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ahead_in_one_partition_makes_up_for_nothing_in_another() {
        let ends = Offsets::from([(0, 10), (1, 10), (2, 0)]);
        assert_eq!(missing(&ends, &Offsets::from([(0, 25), (1, 7)])), 3);
        assert_eq!(missing(&ends, &Offsets::from([(0, 10), (1, 10)])), 0);
    }
}
