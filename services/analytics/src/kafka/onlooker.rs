//! A consumer that reads partitions to their ends, and takes ends for what they are.

use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use super::group::is_final;

/// The callbacks of an [`Onlooker`].
#[derive(Clone, Copy, Debug, Default)]
pub struct OnlookerContext;

impl ClientContext for OnlookerContext {
    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition is no error to who reads up to it.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::debug!(%error, reason, "Kafka client");
        }
    }
}

impl ConsumerContext for OnlookerContext {}

/// A consumer that joins no group.
pub type Onlooker = BaseConsumer<OnlookerContext>;

/// Asks the brokers again until `deadline` while an error may pass by itself, such as that of a coordinator or a leader that
/// has just moved.
///
/// # Errors
///
/// The last answer.
pub fn patiently<T>(deadline: Instant, mut ask: impl FnMut() -> KafkaResult<T>) -> KafkaResult<T> {
    const BETWEEN: Duration = Duration::from_millis(200);
    loop {
        match ask() {
            Err(error) if !is_final(&error) && Instant::now() < deadline => {
                tracing::debug!(%error, "asking again");
                std::thread::sleep(BETWEEN);
            }
            outcome => return outcome,
        }
    }
}
