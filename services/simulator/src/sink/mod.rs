//! Where a worker's messages go.

mod file;
mod kafka;
mod null;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use file::{FileSink, join, part_path};
pub use kafka::{KafkaSink, producer_config};
pub use null::NullSink;

use crate::delivery::Message;
use crate::tally::Tally;

/// Why a worker can't go on.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The file can't be written.
    #[error("cannot write {path}: {source}; check the path, its permissions and the free space")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// An ACL is missing. A new start can't help.
    #[error("the user {user} may not write to the topic {topic}; add its ACLs with `storepulse-kafka-admin apply`")]
    Denied {
        /// The user.
        user: String,
        /// The topic.
        topic: String,
    },
    /// The producer can't be used any more.
    #[error("the Kafka producer failed: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
}

/// Takes messages, and counts them in a tally when they are safe, in the order in which they were sent.
pub trait Sink {
    /// Sends a message. Waits where the sink is busy; gives up, without sending, only when `stopped` says so.
    /// Returns whether it was sent.
    ///
    /// # Errors
    ///
    /// If nothing can be sent any more.
    fn send(&mut self, message: &Message<'_>, tally: &mut Tally, stopped: &dyn Fn() -> bool)
    -> Result<bool, SinkError>;

    /// Counts what has become safe.
    ///
    /// # Errors
    ///
    /// If nothing can be sent any more.
    fn settle(&mut self, tally: &mut Tally) -> Result<(), SinkError>;

    /// Passes some time, at least until `deadline`, in which the sink may work.
    fn idle(&mut self, deadline: Instant) {
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
    }

    /// Messages sent and not settled.
    fn in_flight(&self) -> usize {
        0
    }

    /// Bytes in the file, if there is one.
    fn file_bytes(&self) -> u64 {
        0
    }
}

/// Settles everything, while `wait` says so. Returns how many messages are still in flight.
///
/// # Errors
///
/// If nothing can be sent any more.
pub fn drain(
    sink: &mut dyn Sink,
    tally: &mut Tally,
    wait: &mut dyn FnMut(&mut Tally) -> bool,
) -> Result<usize, SinkError> {
    loop {
        sink.settle(tally)?;
        if sink.in_flight() == 0 || !wait(tally) {
            return Ok(sink.in_flight());
        }
        sink.idle(Instant::now() + Duration::from_millis(5));
    }
}
