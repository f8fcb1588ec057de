//! One Kafka transaction: records and source offsets, all or nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use super::denied::Denied;
use super::group::Group;
use crate::failpoint::{self, Point};
use crate::metrics::{Abort, Metrics};

/// A record to send.
#[derive(Debug, Default)]
pub struct Record {
    /// Topic.
    pub topic: &'static str,
    /// Partition.
    pub partition: i32,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None` deletes the key in a compacted topic.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
}

/// The header of a delta record that has the broker's time of the oldest event behind it, in milliseconds since the Unix
/// epoch.
pub const OLDEST_TIMESTAMP: &str = "oldest-timestamp";

/// Why a transaction did not happen. In each case nothing of it is visible, or ever will be.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// Another member owns the partitions, or another instance has the same name: what this instance holds is void.
    #[error("this instance was fenced off: {0}")]
    Fenced(String),
    /// A permission is missing.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// It could not be committed in time. A new start may help.
    #[error("a transaction could not be committed: {0}")]
    Failed(String),
}

/// Shared with a call that does not come back.
type Transactor = Arc<ThreadedProducer<DefaultProducerContext>>;

/// A producer for transactions.
///
/// A producer whose transaction was aborted is never used again. librdkafka (2.12.1, `rd_kafka_toppar_purge_queues`)
/// goes on with the sequence numbers of the messages that an abort purges from its queues. Some of them may have been
/// sent, with the answer lost: the brokers then take the next transaction's messages for copies of those, say that they
/// have them, and drop them. A new producer of the same transactional id has a new epoch, and counts from 0.
pub struct Transactions {
    config: ClientConfig,
    producer: Mutex<Transactor>,
    metrics: Metrics,
    user: String,
    group: String,
}

/// The topics that transactions write to, in words.
const TOPICS: &str = "analytics-deltas, analytics-sessions or e-commerce-events-dlq";

/// The longest time that one call to the broker may take before it is tried again.
const CALL: Duration = Duration::from_secs(5);

/// After which time a call that should have ended after [`CALL`] never will.
///
/// librdkafka bounds every call but one by itself. When an offset commit meets a broker that is the group's coordinator no
/// more, it is sent again when a connection to any broker comes or goes, and not sooner (2.12.1, `rd_kafka_coord_req_fsm`).
/// After brokers were restarted that may be never.
const STUCK: Duration = Duration::from_secs(15);

/// Why an attempt failed.
enum AttemptError {
    Kafka(KafkaError),
    /// The call did not come back. The producer is of no use any more.
    Stuck,
}

impl From<KafkaError> for AttemptError {
    fn from(error: KafkaError) -> Self {
        Self::Kafka(error)
    }
}

/// Between two tries when a rebalance has overtaken a transaction: the client is about to hear of it.
const OVERTAKEN: Duration = Duration::from_millis(20);

/// Makes a producer, after which a predecessor of the same transactional id can do nothing any more.
fn transactor(config: &ClientConfig, deadline: Instant) -> Result<Transactor, KafkaError> {
    let producer: Transactor = Arc::new(config.create()?);
    while_retriable(deadline, || producer.init_transactions(CALL))?;
    Ok(producer)
}

/// Calls again what says that it may be, until `deadline`.
fn while_retriable(deadline: Instant, mut call: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    loop {
        match call() {
            Err(KafkaError::Transaction(e)) if e.is_retriable() && Instant::now() < deadline => {}
            outcome => return outcome,
        }
    }
}

impl Transactions {
    /// Makes the producer of a member of `group` and fences off predecessors of the same name.
    ///
    /// # Errors
    ///
    /// If the broker can't be reached within `limit`, or refuses the transactional id.
    pub fn open(
        config: &ClientConfig,
        group: &str,
        limit: Duration,
        metrics: Metrics,
    ) -> Result<Self, TransactionError> {
        let user = config.get("sasl.username").unwrap_or_default().to_owned();
        let group = group.to_owned();
        let failed = |e: KafkaError| match Denied::of(&e, &user, &group, TOPICS) {
            Some(denied) => TransactionError::Denied(denied),
            None => TransactionError::Failed(e.to_string()),
        };
        let deadline = Instant::now() + limit;
        let producer = Mutex::new(transactor(config, deadline).map_err(failed)?);
        Ok(Self { config: config.clone(), producer, metrics, user, group })
    }

    /// Commits `records` and the `offsets` of the group's topic. Tries again as long as that is safe and `limit` allows.
    ///
    /// # Errors
    ///
    /// See [`TransactionError`]; the caller must then forget what it read since the last commit.
    pub fn commit(
        &self,
        records: &[Record],
        offsets: &HashMap<i32, (i64, String)>,
        group: &Group,
        limit: Duration,
    ) -> Result<(), TransactionError> {
        let deadline = Instant::now() + limit;
        let timer = self.metrics.transaction_seconds.start_timer();
        let mut producer = self.producer.lock().unwrap_or_else(|e| e.into_inner());
        loop {
            let error = match attempt(&producer, records, offsets, group, deadline) {
                Ok(()) => {
                    timer.observe_duration();
                    self.metrics.transactions.inc();
                    return Ok(());
                }
                Err(AttemptError::Kafka(error)) => error,
                Err(AttemptError::Stuck) => {
                    // A new producer of the same name fences off this one, whatever it may still do.
                    self.metrics.transactions_aborted.with_label_values(&[Abort::TimedOut.as_str()]).inc();
                    let error = "the client does not come back from sending offsets to the transaction";
                    return Err(TransactionError::Failed(error.to_owned()));
                }
            };
            self.metrics.transactions_aborted.with_label_values(&[self.reason(&error).as_str()]).inc();
            if let Some(denied) = Denied::of(&error, &self.user, &self.group, TOPICS) {
                let _ = producer.abort_transaction(CALL);
                return Err(denied.into());
            }
            let late = Instant::now() >= deadline;
            if is_overtaken(&error) && !late {
                tracing::debug!(%error, "a rebalance went by; the transaction is tried again by the present generation");
                self.begin_anew(&mut producer, deadline)?;
                std::thread::sleep(OVERTAKEN);
                continue;
            }
            if is_fenced(&error) || is_overtaken(&error) {
                let _ = producer.abort_transaction(CALL);
                return Err(TransactionError::Fenced(error.to_string()));
            }
            let fatal = matches!(&error, KafkaError::Transaction(e) if e.is_fatal());
            if fatal || late {
                let _ = producer.abort_transaction(CALL);
                return Err(TransactionError::Failed(error.to_string()));
            }
            tracing::warn!(%error, "a transaction failed and is tried again");
            self.begin_anew(&mut producer, deadline)?;
        }
    }

    fn reason(&self, error: &KafkaError) -> Abort {
        match error.rdkafka_error_code() {
            _ if Denied::of(error, &self.user, &self.group, TOPICS).is_some() => Abort::Denied,
            _ if is_fenced(error) => Abort::Fenced,
            _ if is_overtaken(error) => Abort::Overtaken,
            Some(
                RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::MessageTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::PurgeQueue
                | RDKafkaErrorCode::PurgeInflight,
            ) => Abort::TimedOut,
            _ => Abort::Broker,
        }
    }

    /// Aborts the transaction of the producer at `place`, and puts a new one there. Only what the brokers say is aborted
    /// may be tried again: a commit whose outcome is unknown may have been one.
    fn begin_anew(&self, place: &mut Transactor, deadline: Instant) -> Result<(), TransactionError> {
        let stays = |e: KafkaError| TransactionError::Failed(format!("it cannot be aborted: {e}"));
        while_retriable(deadline, || place.abort_transaction(CALL)).map_err(stays)?;
        let failed = |e: KafkaError| TransactionError::Failed(format!("no new producer could be made: {e}"));
        let new = transactor(&self.config, deadline).map_err(failed)?;
        let old = std::mem::replace(place, new);
        // To end it may take its time.
        let ending = std::thread::Builder::new().name("former-producer".into()).spawn(move || drop(old));
        ending.map(drop).map_err(|e| TransactionError::Failed(format!("no thread to end a producer: {e}")))
    }
}

fn attempt(
    producer: &Transactor,
    records: &[Record],
    offsets: &HashMap<i32, (i64, String)>,
    group: &Group,
    deadline: Instant,
) -> Result<(), AttemptError> {
    failpoint::reach(Point::BeforeTransaction);
    producer.begin_transaction()?;
    for record in records {
        send(producer, record, deadline)?;
    }
    if failpoint::reach(Point::BeforeTransactionOffsets) {
        return Err(KafkaError::Canceled.into());
    }
    retry(deadline, || send_offsets(producer, offsets, group))?;
    if failpoint::reach(Point::BeforeTransactionCommit) {
        return Err(KafkaError::Canceled.into());
    }
    acknowledged(producer);
    retry(deadline, || Ok(producer.commit_transaction(CALL)?))?;
    failpoint::reach(Point::AfterTransactionCommit);
    Ok(())
}

/// Adds the offsets to the transaction, in a thread that is left behind if the call does not come back.
fn send_offsets(
    producer: &Transactor,
    offsets: &HashMap<i32, (i64, String)>,
    group: &Group,
) -> Result<(), AttemptError> {
    let list = group.offsets(offsets)?;
    // Who is no member any more may have no id any more either, and a commit without one is fenced by nobody.
    let lost = || KafkaError::ConsumerCommit(RDKafkaErrorCode::AssignmentLost);
    let membership = group.consumer().group_metadata().ok_or_else(lost)?;
    if group.consumer().assignment_lost() {
        return Err(lost().into());
    }
    let (done, outcome) = mpsc::channel();
    let producer = producer.clone();
    let call = move || {
        // Nobody listens any more when it comes too late.
        let _ = done.send(producer.send_offsets_to_transaction(&list, &membership, CALL));
    };
    let thread = std::thread::Builder::new().name("offsets".into()).spawn(call);
    thread.map_err(|error| KafkaError::Subscription(format!("no thread to send offsets: {error}")))?;
    match outcome.recv_timeout(STUCK) {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(AttemptError::Stuck),
    }
}

fn send(producer: &Transactor, record: &Record, deadline: Instant) -> Result<(), KafkaError> {
    let mut base: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(record.topic).partition(record.partition);
    if let Some(key) = &record.key {
        base = base.key(key.as_slice());
    }
    if let Some(value) = &record.value {
        base = base.payload(value.as_slice());
    }
    if !record.headers.is_empty() {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        let add = |h: OwnedHeaders, (key, value): &(&str, String)| h.insert(Header { key, value: Some(value) });
        base = base.headers(record.headers.iter().fold(headers, add));
    }
    loop {
        match producer.send(base) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) if Instant::now() < deadline => {
                base = back;
                std::thread::sleep(Duration::from_millis(2));
            }
            Err((error, _)) => return Err(error),
        }
    }
}

/// Waits until all messages are acknowledged, or have failed. The commit would wait for it as well, but looks every
/// 100 ms only, because another thread takes the acknowledgements.
fn acknowledged(producer: &Transactor) {
    const LOOK: Duration = Duration::from_millis(1);
    let until = Instant::now() + CALL;
    while producer.in_flight_count() > 0 && Instant::now() < until {
        std::thread::sleep(LOOK);
    }
}

/// Calls again what timed out without an outcome; librdkafka then goes on where it was.
fn retry(deadline: Instant, mut call: impl FnMut() -> Result<(), AttemptError>) -> Result<(), AttemptError> {
    loop {
        match call() {
            Err(AttemptError::Kafka(KafkaError::Transaction(e)))
                if e.is_retriable() && !e.txn_requires_abort() && Instant::now() < deadline => {}
            outcome => return outcome,
        }
    }
}

/// Whether this instance, or this producer, is not what it believes to be: another one may have its work.
fn is_fenced(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::ProducerFenced
                | RDKafkaErrorCode::InvalidProducerEpoch
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::FencedInstanceId
                | RDKafkaErrorCode::FencedMemberEpoch
                | RDKafkaErrorCode::AssignmentLost
        )
    )
}

/// Whether a rebalance went by between the look at the membership and the commit. This instance is still a member, or
/// the brokers would not know its id, and it still has its partitions: a member gives them up by itself, in a callback that
/// commits first, before others get them. Only the number of the generation was old, so the same transaction may be tried
/// again with the new one. Beginning anew instead would mean another rebalance, which overtakes others in turn.
fn is_overtaken(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::StaleMemberEpoch
                | RDKafkaErrorCode::RebalanceInProgress
        )
    )
}
