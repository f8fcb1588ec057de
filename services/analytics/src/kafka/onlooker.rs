//! A consumer that reads partitions to their ends, and takes ends for what they are.

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

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
