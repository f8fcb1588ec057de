//! The same attempts with librdkafka, the library real clients use, to show what they would see.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};
use storepulse_events::topics::EVENTS;
use storepulse_kafka_admin::{Endpoint, Settings};

use crate::answer::{Answer, Refusal};
use crate::world::World;

/// How long librdkafka may try before the attempt counts as without an answer.
const PATIENCE: Duration = Duration::from_secs(6);
/// Pause between looks at what has happened.
const TICK: Duration = Duration::from_millis(50);

/// What a client shows and says.
#[derive(Clone)]
pub(crate) struct Papers {
    who: Settings,
    /// Whether the broker's host name is verified.
    careful: bool,
}

impl Papers {
    /// A principal's own.
    pub(crate) fn good(who: &Settings) -> Self {
        Self { who: who.clone(), careful: true }
    }

    /// A principal's password with the rogue authority's certificate.
    pub(crate) fn rogue(world: &World, who: &Settings) -> Self {
        let mut who = who.clone();
        who.certificate = world.layout.rogue_client_cert();
        who.key = world.layout.rogue_client_key();
        Self { who, careful: true }
    }

    /// A principal's certificate with made-up credentials.
    pub(crate) fn made_up(world: &World, who: &Settings) -> Self {
        let mut who = who.clone();
        who.user = format!("intruder-{}", world.run_id());
        who.password = world.wrong_password();
        Self { who, careful: true }
    }

    /// The same, but connecting elsewhere.
    pub(crate) fn meeting(mut self, endpoint: &Endpoint) -> Self {
        self.who.brokers = vec![endpoint.clone()];
        self
    }

    /// The same, but not verifying host names.
    pub(crate) fn careless(mut self) -> Self {
        self.careful = false;
        self
    }

    fn config(&self) -> ClientConfig {
        let brokers: Vec<_> = self.who.brokers.iter().map(ToString::to_string).collect();
        let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers.join(","))
            .set("client.id", "storepulse-attacker-librdkafka")
            .set("security.protocol", "sasl_ssl")
            .set("ssl.ca.location", path(&self.who.ca))
            .set("ssl.certificate.location", path(&self.who.certificate))
            .set("ssl.key.location", path(&self.who.key))
            .set("ssl.endpoint.identification.algorithm", if self.careful { "https" } else { "none" })
            .set("sasl.mechanism", self.who.mechanism.name())
            .set("sasl.username", &self.who.user)
            .set("sasl.password", self.who.password.reveal())
            .set("socket.connection.setup.timeout.ms", "4000")
            .set("broker.address.family", "v4");
        config
    }
}

/// Collects what librdkafka reports.
#[derive(Clone, Default)]
struct Ear {
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    refusal: Option<String>,
    delivered: Option<String>,
}

impl Ear {
    fn with<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Ear {
    fn error(&self, error: KafkaError, reason: &str) {
        // "All brokers are down" follows the reason and says less.
        let telling = !matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::AllBrokersDown));
        if telling {
            let reason = reason.split(" (after ").next().unwrap_or(reason).to_owned();
            self.with(|heard| heard.refusal.get_or_insert(reason).len());
        }
    }

    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}
}

impl ConsumerContext for Ear {}

impl ProducerContext for Ear {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        if let Ok(message) = result {
            let place = format!("librdkafka wrote {EVENTS}-{} at offset {}", message.partition(), message.offset());
            self.with(|heard| heard.delivered = Some(place));
        }
    }
}

async fn blocking(attempt: impl FnOnce() -> Result<Answer, KafkaError> + Send + 'static) -> Answer {
    match tokio::task::spawn_blocking(attempt).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Answer::NotTried(format!("librdkafka can't start: {error}")),
        Err(_) => Answer::NotTried("the attempt was cut short".to_owned()),
    }
}

fn verdict(ear: &Ear) -> Option<Answer> {
    ear.with(|heard| match (&heard.delivered, &heard.refusal) {
        (Some(place), _) => Some(Answer::LetIn(place.clone())),
        (None, Some(reason)) => Some(Answer::Refused(Refusal::Librdkafka(reason.clone()))),
        (None, None) => None,
    })
}

fn silence() -> Answer {
    let text = format!("librdkafka heard neither yes nor no within {} s", PATIENCE.as_secs());
    Answer::Refused(Refusal::Other(text))
}

/// Tries to write one record to partition 0.
pub(crate) async fn produce(world: &World, papers: Papers) -> Answer {
    produce_until(world, papers, Arc::default()).await
}

/// The same, given up when `stop` is set.
pub(crate) async fn produce_until(world: &World, papers: Papers, stop: Arc<AtomicBool>) -> Answer {
    let marker = world.marker.clone();
    blocking(move || {
        let ear = Ear::default();
        let limit = PATIENCE.as_millis().to_string();
        let producer: BaseProducer<Ear> =
            papers.config().set("message.timeout.ms", limit).set("linger.ms", "0").create_with_context(ear.clone())?;
        let record = BaseRecord::to(EVENTS).partition(0).key(&marker).payload(&marker);
        producer.send(record).map_err(|(error, _)| error)?;
        let deadline = Instant::now() + PATIENCE;
        let mut answer = None;
        while answer.is_none() && Instant::now() < deadline && !stop.load(Ordering::SeqCst) {
            producer.poll(TICK);
            answer = verdict(&ear);
        }
        // Nothing may go out later, when the verdict has been given.
        producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
        Ok(answer.unwrap_or_else(silence))
    })
    .await
}

/// Tries to read partition 0 from its beginning, in a group of its own.
pub(crate) async fn consume(world: &World, papers: Papers) -> Answer {
    let group = format!("storepulse-attack-{}", world.run_id());
    blocking(move || {
        let ear = Ear::default();
        let consumer: BaseConsumer<Ear> = papers
            .config()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .create_with_context(ear.clone())?;
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_offset(EVENTS, 0, Offset::Beginning)?;
        consumer.assign(&partitions)?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(Ok(message)) = consumer.poll(TICK) {
                return Ok(Answer::LetIn(format!("librdkafka read {EVENTS}-0 at offset {}", message.offset())));
            }
            if let Some(answer) = verdict(&ear) {
                return Ok(answer);
            }
        }
        Ok(silence())
    })
    .await
}

/// A good librdkafka client: asks for the topic's partitions and leaves no trace.
pub(crate) async fn look(papers: Papers) -> Result<String, String> {
    let attempt = move || {
        let ear = Ear::default();
        let producer: BaseProducer<Ear> =
            papers.config().create_with_context(ear.clone()).map_err(|error| error.to_string())?;
        let metadata = producer
            .client()
            .fetch_metadata(Some(EVENTS), PATIENCE)
            .map_err(|error| ear.with(|heard| heard.refusal.clone()).unwrap_or_else(|| error.to_string()))?;
        let topic = metadata.topics().first().ok_or("no metadata")?;
        match topic.error() {
            Some(code) => Err(format!("{:?}", RDKafkaErrorCode::from(code))),
            None => Ok(format!("saw {} partitions of {EVENTS}", topic.partitions().len())),
        }
    };
    tokio::task::spawn_blocking(attempt).await.map_err(|_| "the attempt was cut short".to_owned())?
}
