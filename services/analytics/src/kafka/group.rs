//! A member of a consumer group whose partitions are read from queues of their own.
//!
//! librdkafka runs callbacks inside `poll` of the main queue. Partitions are paused as they are assigned, then split
//! off and resumed, so that no message ever takes the main queue.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientConfig, ClientContext, Message, Offset, TopicPartitionList};

/// The settings of a member of `group`: offsets are committed by hand, and only committed transactions are seen.
/// `more` are settings on top: the group's protocol, in which partitions must move one by one, and what belongs to it.
pub fn member_config(client: &ClientConfig, group: &str, more: &[(String, String)]) -> ClientConfig {
    let mut config = client.clone();
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("statistics.interval.ms", "500")
        .set("fetch.wait.max.ms", "20")
        .set("fetch.queue.backoff.ms", "10")
        // For each partition, because each has a queue of its own. A fetch is several times as large when it is
        // unpacked, and a message takes about as much again for its place in the queue.
        .set("queued.max.messages.kbytes", "2048")
        .set("fetch.message.max.bytes", "524288");
    for (name, value) in more {
        config.set(name, value);
    }
    config
}

/// Whether an error of a consumer or of a partition's queue will not pass by itself. All others are the client's to
/// overcome, which it does.
pub fn is_final(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::Fatal
                | RDKafkaErrorCode::PollExceeded
        )
    )
}

/// A queue with the messages of one partition.
pub type Queue = PartitionQueue<GroupContext>;

/// Called before partitions are given up, while offsets can still be committed, unless `lost` says that they are
/// already another member's.
pub type OnRevoke = Box<dyn Fn(&[i32], bool) + Send + Sync>;

/// What happened to the assignment, in order.
#[derive(Debug)]
enum Change {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    NotCommitted(Vec<i32>),
}

/// The callbacks of a [`Group`].
#[derive(Default)]
pub struct GroupContext {
    changes: Mutex<Vec<Change>>,
    on_revoke: OnceLock<OnRevoke>,
    /// End of each partition: the last stable offset, as far as the statistics tell.
    ends: Mutex<BTreeMap<i32, i64>>,
    standing: Mutex<Standing>,
}

/// What the statistics tell of a member.
#[derive(Clone, Debug, Default)]
struct Standing {
    /// Brokers that it needs, and whether it is connected to them.
    brokers: BTreeMap<i32, bool>,
    /// Since when no broker was connected; `None`: one is.
    alone_since: Option<Instant>,
    /// Since when it has been a member in good standing without a partition.
    idle_since: Option<Instant>,
}

/// What lasts shorter passes by itself: a broker's change of address, the rounds of a rebalance.
const PASSING: Duration = Duration::from_secs(5);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl ClientContext for GroupContext {
    fn stats(&self, statistics: Statistics) {
        let mut standing = lock(&self.standing);
        // Bootstrap addresses and coordinators are listed beside the brokers that they stand for.
        standing.brokers = statistics
            .brokers
            .values()
            // One that nothing was asked of has no connection, and needs none.
            .filter(|broker| broker.nodeid >= 0 && broker.state != "INIT")
            .map(|broker| (broker.nodeid, broker.state == "UP"))
            .collect();
        let is_cut_off = !statistics.brokers.values().any(|broker| broker.state == "UP");
        let since = |holds: bool, since: Option<Instant>| holds.then(|| since.unwrap_or_else(Instant::now));
        standing.alone_since = since(is_cut_off, standing.alone_since);
        let idle = statistics.cgrp.is_some_and(|g| g.join_state == "steady" && g.assignment_size == 0);
        standing.idle_since = since(idle, standing.idle_since);
        drop(standing);
        let mut ends = lock(&self.ends);
        for topic in statistics.topics.values() {
            for partition in topic.partitions.values() {
                if partition.partition >= 0 && partition.ls_offset >= 0 {
                    ends.insert(partition.partition, partition.ls_offset);
                }
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PartitionEOF) => {}
            Some(RDKafkaErrorCode::AllBrokersDown) => tracing::warn!(reason, "no broker can be reached"),
            _ => tracing::debug!(%error, reason, "Kafka client"),
        }
    }
}

impl ConsumerContext for GroupContext {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance
            && let Some(on_revoke) = self.on_revoke.get()
        {
            on_revoke(&partitions(list), consumer.assignment_lost());
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                if let Err(error) = consumer.pause(list) {
                    tracing::error!(%error, "a new partition cannot be paused");
                }
                lock(&self.changes).push(Change::Assigned(partitions(list)));
            }
            Rebalance::Revoke(list) => lock(&self.changes).push(Change::Revoked(partitions(list))),
            Rebalance::Error(error) => tracing::warn!(%error, "a rebalance failed"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, list: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "offsets were not committed");
            lock(&self.changes).push(Change::NotCommitted(partitions(list)));
        }
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<i32> {
    list.elements().iter().map(|e| e.partition()).collect()
}

/// What a call of [`Group::poll`] found.
pub enum Event {
    /// These partitions are now this member's; read them from their queues.
    Assigned(Vec<(i32, Queue)>),
    /// These partitions are no longer this member's.
    Revoked(Vec<i32>),
    /// Offsets of these partitions, committed without waiting, were refused: in a rebalance the brokers take none, not
    /// even for partitions that stay.
    NotCommitted(Vec<i32>),
}

/// A member of a consumer group, for one topic.
pub struct Group {
    consumer: Arc<BaseConsumer<GroupContext>>,
    topic: String,
}

impl Group {
    /// Joins the group of `config` for `topic`.
    ///
    /// # Errors
    ///
    /// If librdkafka refuses the settings.
    pub fn join(config: &ClientConfig, topic: &str, on_revoke: Option<OnRevoke>) -> KafkaResult<Self> {
        let context = GroupContext::default();
        if let Some(hook) = on_revoke {
            // The cell was made a line above and is empty.
            let _ = context.on_revoke.set(hook);
        }
        let consumer: BaseConsumer<GroupContext> = config.create_with_context(context)?;
        consumer.subscribe(&[topic])?;
        Ok(Self { consumer: Arc::new(consumer), topic: topic.to_owned() })
    }

    /// The consumer itself, for its metadata and offsets.
    pub fn consumer(&self) -> &BaseConsumer<GroupContext> {
        &self.consumer
    }

    /// Serves callbacks for up to `wait`, and tells what they brought.
    ///
    /// # Errors
    ///
    /// If the client can't go on, or a message took the main queue, which would break the order.
    pub fn poll(&self, wait: Duration) -> KafkaResult<Vec<Event>> {
        match self.consumer.poll(wait) {
            None => {}
            Some(Ok(message)) => {
                tracing::error!(
                    partition = message.partition(),
                    offset = message.offset(),
                    "a message took the main queue"
                );
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::BadMessage));
            }
            Some(Err(error)) if is_final(&error) => return Err(error),
            Some(Err(error)) => tracing::debug!(%error, "Kafka consumer"),
        }
        let changes = std::mem::take(&mut *lock(&self.consumer.context().changes));
        changes.into_iter().map(|change| self.event(change)).collect()
    }

    fn event(&self, change: Change) -> KafkaResult<Event> {
        let assigned = match change {
            Change::Revoked(partitions) => return Ok(Event::Revoked(partitions)),
            Change::NotCommitted(partitions) => return Ok(Event::NotCommitted(partitions)),
            Change::Assigned(partitions) => partitions,
        };
        let mut list = TopicPartitionList::new();
        let mut queues = Vec::new();
        for partition in assigned {
            let queue = self.consumer.split_partition_queue(&self.topic, partition);
            queues.push((partition, queue.ok_or(KafkaError::Subscription("no queue for a partition".into()))?));
            list.add_partition(&self.topic, partition);
        }
        self.consumer.resume(&list)?;
        Ok(Event::Assigned(queues))
    }

    /// The brokers that this member needs a connection to, by number, and whether it has one.
    pub fn brokers(&self) -> BTreeMap<i32, bool> {
        lock(&self.consumer.context().standing).brokers.clone()
    }

    /// Whether no broker has been connected for some seconds.
    pub fn is_cut_off(&self) -> bool {
        lock(&self.consumer.context().standing).alone_since.is_some_and(|since| since.elapsed() >= PASSING)
    }

    /// Whether it has been a member of the group without any partition for some seconds.
    pub fn is_standing_by(&self) -> bool {
        lock(&self.consumer.context().standing).idle_since.is_some_and(|since| since.elapsed() >= PASSING)
    }

    /// The last stable offset of each assigned partition, at most a second or two old.
    pub fn ends(&self) -> BTreeMap<i32, i64> {
        lock(&self.consumer.context().ends).clone()
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// A list of offsets of the topic's partitions, each with metadata.
    pub fn offsets(&self, offsets: &HashMap<i32, (i64, String)>) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, (offset, metadata)) in offsets {
            let mut entry = list.add_partition(&self.topic, *partition);
            entry.set_offset(Offset::Offset(*offset))?;
            entry.set_metadata(metadata);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_offsets_are_told_and_accepted_ones_are_not() {
        let context = GroupContext::default();
        let mut list = TopicPartitionList::new();
        for partition in [3, 4] {
            list.add_partition("deltas", partition);
        }
        context.commit_callback(Ok(()), &list);
        assert!(lock(&context.changes).is_empty());
        context.commit_callback(Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::IllegalGeneration)), &list);
        let changes = std::mem::take(&mut *lock(&context.changes));
        assert!(matches!(&changes[..], [Change::NotCommitted(partitions)] if *partitions == [3, 4]));
    }
}
