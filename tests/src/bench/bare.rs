//! The bound of everything that reads the event topic: librdkafka, one consumer, all partitions, counting bytes.
//!
//! It runs as a process of its own (`storepulse-bench bare-consumer`), with the variables that analytics gets, so that
//! its cost is counted like that of analytics: with starting, connecting, logging in and TLS.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use storepulse_events::topics;

use crate::by_hand::client_config;

/// The longest time without a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the bare consumer has read.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Read {
    /// Messages.
    pub messages: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// Seconds from the first message to the last.
    pub seconds: f64,
}

/// Reads the topic to its end, and prints what was read as JSON.
///
/// # Errors
/// When the topic can't be read.
pub fn run() -> anyhow::Result<()> {
    let variables: Vec<(String, String)> = std::env::vars().collect();
    let read = drain(&variables)?;
    println!("{}", serde_json::to_string(&read)?);
    Ok(())
}

fn drain(variables: &[(String, String)]) -> anyhow::Result<Read> {
    let consumer: BaseConsumer = client_config(variables)?
        .set("group.id", format!("{}-bare", topics::ANALYTICS_GROUP))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topics::EVENTS), PATIENCE)?;
    let mut left = BTreeSet::new();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions) {
        list.add_partition_offset(topics::EVENTS, partition.id(), Offset::Beginning)?;
        left.insert(partition.id());
    }
    consumer.assign(&list)?;
    let mut read = Read::default();
    let mut first: Option<Instant> = None;
    let mut last = Instant::now();
    while !left.is_empty() {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => {
                read.messages += 1;
                read.bytes += message.payload_len() as u64;
                if first.is_none() {
                    first = Some(Instant::now());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                left.remove(&partition);
                last = Instant::now();
            }
            Some(Err(error)) => return Err(error).context("reading the event topic"),
            None if last.elapsed() > PATIENCE => bail!("the event topic can't be read to its end"),
            None => {}
        }
    }
    read.seconds = first.map(|first| first.elapsed().as_secs_f64()).unwrap_or_default();
    Ok(read)
}
