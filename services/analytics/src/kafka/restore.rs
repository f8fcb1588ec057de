//! The sessions of newly assigned partitions, from checkpoints and the event topic.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use storepulse_events::{Currency, decode, topics};

use super::group::is_final;
use super::onlooker::{Onlooker, OnlookerContext};
use crate::failpoint::{self, Point};
use crate::session::{Checkpoint, Limits, Position, SessionTable};

/// A partition's sessions as they were at its committed offset.
pub struct Restored {
    /// The sessions.
    pub table: SessionTable,
    /// The first offset to read.
    pub next_offset: i64,
    /// The highest broker's time of what stands before it, if that is known, in milliseconds since the Unix epoch.
    pub newest: Option<i64>,
    /// The number of events that were read again.
    pub replayed: u64,
}

/// Why sessions could not be restored. A new start may help.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The brokers did not answer, or not in time.
    #[error("the sessions of partition {partition} could not be restored: {problem}")]
    Kafka {
        /// The partition.
        partition: i32,
        /// What went wrong.
        problem: String,
    },
    /// The brokers refuse.
    #[error("the sessions of partition {partition} could not be restored: {topic}: {error}")]
    Refused {
        /// The partition.
        partition: i32,
        /// The topic that was read.
        topic: String,
        /// The answer.
        error: KafkaError,
    },
    /// What the brokers keep can't be read.
    #[error("the state of partition {partition} cannot be read: {problem}")]
    Corrupt {
        /// The partition.
        partition: i32,
        /// What is wrong with it.
        problem: String,
    },
}

/// Restores partitions; made anew for each assignment.
pub struct Restorer {
    /// Sees only committed transactions; its group is the service's, to read the group's offsets.
    committed: Onlooker,
    /// Sees everything, to know where a partition really ends.
    uncommitted: Onlooker,
    topic: String,
    currency: Currency,
    limits: Limits,
}

/// The longest time that one partition may take. An open transaction of a dead instance is waited for.
const LIMIT: Duration = Duration::from_secs(120);
const CALL: Duration = Duration::from_secs(10);
/// For what is nice to know.
const LOOK: Duration = Duration::from_secs(1);

impl Restorer {
    /// `config` has the client's security and the service's group.
    ///
    /// # Errors
    ///
    /// If librdkafka refuses the settings.
    pub fn new(config: &ClientConfig, topic: &str, currency: Currency, limits: Limits) -> Result<Self, KafkaError> {
        let mut config = config.clone();
        config.set("enable.auto.commit", "false").set("enable.partition.eof", "true");
        config.set("auto.offset.reset", "error").set("fetch.wait.max.ms", "5");
        let committed = config.clone().set("isolation.level", "read_committed").create_with_context(OnlookerContext)?;
        let uncommitted = config.set("isolation.level", "read_uncommitted").create_with_context(OnlookerContext)?;
        Ok(Self { committed, uncommitted, topic: topic.to_owned(), currency, limits })
    }

    /// Restores one partition. `now` is this machine's time in milliseconds; `stopped` ends the work early.
    ///
    /// # Errors
    ///
    /// See [`RestoreError`].
    pub fn restore(&self, partition: i32, now: i64, stopped: &dyn Fn() -> bool) -> Result<Restored, RestoreError> {
        let kafka = |e: KafkaError| RestoreError::Kafka { partition, problem: e.to_string() };
        let deadline = Instant::now() + LIMIT;
        let Some((next_offset, position)) = self.committed_position(partition, deadline)? else {
            let (low, _) = self.committed.fetch_watermarks(&self.topic, partition, CALL).map_err(kafka)?;
            return Ok(Restored { table: SessionTable::new(self.limits), next_offset: low, newest: None, replayed: 0 });
        };
        let checkpoints = self.checkpoints(partition, deadline, stopped)?;
        if failpoint::reach(Point::DuringRestore) {
            return Err(RestoreError::Kafka { partition, problem: "injected".into() });
        }
        let mut table = SessionTable::restore(self.limits, checkpoints, position, now);
        let (mut newest, mut replayed) = (position.stream_time, 0);
        self.replay(partition, position.restore_from, next_offset, deadline, stopped, |record| {
            let time = record.timestamp().to_millis().unwrap_or(0);
            newest = newest.max(time);
            replayed += 1;
            match decode(record.payload().unwrap_or_default(), self.currency) {
                Ok(event) => drop(table.observe(&event, record.offset(), time, now)),
                Err(_) => table.tick(record.offset(), time),
            }
        })?;
        table.finish_restoring(next_offset);
        tracing::debug!(partition, next_offset, replayed, sessions = table.len(), "sessions restored");
        Ok(Restored { table, next_offset, newest: (newest > 0).then_some(newest), replayed })
    }

    /// The first offset of each partition that is in no committed transaction, to show how much there is to do. Partitions
    /// of which the brokers don't tell within a second are left out.
    pub fn positions(&self, partitions: &[i32]) -> Vec<(i32, i64)> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        let Ok(answer) = self.committed.committed_offsets(list, LOOK) else { return Vec::new() };
        let position = |partition, offset| match offset {
            Offset::Offset(offset) => Some((partition, offset)),
            _ => Some((partition, self.committed.fetch_watermarks(&self.topic, partition, LOOK).ok()?.0)),
        };
        answer.elements().iter().filter_map(|e| position(e.partition(), e.offset())).collect()
    }

    /// The group's committed offset of the partition, with what was committed beside it.
    fn committed_position(&self, partition: i32, deadline: Instant) -> Result<Option<(i64, Position)>, RestoreError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        let answer = loop {
            match self.committed.committed_offsets(list.clone(), CALL) {
                Ok(answer) => break answer,
                Err(error) if Instant::now() < deadline => tracing::debug!(partition, %error, "offsets are waited for"),
                Err(error) => return Err(RestoreError::Kafka { partition, problem: error.to_string() }),
            }
        };
        let elements = answer.elements();
        let Some(Offset::Offset(offset)) = elements.first().map(|e| e.offset()) else { return Ok(None) };
        let metadata = elements.first().map(|e| e.metadata().to_owned()).unwrap_or_default();
        let position = metadata.parse().map_err(|problem| RestoreError::Corrupt { partition, problem })?;
        Ok(Some((offset, position)))
    }

    /// The latest checkpoint of each session of the partition.
    fn checkpoints(
        &self,
        partition: i32,
        deadline: Instant,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Vec<(Box<str>, Checkpoint)>, RestoreError> {
        let kafka = |e: KafkaError| RestoreError::Kafka { partition, problem: e.to_string() };
        let corrupt = |problem: String| RestoreError::Corrupt { partition, problem };
        let (_, end) = self.uncommitted.fetch_watermarks(topics::SESSIONS, partition, CALL).map_err(kafka)?;
        // A dead owner's transaction hides what was committed after it began, until it is aborted.
        loop {
            let (_, stable) = self.committed.fetch_watermarks(topics::SESSIONS, partition, CALL).map_err(kafka)?;
            if stable >= end {
                break;
            }
            if stopped() || Instant::now() >= deadline {
                let problem = "a transaction of another instance stays open".to_owned();
                return Err(RestoreError::Kafka { partition, problem });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let mut found: HashMap<Box<str>, Checkpoint> = HashMap::new();
        let mut problem = None;
        self.read(topics::SESSIONS, partition, Offset::Beginning, None, deadline, stopped, |record| {
            let Some(Ok(id)) = record.key().map(std::str::from_utf8) else { return };
            match record.payload() {
                None => drop(found.remove(id)),
                Some(bytes) => match Checkpoint::decode(bytes) {
                    Ok(checkpoint) => drop(found.insert(id.into(), checkpoint)),
                    Err(e) => problem = Some(format!("checkpoint at offset {}: {e}", record.offset())),
                },
            }
        })?;
        match problem {
            Some(problem) => Err(corrupt(problem)),
            None => Ok(found.into_iter().collect()),
        }
    }

    fn replay(
        &self,
        partition: i32,
        from: i64,
        to: i64,
        deadline: Instant,
        stopped: &dyn Fn() -> bool,
        each: impl FnMut(&rdkafka::message::BorrowedMessage<'_>),
    ) -> Result<(), RestoreError> {
        if from >= to {
            return Ok(());
        }
        self.read(&self.topic, partition, Offset::Offset(from), Some(to), deadline, stopped, each)
    }

    /// Reads a partition from `from` to its end, or to the offset `to`.
    #[allow(clippy::too_many_arguments)]
    fn read(
        &self,
        topic: &str,
        partition: i32,
        from: Offset,
        to: Option<i64>,
        deadline: Instant,
        stopped: &dyn Fn() -> bool,
        mut each: impl FnMut(&rdkafka::message::BorrowedMessage<'_>),
    ) -> Result<(), RestoreError> {
        let failed = |problem: String| RestoreError::Kafka { partition, problem };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, from).map_err(|e| failed(e.to_string()))?;
        self.committed.assign(&list).map_err(|e| failed(e.to_string()))?;
        let outcome = loop {
            match self.committed.poll(Duration::from_millis(200)) {
                Some(Ok(record)) => {
                    if to.is_some_and(|to| record.offset() >= to) {
                        break Ok(());
                    }
                    each(&record);
                    if to.is_some_and(|to| record.offset() + 1 >= to) {
                        break Ok(());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break Ok(()),
                Some(Err(error)) if is_final(&error) => {
                    break Err(RestoreError::Refused { partition, topic: topic.to_owned(), error });
                }
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                    break Err(failed(error.to_string()));
                }
                Some(Err(error)) => tracing::debug!(partition, %error, "restoring"),
                None => {}
            }
            if stopped() || Instant::now() >= deadline {
                break Err(failed("it was not read in time".into()));
            }
        };
        let _ = self.committed.unassign();
        outcome
    }
}
