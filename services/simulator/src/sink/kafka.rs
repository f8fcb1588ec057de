//! The event topic, by an idempotent producer.
//!
//! Acknowledgements come per partition, in any order between partitions. A ring remembers what each message in flight
//! adds to the ledger; messages are counted strictly in the order they were sent, so that one number, how many are
//! settled, tells a restarted worker where to go on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::{Sink, SinkError};
use crate::delivery::Message;
use crate::fact::{Fact, Line};
use crate::options::ProducerOptions;
use crate::settings::Pace;
use crate::tally::Tally;

/// The most messages in flight; a power of two. At 600 bytes each it bounds a worker's queue to about 40 MB.
const WINDOW: usize = 1 << 16;
/// Messages between two looks at the acknowledgements.
const POLL_EVERY: u32 = 128;

/// Acknowledged batches taken in at once: one of each of the topic's partitions, and some.
const BATCHES: usize = 16;
/// The wait for acknowledgements when too much is in flight.
const FULL: Duration = Duration::from_millis(1);

const PENDING: u8 = 0;
const ACKNOWLEDGED: u8 = 1;
const FAILED: u8 = 2;

/// How long a batch waits for more messages, in milliseconds, if nothing else is asked for. Without a pace nobody waits
/// for a single event, and larger batches cost everyone less: two thirds more events a second with 100 ms than with 10.
const fn usual_linger_ms(pace: Pace) -> u32 {
    match pace {
        Pace::Speed(_) | Pace::Rate(_) => 10,
        Pace::FlatOut => 100,
    }
}

/// Adds what a producer that sends at some pace needs to a client's configuration.
pub fn producer_config(client: &ClientConfig, options: &ProducerOptions, pace: Pace) -> ClientConfig {
    let mut config = client.clone();
    let timeout_ms = u64::from(options.kafka_delivery_timeout_seconds) * 1000;
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // More than one, and librdkafka's idempotence has a hole. When a broker refuses a batch for the moment, it refuses
        // the next one of the partition for its sequence number. librdkafka (2.12.1) then begins a new epoch for all
        // partitions, in which brokers can't tell what they already have: a batch of another partition that was stored
        // but not acknowledged, because its leader moved just then, is stored again.
        .set("max.in.flight.requests.per.connection", "1")
        .set("compression.type", &options.kafka_compression_type)
        .set("linger.ms", options.kafka_linger_ms.unwrap_or(usual_linger_ms(pace)).to_string())
        .set("batch.size", "1000000")
        .set("batch.num.messages", "20000")
        .set("queue.buffering.max.messages", (2 * WINDOW).to_string())
        .set("queue.buffering.max.kbytes", "262144")
        .set("message.timeout.ms", timeout_ms.to_string())
        // The Java client's partitioner: keys land where other clients would put them.
        .set("partitioner", "murmur2_random");
    config
}

struct Acknowledgements {
    states: Box<[AtomicU8]>,
    failures: Mutex<Failures>,
}

/// Messages that were not delivered. They come in thousands when they come.
#[derive(Debug, Default)]
struct Failures {
    count: u64,
    told: u64,
    told_at: Option<Instant>,
}

impl Failures {
    /// The first is told at once, the others together, so far apart.
    const EVERY: Duration = Duration::from_secs(10);

    /// Takes in one more at a moment. How many there are now, if that is to be told.
    fn note(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        let due = self.told_at.is_none_or(|at| now.duration_since(at) >= Self::EVERY);
        due.then(|| {
            (self.told, self.told_at) = (self.count, Some(now));
            self.count
        })
    }

    /// How many there are in the end, if that has not been told.
    fn rest(&self) -> Option<u64> {
        (self.count > self.told).then_some(self.count)
    }
}

impl ClientContext for Acknowledgements {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!(facility, "librdkafka: {message}");
            }
            RDKafkaLogLevel::Warning => tracing::warn!(facility, "librdkafka: {message}"),
            _ => tracing::debug!(facility, "librdkafka: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, "Kafka: {reason}");
    }
}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sequence: usize) {
        let state = match result {
            Ok(_) => ACKNOWLEDGED,
            Err((error, _)) => {
                let told = self.failures.lock().unwrap_or_else(PoisonError::into_inner).note(Instant::now());
                if let Some(count) = told {
                    tracing::error!(%error, count, "messages were not delivered");
                }
                FAILED
            }
        };
        self.states[sequence % WINDOW].store(state, Ordering::Release);
    }
}

impl Drop for Acknowledgements {
    fn drop(&mut self) {
        if let Some(count) = self.failures.get_mut().unwrap_or_else(PoisonError::into_inner).rest() {
            tracing::error!(count, "messages were not delivered, all in all");
        }
    }
}

/// Sends to the event topic.
pub struct KafkaSink {
    producer: BaseProducer<Acknowledgements>,
    user: String,
    topic: String,
    facts: VecDeque<Fact>,
    lines: VecDeque<Line>,
    /// The lines of the order being counted.
    order: Vec<Line>,
    /// Sequence number of the next message.
    next: usize,
    until_poll: u32,
}

impl KafkaSink {
    /// Makes the producer. It connects when it has something to send.
    ///
    /// # Errors
    ///
    /// If librdkafka refuses the configuration.
    pub fn new(config: &ClientConfig, topic: &str) -> Result<Self, SinkError> {
        let states = (0..WINDOW).map(|_| AtomicU8::new(PENDING)).collect();
        let producer = config.create_with_context(Acknowledgements { states, failures: Mutex::default() })?;
        Ok(Self {
            producer,
            user: config.get("sasl.username").unwrap_or_default().to_owned(),
            topic: topic.to_owned(),
            facts: VecDeque::with_capacity(WINDOW),
            lines: VecDeque::new(),
            order: Vec::new(),
            next: 0,
            until_poll: POLL_EVERY,
        })
    }

    fn count_settled(&mut self, tally: &mut Tally) {
        while let Some(fact) = self.facts.front() {
            let oldest = self.next - self.facts.len();
            let state = self.producer.context().states[oldest % WINDOW].load(Ordering::Acquire);
            if state == PENDING {
                return;
            }
            self.order.clear();
            self.order.extend(self.lines.drain(..fact.line_count()));
            if state == ACKNOWLEDGED {
                tally.add(fact, &self.order);
            } else {
                tally.fail();
            }
            self.facts.pop_front();
        }
    }

    /// Why the idempotent producer can't go on, if it can't.
    fn fatal(&self) -> Option<SinkError> {
        use RDKafkaErrorCode::{ClusterAuthorizationFailed, TopicAuthorizationFailed};
        let (code, reason) = self.producer.client().fatal_error()?;
        // Who may write to no topic at all is not given a producer's id, and that is an operation on the cluster.
        if matches!(code, ClusterAuthorizationFailed | TopicAuthorizationFailed) {
            return Some(SinkError::Denied { user: self.user.clone(), topic: self.topic.clone() });
        }
        tracing::error!(%code, "the idempotent producer cannot go on: {reason}");
        Some(KafkaError::MessageProduction(code).into())
    }

    /// Takes in what has been acknowledged. The client's own `poll` must not wait: it spins through the last part of a
    /// millisecond, which at a thousand events a second is a fifth of a core. Without waiting it takes one batch at most.
    fn serve(&self) {
        (0..BATCHES).for_each(|_| self.producer.poll(Duration::ZERO));
    }

    fn poll(&mut self, tally: &mut Tally) {
        self.serve();
        self.until_poll = POLL_EVERY;
        self.count_settled(tally);
    }
}

impl Sink for KafkaSink {
    fn send(
        &mut self,
        message: &Message<'_>,
        tally: &mut Tally,
        stopped: &dyn Fn() -> bool,
    ) -> Result<bool, SinkError> {
        self.until_poll -= 1;
        if self.until_poll == 0 {
            self.poll(tally);
        }
        while self.facts.len() >= WINDOW {
            if stopped() {
                return Ok(false);
            }
            std::thread::sleep(FULL);
            self.poll(tally);
        }
        let slot = &self.producer.context().states[self.next % WINDOW];
        slot.store(PENDING, Ordering::Release);
        let mut record = BaseRecord::with_opaque_to(&self.topic, self.next).key(message.key).payload(message.value);
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    if stopped() {
                        return Ok(false);
                    }
                    record = refused;
                    std::thread::sleep(FULL);
                    self.serve();
                }
                Err((error, _)) => return Err(self.fatal().unwrap_or_else(|| error.into())),
            }
        }
        self.next += 1;
        self.facts.push_back(message.fact);
        self.lines.extend(message.lines);
        Ok(true)
    }

    fn settle(&mut self, tally: &mut Tally) -> Result<(), SinkError> {
        self.poll(tally);
        self.fatal().map_or(Ok(()), Err)
    }

    fn idle(&mut self, deadline: Instant) {
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        self.serve();
    }

    fn in_flight(&self) -> usize {
        self.facts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_failures_are_told_in_a_few_lines() {
        let (start, mut failures) = (Instant::now(), Failures::default());
        assert_eq!(failures.note(start), Some(1));
        assert!((0..60_000).all(|_| failures.note(start).is_none()));
        assert_eq!(failures.rest(), Some(60_001));
        assert_eq!(failures.note(start + Failures::EVERY), Some(60_002));
        assert_eq!(failures.rest(), None);
    }
}
