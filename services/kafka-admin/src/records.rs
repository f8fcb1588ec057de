//! Producing and fetching, just enough to prove that a cluster works (or that it refuses).
//!
//! Each function speaks to the partition's leader, over a connection the caller has opened.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{BrokerId, FetchRequest, ListOffsetsRequest, ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Record, RecordBatchDecoder,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::admin::Admin;
use crate::connection::{ConnectOptions, Connection, check};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};

/// The newest versions of Produce and Fetch that name topics (later ones use ids).
const NEWEST_BY_NAME: i16 = 12;
/// `ListOffsets` of the next offset to be written.
const LATEST: i64 = -1;
/// Most bytes of one fetch.
const FETCH_BYTES: i32 = 8 << 20;

/// A message to produce.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// The key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// Headers, as name and value.
    pub headers: Vec<(String, Bytes)>,
}

/// What a fetch brought.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The end of what is replicated.
    pub high_watermark: i64,
    /// Record batches as they are on disk; the first may begin before the offset asked for.
    pub batches: Bytes,
}

impl Fetched {
    /// The offset after the last whole batch, read from the batches' headers without decoding
    /// (or decompressing) records; nothing when there is no whole batch.
    pub fn next_offset(&self) -> Option<i64> {
        /// Base offset (8), length (4); the last offset's delta is at byte 23 of a batch.
        const HEAD: usize = 12;
        const LAST_DELTA: usize = 23;
        let mut rest: &[u8] = &self.batches;
        let mut next = None;
        loop {
            let number = |at: usize, width: usize| -> Option<i64> {
                let bytes = rest.get(at..at + width)?;
                Some(bytes.iter().fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte)))
            };
            let (Some(base), Some(length), Some(delta)) = (number(0, 8), number(8, 4), number(LAST_DELTA, 4)) else {
                return next;
            };
            let Some(after) = usize::try_from(length).ok().and_then(|length| rest.get(HEAD + length..)) else {
                return next;
            };
            next = Some(base + delta + 1);
            rest = after;
        }
    }

    /// The records, decoded (uncompressed batches only).
    ///
    /// # Errors
    /// The batches are damaged or compressed.
    pub fn records(&self) -> Result<Vec<Record>> {
        let mut batches = self.batches.clone();
        let sets = RecordBatchDecoder::decode_all(&mut batches)
            .map_err(|error| Error::Protocol { to: "the broker".to_owned(), detail: error.to_string() })?;
        Ok(sets.into_iter().flat_map(|set| set.records).collect())
    }
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// Writes one uncompressed message with `acks=all`; returns its offset.
///
/// # Errors
/// The connection failed, or the broker refused with its code.
pub async fn produce(connection: &mut Connection, topic: &str, partition: i32, message: &Message) -> Result<i64> {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let headers: IndexMap<_, _> = message
        .headers
        .iter()
        .map(|(name, value)| (StrBytes::from_string(name.clone()), Some(value.clone())))
        .collect();
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: -1,
        timestamp: i64::try_from(since_epoch.as_millis()).unwrap_or_default(),
        key: Some(message.key.clone()),
        value: Some(message.value.clone()),
        headers,
    };
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, [&record], &options)
        .map_err(|error| Error::protocol(connection.peer(), error))?;

    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.freeze()));
    let topic_data = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic_data]);
    let answer = connection.call_at_most(&request, NEWEST_BY_NAME).await?;
    let result = answer.responses.first().and_then(|topic| topic.partition_responses.first());
    let Some(result) = result else {
        return Err(Error::protocol(connection.peer(), "Produce was answered without a result"));
    };
    let what = format!("Produce {topic}-{partition}");
    check(connection.peer(), what, result.error_code, result.error_message.as_ref())?;
    Ok(result.base_offset)
}

/// Reads from `offset` on, waiting up to `max_wait` for something to be there.
///
/// # Errors
/// The connection failed, or the broker refused with its code.
pub async fn fetch(
    connection: &mut Connection,
    topic: &str,
    partition: i32,
    offset: i64,
    max_wait: Duration,
) -> Result<Fetched> {
    let part = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_current_leader_epoch(-1)
        .with_partition_max_bytes(FETCH_BYTES);
    let wanted = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![part]);
    let request = FetchRequest::default()
        .with_max_wait_ms(i32::try_from(max_wait.as_millis()).unwrap_or(i32::MAX))
        .with_min_bytes(1)
        .with_max_bytes(FETCH_BYTES)
        .with_session_epoch(-1)
        .with_topics(vec![wanted]);
    let answer = connection.call_at_most(&request, NEWEST_BY_NAME).await?;
    let what = || format!("Fetch {topic}-{partition}");
    check(connection.peer(), what(), answer.error_code, None)?;
    let result = answer.responses.first().and_then(|topic| topic.partitions.first());
    let Some(result) = result else {
        return Err(Error::protocol(connection.peer(), "Fetch was answered without a result"));
    };
    check(connection.peer(), what(), result.error_code, None)?;
    let batches = result.records.clone().unwrap_or_default();
    Ok(Fetched { high_watermark: result.high_watermark, batches })
}

/// The offset the next message of a partition will get.
///
/// # Errors
/// The connection failed, or the broker refused with its code.
pub async fn end_offset(connection: &mut Connection, topic: &str, partition: i32) -> Result<i64> {
    let part = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_current_leader_epoch(-1)
        .with_timestamp(LATEST);
    let wanted = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![part]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![wanted]);
    let answer = connection.call(&request).await?;
    let result = answer.topics.first().and_then(|topic| topic.partitions.first());
    let Some(result) = result else {
        return Err(Error::protocol(connection.peer(), "ListOffsets was answered without a result"));
    };
    check(connection.peer(), format!("ListOffsets {topic}-{partition}"), result.error_code, None)?;
    Ok(result.offset)
}

/// Opens a connection to the leader of a partition.
///
/// # Errors
/// No broker answers, the topic or its leader is missing, or the client may not see the topic.
pub async fn leader(
    brokers: &[Endpoint],
    options: &ConnectOptions,
    topic: &str,
    partition: usize,
) -> Result<Connection> {
    use kafka_protocol::ResponseError::{LeaderNotAvailable, UnknownTopicOrPartition};

    let mut admin = Admin::connect(brokers, options).await?;
    let found = admin.topic(topic).await?;
    let refuse = |code, to: &str| {
        let what = format!("Metadata of {topic}-{partition}");
        Err(Error::Kafka { to: to.to_owned(), what, code, message: None })
    };
    let Some(info) = found else { return refuse(UnknownTopicOrPartition, admin.connection.peer()) };
    match info.leader_of(partition) {
        None => refuse(LeaderNotAvailable, admin.connection.peer()),
        Some(leader) if leader.to_string() == admin.connection.peer() => Ok(admin.connection),
        Some(leader) => Connection::open(leader, options).await,
    }
}

/// A message that went through the cluster and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrip {
    /// Its offset.
    pub offset: i64,
    /// From the first connection to the message's return.
    pub took: Duration,
}

/// Proves that the cluster works: writes `marker` to partition 0 of `topic` (replicated, as
/// `acks=all` asks) and reads it back, through whatever security `options` has.
///
/// # Errors
/// Whatever step failed, or [`Error::Timeout`] when the message doesn't come back.
pub async fn round_trip(
    brokers: &[Endpoint],
    options: &ConnectOptions,
    topic: &str,
    marker: &str,
) -> Result<RoundTrip> {
    let started = Instant::now();
    let mut connection = leader(brokers, options, topic, 0).await?;
    let key = Bytes::copy_from_slice(marker.as_bytes());
    let message = Message { key: key.clone(), value: Bytes::from_static(b"ready?"), headers: Vec::new() };
    let offset = produce(&mut connection, topic, 0, &message).await?;
    while started.elapsed() < options.time_limit {
        let fetched = fetch(&mut connection, topic, 0, offset, Duration::from_millis(500)).await?;
        let records = fetched.records()?;
        if records.iter().any(|record| record.offset == offset && record.key.as_ref() == Some(&key)) {
            return Ok(RoundTrip { offset, took: started.elapsed() });
        }
    }
    let (to, limit) = (connection.peer().to_owned(), options.time_limit);
    Err(Error::Timeout { to, action: "waiting for a message to come back", limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(base: i64, records: i32) -> Vec<u8> {
        let mut bytes = vec![0; 61];
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes[8..12].copy_from_slice(&49_i32.to_be_bytes());
        bytes[23..27].copy_from_slice(&(records - 1).to_be_bytes());
        bytes
    }

    fn next(batches: Vec<u8>) -> Option<i64> {
        Fetched { high_watermark: 0, batches: batches.into() }.next_offset()
    }

    #[test]
    fn next_offset_skips_whole_batches_only() {
        assert_eq!(next(vec![]), None);
        assert_eq!(next(batch(100, 7)), Some(107));
        let two = [batch(100, 7), batch(107, 1)].concat();
        assert_eq!(next(two.clone()), Some(108));
        assert_eq!(next(two[..two.len() - 1].to_vec()), Some(107));
        assert_eq!(next(two[..70].to_vec()), Some(107));
    }
}
