//! Proof that the cluster works: one event goes through it, with every lock closed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use storepulse_events::topics;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::env_files::Environment;
use crate::error::{Error, Result};

/// The topic the proof is made on (made with the others, for the admin only), the consumer group, and the transactional id.
const TOPIC: &str = topics::READY;
/// A fresh cluster makes its internal topics first, which takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// Wrong credentials don't get better.
const LOGIN_PATIENCE: Duration = Duration::from_secs(8);
const SLICE: Duration = Duration::from_millis(500);

/// Writes one record in a transaction and reads it back in a consumer group, as the principal of `environment`.
pub(crate) async fn prove(environment: &Environment, context: &Context) -> Result<()> {
    let config = client_config(environment);
    let cancel = context.cancel.clone();
    let work = tokio::task::spawn_blocking(move || round_trip(&config, &cancel));
    match context.unless_cancelled(work).await? {
        Ok(proof) => proof.map_err(Error::NotReady),
        Err(error) => Err(Error::NotReady(format!("the proof stopped: {error}"))),
    }
}

/// Does the event topic hold nothing at all?
pub(crate) async fn is_empty(environment: &Environment, context: &Context) -> Result<bool> {
    let config = client_config(environment);
    let work = tokio::task::spawn_blocking(move || -> Result<bool, KafkaError> {
        let consumer: BaseConsumer<Listener> = config.create_with_context(Listener::default())?;
        let timeout = Duration::from_secs(15);
        let metadata = consumer.fetch_metadata(Some(topics::EVENTS), timeout)?;
        for partition in metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions) {
            if consumer.fetch_watermarks(topics::EVENTS, partition.id(), timeout)?.1 > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    });
    match context.unless_cancelled(work).await? {
        Ok(answer) => answer.map_err(|error| Error::NotReady(format!("{} can't be read: {error}", topics::EVENTS))),
        Err(error) => Err(Error::NotReady(error.to_string())),
    }
}

fn client_config(environment: &Environment) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("security.protocol", "SASL_SSL")
        .set("client.id", "storepulse-local")
        // Brokers listen on 127.0.0.1; `localhost` may mean ::1 as well.
        .set("broker.address.family", "v4")
        .set_log_level(RDKafkaLogLevel::Emerg);
    let settings = [
        ("KAFKA_BROKERS", "bootstrap.servers"),
        ("KAFKA_SSL_CA_LOCATION", "ssl.ca.location"),
        ("KAFKA_SSL_CERTIFICATE_LOCATION", "ssl.certificate.location"),
        ("KAFKA_SSL_KEY_LOCATION", "ssl.key.location"),
        ("KAFKA_SASL_MECHANISM", "sasl.mechanism"),
        ("KAFKA_SASL_USERNAME", "sasl.username"),
        ("KAFKA_SASL_PASSWORD", "sasl.password"),
    ];
    for (name, value) in environment {
        if let Some((_, setting)) = settings.iter().find(|(variable, _)| variable == name) {
            config.set(*setting, value);
        }
    }
    config
}

fn round_trip(config: &ClientConfig, cancel: &CancellationToken) -> Result<(), String> {
    let nonce = rand::random::<u128>().to_string();
    let deadline = Deadline { start: Instant::now(), cancel };
    produce(config, &nonce, &deadline)?;
    consume(config, &nonce, &deadline)
}

fn produce(config: &ClientConfig, nonce: &str, deadline: &Deadline<'_>) -> Result<(), String> {
    let producer: BaseProducer<Listener> = config
        .clone()
        .set("transactional.id", TOPIC)
        .set("acks", "all")
        .create_with_context(Listener::default())
        .map_err(|error| error.to_string())?;
    let what = "writing an event";
    retry(what, &producer, deadline, || producer.init_transactions(SLICE))?;
    let failed = |error: KafkaError| format!("{what}: {error}");
    producer.begin_transaction().map_err(failed)?;
    producer.send(BaseRecord::<str, str>::to(TOPIC).payload(nonce)).map_err(|(error, _)| failed(error))?;
    retry(what, &producer, deadline, || producer.commit_transaction(SLICE))
}

/// Calls a transactional operation again as long as it says that it may be.
fn retry(
    what: &str,
    producer: &BaseProducer<Listener>,
    deadline: &Deadline<'_>,
    mut operation: impl FnMut() -> Result<(), KafkaError>,
) -> Result<(), String> {
    loop {
        producer.poll(Duration::ZERO);
        match operation() {
            Ok(()) => return Ok(()),
            Err(KafkaError::Transaction(error)) if error.is_retriable() => {
                deadline.check(what, producer.context(), &error.to_string())?;
            }
            // Committing waits for the record's delivery first.
            Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) => {
                deadline.check(what, producer.context(), "the record was not acknowledged")?;
            }
            Err(error) => return Err(format!("{what}: {}", producer.context().reason(&error.to_string()))),
        }
    }
}

fn consume(config: &ClientConfig, nonce: &str, deadline: &Deadline<'_>) -> Result<(), String> {
    let consumer: BaseConsumer<Listener> = config
        .clone()
        .set("group.id", TOPIC)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .create_with_context(Listener::default())
        .map_err(|error| error.to_string())?;
    let what = "reading an event back";
    consumer.subscribe(&[TOPIC]).map_err(|error| format!("{what}: {error}"))?;
    loop {
        let problem = match consumer.poll(SLICE) {
            Some(Ok(message)) if message.payload() == Some(nonce.as_bytes()) => return Ok(()),
            Some(Ok(_)) => continue,
            Some(Err(error)) => error.to_string(),
            None => "no answer".to_owned(),
        };
        deadline.check(what, consumer.context(), &problem)?;
    }
}

struct Deadline<'a> {
    start: Instant,
    cancel: &'a CancellationToken,
}

impl Deadline<'_> {
    fn check(&self, what: &str, listener: &Listener, problem: &str) -> Result<(), String> {
        let elapsed = self.start.elapsed();
        let refused = listener.login_refused() && elapsed > LOGIN_PATIENCE;
        if self.cancel.is_cancelled() || elapsed > PATIENCE || refused {
            let reason = listener.reason(problem);
            return Err(format!("{what} did not work within {} s: {reason}", elapsed.as_secs()));
        }
        Ok(())
    }
}

/// Remembers what librdkafka said last about a broker.
#[derive(Default)]
struct Listener {
    last: Mutex<Option<(bool, String)>>,
}

impl Listener {
    fn reason(&self, fallback: &str) -> String {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map_or_else(|| fallback.to_owned(), |(_, reason)| reason.clone())
    }

    fn login_refused(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().is_some_and(|(login, _)| *login)
    }
}

impl ClientContext for Listener {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let login = matches!(code, Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((login, reason.to_owned()));
    }
}

impl ProducerContext for Listener {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

impl ConsumerContext for Listener {}
