//! Reading topics from their beginning to committed offsets.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use storepulse_events::topics;
use xxhash_rust::xxh3::xxh3_64;

use crate::kafka::onlooker::{Onlooker, OnlookerContext, patiently};
use crate::session::Position;

/// Why a topic can't be read for the audit.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The brokers did not answer as needed.
    #[error("reading {topic}: {error}")]
    Kafka {
        /// Topic.
        topic: String,
        /// The answer.
        error: KafkaError,
    },
    /// The beginning of the topic is gone.
    #[error(
        "{topic}, partition {partition}, begins at offset {low}: what came before was deleted, so it can't be audited"
    )]
    Truncated {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Its first offset.
        low: i64,
    },
    /// It took too long.
    #[error("reading {0}: no message for 30 s before its end")]
    Stalled(String),
    /// The metadata of an offset can't be read.
    #[error("{0}")]
    Position(String),
}

/// How far the service has come.
#[derive(Debug, Default)]
pub struct Drained {
    /// The committed offset of each partition of the event topic.
    pub committed: BTreeMap<i32, i64>,
    /// Messages of the event topic beyond the committed offsets.
    pub behind: i64,
    /// Sessions whose story has not gone out.
    pub pending_stories: u64,
    /// Records of the delta topic beyond the materialiser's committed offsets (counted up to 1 for each partition).
    pub waiting: usize,
}

/// A dead letter that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Where the message stood: partition and offset of the event topic.
    pub origin: (i32, i64),
    /// Why it was rejected.
    pub reason: String,
    /// XXH3 of the message.
    pub hash: u64,
}

const CALL: Duration = Duration::from_secs(10);

/// Reads the service's topics as an onlooker: it joins no group and commits nothing.
pub struct AuditReader {
    client: ClientConfig,
    consumer: Onlooker,
    topic: String,
}

impl AuditReader {
    /// `group` is the service's group, whose offsets are looked at.
    ///
    /// # Errors
    ///
    /// If librdkafka refuses the settings.
    pub fn new(client: &ClientConfig, topic: &str, group: &str) -> Result<Self, KafkaError> {
        let mut client = client.clone();
        client
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "20")
            .set("group.id", group);
        let consumer = client.create_with_context(OnlookerContext)?;
        Ok(Self { client, consumer, topic: topic.to_owned() })
    }

    fn error(topic: &str) -> impl Fn(KafkaError) -> ReadError {
        let topic = topic.to_owned();
        move |error| ReadError::Kafka { topic: topic.clone(), error }
    }

    fn partitions(&self, topic: &str) -> Result<Vec<i32>, ReadError> {
        let metadata = asked(topic, || self.consumer.fetch_metadata(Some(topic), CALL))?;
        Ok(metadata.topics().iter().flat_map(|t| t.partitions().iter().map(|p| p.id())).collect())
    }

    fn committed(&self, consumer: &Onlooker, topic: &str) -> Result<BTreeMap<i32, (Option<i64>, String)>, ReadError> {
        let mut list = TopicPartitionList::new();
        for partition in self.partitions(topic)? {
            list.add_partition(topic, partition);
        }
        let answer = asked(topic, || consumer.committed_offsets(list.clone(), CALL))?;
        let offset = |o| if let Offset::Offset(n) = o { Some(n) } else { None };
        Ok(answer.elements().iter().map(|e| (e.partition(), (offset(e.offset()), e.metadata().to_owned()))).collect())
    }

    /// How far the service has come.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn drained(&self, materialiser: &str) -> Result<Drained, ReadError> {
        let mut drained = Drained::default();
        for (partition, (offset, metadata)) in self.committed(&self.consumer, &self.topic)? {
            let (low, high) = asked(&self.topic, || self.consumer.fetch_watermarks(&self.topic, partition, CALL))?;
            if low > 0 {
                return Err(ReadError::Truncated { topic: self.topic.clone(), partition, low });
            }
            drained.behind += high - offset.unwrap_or(0);
            if let Some(offset) = offset {
                drained.committed.insert(partition, offset);
                let position: Position = metadata.parse().map_err(ReadError::Position)?;
                drained.pending_stories += position.pending_stories;
            }
        }
        let other: Onlooker = self
            .client
            .clone()
            .set("group.id", materialiser)
            .create_with_context(OnlookerContext)
            .map_err(Self::error(topics::DELTAS))?;
        let mut starts = BTreeMap::new();
        for (partition, (offset, _)) in self.committed(&other, topics::DELTAS)? {
            starts.insert(partition, offset.unwrap_or(0));
        }
        // Transaction markers take offsets too, so only reading tells whether a record is left.
        let mut waiting = std::collections::BTreeSet::new();
        read(&self.consumer, topics::DELTAS, &starts, &BTreeMap::new(), |message| {
            waiting.insert(message.partition());
            false
        })?;
        drained.waiting = waiting.len();
        Ok(drained)
    }

    /// Reads the event topic, each partition up to its committed offset.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn events(
        &self,
        committed: &BTreeMap<i32, i64>,
        mut each: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<(), ReadError> {
        let starts = committed.iter().filter(|(_, end)| **end > 0).map(|(partition, _)| (*partition, 0)).collect();
        read(&self.consumer, &self.topic, &starts, committed, |message| {
            let end = committed.get(&message.partition()).copied().unwrap_or(0);
            if message.offset() < end {
                each(message);
            }
            message.offset() + 1 < end
        })
    }

    /// Reads all dead letters of the event topic.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn dead_letters(&self) -> Result<Vec<Letter>, ReadError> {
        let starts = self.partitions(topics::DEAD_LETTERS)?.into_iter().map(|p| (p, 0)).collect();
        let mut letters = Vec::new();
        read(&self.consumer, topics::DEAD_LETTERS, &starts, &BTreeMap::new(), |message| {
            let header = |name: &str| {
                let headers = message.headers()?;
                let found = headers.iter().find(|h| h.key == name)?;
                Some(String::from_utf8_lossy(found.value?).into_owned())
            };
            if header("source-topic").as_deref() == Some(&self.topic) {
                let number = |name: &str| header(name).and_then(|v| v.parse::<i64>().ok()).unwrap_or(-1);
                letters.push(Letter {
                    origin: (number("source-partition") as i32, number("source-offset")),
                    reason: header("reason").unwrap_or_default(),
                    hash: xxh3_64(message.payload().unwrap_or_default()),
                });
            }
            true
        })?;
        Ok(letters)
    }
}

/// What the brokers answer, as soon as they can.
fn asked<T>(topic: &str, ask: impl FnMut() -> Result<T, KafkaError>) -> Result<T, ReadError> {
    const PATIENCE: Duration = Duration::from_secs(60);
    patiently(Instant::now() + PATIENCE, ask).map_err(AuditReader::error(topic))
}

/// Reads each partition from its start until `each` says that it has seen enough of the message's partition, or to its
/// end, which does not count before the offset in `ends`, if it is there: a new leader may not know yet how far its
/// partition goes. Each offset once: when a partition's leader changes the client may hand out again what it has read, which
/// is no second message in the topic.
fn read(
    consumer: &Onlooker,
    topic: &str,
    starts: &BTreeMap<i32, i64>,
    ends: &BTreeMap<i32, i64>,
    mut each: impl FnMut(&BorrowedMessage<'_>) -> bool,
) -> Result<(), ReadError> {
    const STALL: Duration = Duration::from_secs(30);
    let mut list = TopicPartitionList::new();
    for (partition, offset) in starts {
        let entry = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
        entry.map_err(AuditReader::error(topic))?;
    }
    consumer.assign(&list).map_err(AuditReader::error(topic))?;
    // The next offset of each partition that is not done.
    let mut left = starts.clone();
    let mut last = Instant::now();
    let outcome = loop {
        if left.is_empty() {
            break Ok(());
        }
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                last = Instant::now();
                let partition = message.partition();
                if let Some(next) = left.get_mut(&partition).filter(|next| message.offset() >= **next) {
                    *next = message.offset() + 1;
                    if !each(&message) {
                        left.remove(&partition);
                    }
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) if left.get(&partition) >= ends.get(&partition) => {
                last = Instant::now();
                left.remove(&partition);
            }
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(
                    RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::UnknownTopicOrPartition,
                ) => break Err(ReadError::Kafka { topic: topic.to_owned(), error }),
                _ => tracing::debug!(%error, "reading"),
            },
            None => {}
        }
        if last.elapsed() > STALL {
            break Err(ReadError::Stalled(topic.to_owned()));
        }
    };
    let _ = consumer.unassign();
    outcome
}
