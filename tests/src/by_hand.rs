//! What no service does: single messages, dead letters, permissions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};
use storepulse_events::topics;
use storepulse_kafka_admin::{AclBinding, Admin, AdminConnectConfig, Plan, Settings};

/// For an answer of the cluster.
const ANSWER: Duration = Duration::from_secs(30);

/// Variables of a principal.
pub type Variables = [(String, String)];

/// A message to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// The key; there need not be one.
    pub key: Option<Vec<u8>>,
    /// The value; a tombstone has none.
    pub value: Option<Vec<u8>>,
}

/// A record of the dead-letter topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message as it was.
    pub letter: Letter,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
}

/// Says nothing: the tests expect some of the errors, and see them in results.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Quiet {}

/// The settings of a client with the papers of a principal.
///
/// # Errors
/// When a variable is missing.
pub(crate) fn client_config(variables: &Variables) -> anyhow::Result<ClientConfig> {
    let mut config = ClientConfig::new();
    config.set("security.protocol", "SASL_SSL").set("broker.address.family", "v4");
    for (setting, variable) in [
        ("bootstrap.servers", "KAFKA_BROKERS"),
        ("ssl.ca.location", "KAFKA_SSL_CA_LOCATION"),
        ("ssl.certificate.location", "KAFKA_SSL_CERTIFICATE_LOCATION"),
        ("ssl.key.location", "KAFKA_SSL_KEY_LOCATION"),
        ("sasl.mechanism", "KAFKA_SASL_MECHANISM"),
        ("sasl.username", "KAFKA_SASL_USERNAME"),
        ("sasl.password", "KAFKA_SASL_PASSWORD"),
    ] {
        config.set(setting, lookup(variables, variable).with_context(|| format!("{variable} is not known"))?);
    }
    Ok(config)
}

fn lookup(variables: &Variables, name: &str) -> Option<String> {
    variables.iter().find(|(variable, _)| variable == name).map(|(_, value)| value.clone())
}

/// Writes messages to the event topic, one after the other, each acknowledged before the next.
#[derive(Clone)]
pub struct Writer {
    producer: FutureProducer<Quiet>,
}

impl Writer {
    /// A writer with the papers of a principal.
    ///
    /// # Errors
    /// When the papers can't be used.
    pub fn new(variables: &Variables) -> anyhow::Result<Self> {
        Self::lingering(variables, "0")
    }

    /// A writer that collects messages for so many milliseconds, to send those of a partition in one batch.
    ///
    /// # Errors
    /// When the papers can't be used.
    pub fn lingering(variables: &Variables, millis: &str) -> anyhow::Result<Self> {
        let mut config = client_config(variables)?;
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", millis)
            // As it is, so that the broker sees every byte; and the brokers, not this client, say what is too large.
            .set("compression.type", "none")
            .set("message.max.bytes", "4194304")
            .set("message.timeout.ms", "30000");
        Ok(Self { producer: config.create_with_context(Quiet)? })
    }

    /// Writes one message; says in which partition it stands, and where.
    ///
    /// # Errors
    /// The cluster's answer when it refuses.
    pub async fn write(&self, letter: &Letter) -> Result<(i32, i64), KafkaError> {
        match self.producer.send(record(letter), Timeout::After(ANSWER)).await {
            Ok(place) => Ok((place.partition, place.offset)),
            Err((error, _)) => Err(error),
        }
    }

    /// Writes messages in their order, all under way together; says for each in which partition it stands, and where.
    ///
    /// # Errors
    /// The first refusal.
    pub async fn write_batch(&self, letters: &[Letter]) -> Result<Vec<(i32, i64)>, KafkaError> {
        let send = |letter| self.producer.send_result(record(letter)).map_err(|(error, _)| error);
        let under_way: Vec<_> = letters.iter().map(send).collect::<Result<_, _>>()?;
        let mut places = Vec::new();
        for outcome in under_way {
            let place = outcome.await.map_err(|_| KafkaError::Canceled)?.map_err(|(error, _)| error)?;
            places.push((place.partition, place.offset));
        }
        Ok(places)
    }
}

fn record(letter: &Letter) -> FutureRecord<'_, [u8], [u8]> {
    let mut record = FutureRecord::to(topics::EVENTS);
    record.key = letter.key.as_deref();
    record.payload = letter.value.as_deref();
    record
}

/// Which broker leads each partition of the event topic; a partition without a leader is left out.
///
/// # Errors
/// When the cluster does not answer.
pub fn leaders(variables: &Variables) -> anyhow::Result<BTreeMap<i32, i32>> {
    let consumer: BaseConsumer<Quiet> = client_config(variables)?.create_with_context(Quiet)?;
    let metadata = consumer.fetch_metadata(Some(topics::EVENTS), ANSWER)?;
    let partitions = metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions);
    Ok(partitions.filter(|partition| partition.leader() >= 0).map(|p| (p.id(), p.leader())).collect())
}

/// Reads all dead letters.
///
/// # Errors
/// When the topic can't be read to its end.
pub fn dead_letters(variables: &Variables) -> anyhow::Result<Vec<DeadLetter>> {
    let consumer: BaseConsumer<Quiet> = client_config(variables)?
        .set("group.id", topics::ANALYTICS_GROUP)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .create_with_context(Quiet)?;
    let metadata = consumer.fetch_metadata(Some(topics::DEAD_LETTERS), ANSWER)?;
    let mut left = BTreeSet::new();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions) {
        list.add_partition_offset(topics::DEAD_LETTERS, partition.id(), Offset::Beginning)?;
        left.insert(partition.id());
    }
    anyhow::ensure!(!left.is_empty(), "the topic of dead letters has no partitions");
    consumer.assign(&list)?;
    let mut letters = Vec::new();
    let mut last = Instant::now();
    while !left.is_empty() {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                last = Instant::now();
                let headers = message.headers().map(|headers| {
                    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
                    headers.iter().map(|header| (header.key.to_owned(), text(header.value))).collect()
                });
                letters.push(DeadLetter {
                    letter: Letter {
                        key: message.key().map(<[u8]>::to_vec),
                        value: message.payload().map(<[u8]>::to_vec),
                    },
                    headers: headers.unwrap_or_default(),
                });
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                left.remove(&partition);
            }
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                return Err(error.into());
            }
            Some(Err(_)) | None if last.elapsed() > ANSWER => bail!("the dead letters can't be read to the end"),
            Some(Err(_)) | None => {}
        }
    }
    Ok(letters)
}

/// An administrator's connection.
///
/// # Errors
/// When the cluster can't be reached.
pub(crate) async fn admin(variables: &Variables) -> anyhow::Result<Admin> {
    let settings = Settings::from_lookup(|name| lookup(variables, name))?;
    let config = AdminConnectConfig::new(&settings, ANSWER)?;
    Ok(Admin::connect(&config.brokers, &config.options).await?)
}

/// Takes permissions away, as the admin; insists that they were there.
///
/// # Errors
/// When the cluster can't be reached, or one of them was not there.
pub async fn take_away(variables: &Variables, permissions: &[AclBinding]) -> anyhow::Result<()> {
    let taken = admin(variables).await?.delete_acls(permissions).await?;
    anyhow::ensure!(taken == permissions.len(), "{taken} of {} permissions were there", permissions.len());
    Ok(())
}

/// Gives back all permissions of the plan that are missing, as the admin.
///
/// # Errors
/// When the cluster can't be reached.
pub async fn give_back(variables: &Variables) -> anyhow::Result<()> {
    let mut admin = admin(variables).await?;
    let there = admin.acls().await?;
    let missing: Vec<AclBinding> = Plan::storepulse().acls.into_iter().filter(|acl| !there.contains(acl)).collect();
    Ok(admin.create_acls(&missing).await?)
}
