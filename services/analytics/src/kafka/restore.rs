//! The sessions of newly assigned partitions, from checkpoints and the event topic.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use storepulse_events::{Currency, decode, topics};

use super::group::is_final;
use super::onlooker::{Onlooker, OnlookerContext, patiently};
use crate::failpoint::{self, Point};
use crate::fold::Account;
use crate::session::{Checkpoint, Limits, Position, SessionTable, seal};

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
    consumer: Onlooker,
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
        config.set("enable.auto.commit", "false").set("isolation.level", "read_committed");
        config.set("auto.offset.reset", "error").set("fetch.wait.max.ms", "5");
        let consumer = config.create_with_context(OnlookerContext)?;
        Ok(Self { consumer, topic: topic.to_owned(), currency, limits })
    }

    /// Restores one partition. `now` is this machine's time in milliseconds; `stopped` ends the work early.
    ///
    /// # Errors
    ///
    /// See [`RestoreError`].
    pub fn restore(&self, partition: i32, now: i64, stopped: &dyn Fn() -> bool) -> Result<Restored, RestoreError> {
        let reading = Reading { restorer: self, partition, deadline: Instant::now() + LIMIT, stopped };
        let Some((next_offset, position)) = reading.position()? else {
            let (next_offset, _) = reading.ends()?;
            return Ok(Restored { table: SessionTable::new(self.limits), next_offset, newest: None, replayed: 0 });
        };
        let checkpoints = reading.checkpoints(position.seal)?;
        if failpoint::reach(Point::DuringRestore) {
            return Err(reading.failed("injected"));
        }
        let mut table = SessionTable::restore(self.limits, checkpoints, position, now);
        let (mut newest, mut replayed, mut told) = (position.stream_time, 0, Account::default());
        reading.events(position.restore_from, next_offset, |record| {
            let time = record.timestamp().to_millis().unwrap_or(0);
            newest = newest.max(time);
            replayed += 1;
            // It was told when these events were committed.
            told.clear();
            match decode(record.payload().unwrap_or_default(), self.currency) {
                Ok(event) => drop(table.observe(&event, record.offset(), time, now, &mut told)),
                Err(_) => table.tick(record.offset(), time, &mut told),
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
        let Ok(answer) = self.consumer.committed_offsets(list, LOOK) else { return Vec::new() };
        let position = |partition, offset| match offset {
            Offset::Offset(offset) => Some((partition, offset)),
            _ => Some((partition, self.consumer.fetch_watermarks(&self.topic, partition, LOOK).ok()?.0)),
        };
        answer.elements().iter().filter_map(|e| position(e.partition(), e.offset())).collect()
    }
}

/// One partition's restoration.
struct Reading<'a> {
    restorer: &'a Restorer,
    partition: i32,
    deadline: Instant,
    stopped: &'a dyn Fn() -> bool,
}

impl Reading<'_> {
    fn failed(&self, problem: impl ToString) -> RestoreError {
        RestoreError::Kafka { partition: self.partition, problem: problem.to_string() }
    }

    fn corrupt(&self, problem: String) -> RestoreError {
        RestoreError::Corrupt { partition: self.partition, problem }
    }

    fn consumer(&self) -> &Onlooker {
        &self.restorer.consumer
    }

    /// The group's committed offset of the partition, with what was committed beside it.
    fn position(&self) -> Result<Option<(i64, Position)>, RestoreError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.restorer.topic, self.partition);
        let ask = || self.consumer().committed_offsets(list.clone(), CALL);
        let answer = patiently(self.deadline, ask).map_err(|e| self.failed(e))?;
        let elements = answer.elements();
        let Some(Offset::Offset(offset)) = elements.first().map(|e| e.offset()) else { return Ok(None) };
        let metadata = elements.first().map(|e| e.metadata().to_owned()).unwrap_or_default();
        let position = metadata.parse().map_err(|problem| self.corrupt(problem))?;
        Ok(Some((offset, position)))
    }

    /// The first offset of the partition of the event topic, and the one after its last.
    fn ends(&self) -> Result<(i64, i64), RestoreError> {
        self.consumer().fetch_watermarks(&self.restorer.topic, self.partition, CALL).map_err(|e| self.failed(e))
    }

    /// The latest checkpoint of each session of the partition, as it was when a seal was set.
    fn checkpoints(&self, seal: u64) -> Result<Vec<(Box<str>, Checkpoint)>, RestoreError> {
        if seal == 0 {
            return Ok(Vec::new());
        }
        let mut found = HashMap::new();
        let mut problem = None;
        // What was committed after a dead owner's transaction began is hidden until that one is aborted.
        let missing = format!("checkpoints up to seal {seal}; a transaction of another instance may stay open");
        self.read(topics::SESSIONS, Offset::Beginning, &missing, |record| match checkpoint(&mut found, record) {
            Ok(sealed) => sealed.is_none_or(|found| found < seal),
            Err(e) => {
                problem = Some(format!("the record of {} at offset {}: {e}", topics::SESSIONS, record.offset()));
                false
            }
        })?;
        match problem {
            Some(problem) => Err(self.corrupt(problem)),
            None => Ok(found.into_iter().collect()),
        }
    }

    /// Reads the events from `from` to before `to`, as far as they are not deleted.
    fn events(&self, from: i64, to: i64, mut each: impl FnMut(&BorrowedMessage<'_>)) -> Result<(), RestoreError> {
        if from >= to {
            return Ok(());
        }
        let (low, high) = self.ends()?;
        if high < to {
            return Err(self.failed(format!(
                "its events end at offset {high}, before the committed offset {to}: the topic was made anew, or lost events"
            )));
        }
        let from = from.max(low);
        if from >= to {
            return Ok(());
        }
        self.read(&self.restorer.topic, Offset::Offset(from), &format!("events up to offset {to}"), |record| {
            if record.offset() < to {
                each(record);
            }
            record.offset() + 1 < to
        })
    }

    /// Reads from an offset until `each` has seen enough, each offset once and in order: when the leader changes the
    /// client may hand out again what it has read. `missing` says what is not there when the time is over.
    fn read(
        &self,
        topic: &str,
        from: Offset,
        missing: &str,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> bool,
    ) -> Result<(), RestoreError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, self.partition, from).map_err(|e| self.failed(e))?;
        self.consumer().assign(&list).map_err(|e| self.failed(e))?;
        let mut next = 0;
        let outcome = loop {
            match self.consumer().poll(Duration::from_millis(200)) {
                Some(Ok(record)) if record.offset() < next => {}
                Some(Ok(record)) => {
                    next = record.offset() + 1;
                    if !each(&record) {
                        break Ok(());
                    }
                }
                Some(Err(error)) if is_final(&error) => {
                    break Err(RestoreError::Refused { partition: self.partition, topic: topic.to_owned(), error });
                }
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                    break Err(self.failed(error));
                }
                Some(Err(error)) => tracing::debug!(partition = self.partition, %error, "restoring"),
                None => {}
            }
            if (self.stopped)() || Instant::now() >= self.deadline {
                break Err(self.failed(format!("not there in time: {missing}")));
            }
        };
        let _ = self.consumer().unassign();
        outcome
    }
}

/// Takes in a record of the compacted topic. Says which seal it is, if it is one.
fn checkpoint(found: &mut HashMap<Box<str>, Checkpoint>, record: &BorrowedMessage<'_>) -> Result<Option<u64>, String> {
    let key = record.key().unwrap_or_default();
    match (std::str::from_utf8(key), record.payload()) {
        (Ok(id), None) => drop(found.remove(id)),
        (Ok(id), Some(bytes)) => drop(found.insert(id.into(), Checkpoint::decode(bytes)?)),
        (Err(_), Some(bytes)) if key == seal::KEY => return seal::decode(bytes).map(Some),
        (Err(_), _) => return Err("its key is neither a session's id nor that of seals".to_owned()),
    }
    Ok(None)
}
