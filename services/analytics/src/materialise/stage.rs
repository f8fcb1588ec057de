//! The member of the delta topic's group: reads changes, loads and writes documents, commits offsets.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use hashbrown::HashSet;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::{ClientConfig, Message};
use storepulse_events::topics;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::ages::Ages;
use super::cache::{Cache, Capacity, Chunk, Intervals};
use super::patience::{PatientReader, STORE, backoff_ms, count_error};
use crate::clock::{seconds_since, unix_ms};
use crate::document::change::DeltaError;
use crate::document::state::StateError;
use crate::document::{Change, DeltaBatch, DocumentId, DocumentRules, Tier};
use crate::failpoint::{self, Point, Switch, Turn};
use crate::health::{Health, State};
use crate::kafka::denied::{Denied, Refusals};
use crate::kafka::group::{Event, Group, Queue, is_final, member_config};
use crate::kafka::transaction::OLDEST_TIMESTAMP;
use crate::metrics::{Lookup, Metrics, Wait};
use crate::store::{Guard, SharedStore, StoreError, Stored, Version, Write};

/// What the stage needs.
#[derive(Clone)]
pub struct MaterialiserConfig {
    /// The client's security.
    pub client: ClientConfig,
    /// The group.
    pub group: String,
    /// Additional settings of the group's member: its protocol and session time-out.
    pub membership: Vec<(String, String)>,
    /// How fresh documents are.
    pub intervals: Intervals,
    /// Time without changes after which everything that waits is written, in milliseconds.
    pub idle_flush_ms: i64,
    /// Documents in memory.
    pub capacity: Capacity,
    /// How long history documents may grow.
    pub rules: DocumentRules,
}

/// Why the stage ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A client failed. A new start may help.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A permission is refused again and again.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store will never do what is asked of it.
    #[error(transparent)]
    Store(StoreError),
    /// A document can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A record of the delta topic can't be read.
    #[error("partition {partition}, offset {offset}: {error}")]
    Delta {
        /// Partition of the delta topic.
        partition: i32,
        /// Offset in it.
        offset: i64,
        /// What is wrong.
        error: DeltaError,
    },
}

impl StageError {
    /// Whether beginning anew may help.
    pub const fn is_retriable(&self) -> bool {
        matches!(self, Self::Kafka(_))
    }
}

const PART: &str = "materialise";
/// The name in health of the brokers. This stage looks at them, because it never waits for them.
const BROKERS: &str = "brokers";
/// Who is further behind is catching up.
const CATCHING_UP_SECONDS: f64 = 10.0;

/// Runs the stage until `stop`, beginning anew after failures that may pass.
///
/// # Errors
///
/// A failure that no retry can help; the process should end.
pub fn run(
    config: &MaterialiserConfig,
    store: &SharedStore,
    runtime: &Handle,
    metrics: &Metrics,
    health: &Health,
    stop: &CancellationToken,
) -> Result<(), StageError> {
    health.set(PART, State::Joining, "");
    metrics.documents_capacity.set(config.capacity.documents as i64);
    metrics.documents_capacity_bytes.set(config.capacity.bytes as i64);
    let mut refusals = Refusals::default();
    loop {
        let outcome = Stage::start(config, store, runtime, metrics, health, stop).and_then(Stage::run);
        match outcome {
            Err(error) if error.is_retriable() && !stop.is_cancelled() => {
                let user = config.client.get("sasl.username").unwrap_or_default();
                let denied = match &error {
                    StageError::Kafka(error) => Denied::of(error, user, &config.group, topics::DELTAS),
                    _ => None,
                };
                if let Some(denied) = refusals.note(denied) {
                    return Err(denied.into());
                }
                metrics.restarts.with_label_values(&[PART]).inc();
                health.set(PART, State::BeginningAnew, error.to_string());
                tracing::warn!(%error, "materialisation begins anew from what is committed");
                std::thread::sleep(Duration::from_millis(500));
            }
            outcome => return outcome,
        }
    }
}

/// The outcome of a call to the store.
enum Answer {
    Written(Sent, Result<Vec<Version>, StoreError>),
    Reloaded(u64, Vec<(DocumentId, Option<Stored>)>),
    Loaded(Vec<(Wanted, Option<Stored>)>),
    Refused(StoreError),
}

/// A chunk that was sent to the store.
struct Sent {
    number: u64,
    documents: Vec<DocumentId>,
    /// What each was expected to be.
    guards: Vec<Guard>,
    /// See [`Chunk::since`].
    since: Vec<(i32, i64)>,
}

/// A document to load, for one assignment of its partition. What was read for a former assignment may be older than
/// what another owner has written and committed since, so it must not be used.
#[derive(Clone)]
struct Wanted {
    id: DocumentId,
    partition: i32,
    assignment: u64,
}

struct Partition {
    queue: Queue,
    assignment: u64,
    next: i64,
    /// What the brokers were last asked to remember; [`NOTHING`] before, and after they refused.
    committed: i64,
    /// Whether the queue was read to the partition's end. Offsets alone can't tell, because the markers of
    /// transactions take offsets too.
    at_end: bool,
    ages: Ages,
}

/// Changes that wait until their documents are loaded: partition, offset, changes.
type Parked = Vec<(i32, i64, Vec<(DocumentId, Change)>)>;

struct Stage<'a> {
    config: &'a MaterialiserConfig,
    store: &'a SharedStore,
    runtime: &'a Handle,
    metrics: &'a Metrics,
    health: &'a Health,
    stop: &'a CancellationToken,
    group: Group,
    partitions: BTreeMap<i32, Partition>,
    assignments: u64,
    /// The partition that is read first.
    turn: i32,
    cache: Cache,
    parked: Option<Parked>,
    answers: Receiver<Answer>,
    answer: Sender<Answer>,
    in_flight: usize,
    /// Consecutive failures of the store, and when to try again.
    failures: u32,
    retry_at: i64,
    last_change: i64,
    epoch: Instant,
    /// What is waited for, and since when.
    waiting: (Option<Wait>, Instant),
}

/// See [`Partition::committed`].
const NOTHING: i64 = -1;
/// Commits to the store at the same time.
const PARALLEL: usize = 4;
/// Records taken before their documents are loaded, unless they hold [`CHANGES`] before.
const BATCH: usize = 256;
/// Changes in them after which no more records are taken. A record has a few thousand at most.
const CHANGES: usize = 10_000;
/// The longest time that draining takes, in milliseconds.
const DRAIN_MS: i64 = 4_000;
const OFFSETS_EVERY: Duration = Duration::from_millis(500);

impl<'a> Stage<'a> {
    fn start(
        config: &'a MaterialiserConfig,
        store: &'a SharedStore,
        runtime: &'a Handle,
        metrics: &'a Metrics,
        health: &'a Health,
        stop: &'a CancellationToken,
    ) -> Result<Self, StageError> {
        let client = member_config(&config.client, &config.group, &config.membership);
        let group = Group::join(&client, topics::DELTAS, None)?;
        let (answer, answers) = std::sync::mpsc::channel();
        let cache = Cache::new(config.capacity, config.intervals, config.rules);
        Ok(Self {
            config,
            store,
            runtime,
            metrics,
            health,
            stop,
            group,
            partitions: BTreeMap::new(),
            assignments: 0,
            turn: 0,
            cache,
            parked: None,
            answers,
            answer,
            in_flight: 0,
            failures: 0,
            retry_at: 0,
            last_change: 0,
            epoch: Instant::now(),
            waiting: (None, Instant::now()),
        })
    }

    fn now(&self) -> i64 {
        i64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn run(mut self) -> Result<(), StageError> {
        let outcome = self.work();
        if let Err(error) = &outcome {
            // At once: leaving the group may take its time.
            tracing::warn!(%error, "materialisation failed; leaving its group");
        }
        outcome
    }

    fn work(&mut self) -> Result<(), StageError> {
        let mut next_offsets = Instant::now();
        let mut busy = false;
        while !self.stop.is_cancelled() {
            let wait = if busy { Duration::ZERO } else { Duration::from_millis(5) };
            self.serve_group(wait)?;
            busy = self.take_answers()?;
            busy |= self.read()?;
            self.flush(false);
            self.note_wait();
            if Instant::now() >= next_offsets {
                self.commit_offsets(CommitMode::Async);
                self.report();
                next_offsets = Instant::now() + OFFSETS_EVERY;
            }
        }
        self.drain()
    }

    /// Reads what was committed last, writes what waits, for a few seconds, and commits. What does not make it is done
    /// by the next owner.
    fn drain(&mut self) -> Result<(), StageError> {
        const LAST_CHANGES: i64 = 300;
        let started = self.now();
        let rests = |stage: &Self| stage.cache.dirty() == 0 && stage.parked.is_none();
        while !(rests(self) && self.now() - self.last_change.max(started) >= LAST_CHANGES) {
            if self.now() - started >= DRAIN_MS {
                tracing::warn!(documents = self.cache.dirty(), "not everything was written; the next start does it");
                break;
            }
            self.serve_group(Duration::from_millis(2))?;
            self.take_answers()?;
            self.read()?;
            self.flush(true);
        }
        // All of them: nobody waits for the answers to the commits before.
        self.partitions.values_mut().for_each(|partition| partition.committed = NOTHING);
        self.commit_offsets(CommitMode::Sync);
        Ok(())
    }

    fn serve_group(&mut self, wait: Duration) -> Result<(), StageError> {
        for event in self.group.poll(wait)? {
            match event {
                Event::Assigned(queues) => self.assigned(queues),
                Event::Revoked(partitions) => self.revoked(&partitions),
                // The next look commits them again.
                Event::NotCommitted(partitions) => {
                    for number in partitions {
                        self.partitions.entry(number).and_modify(|partition| partition.committed = NOTHING);
                    }
                }
            }
        }
        Ok(())
    }

    fn assigned(&mut self, queues: Vec<(i32, Queue)>) {
        let partitions: Vec<i32> = queues.iter().map(|(p, _)| *p).collect();
        tracing::info!(?partitions, "assigned; materialising");
        self.assignments += 1;
        let assignment = self.assignments;
        for (partition, queue) in queues {
            let ages = Ages::default();
            let fresh = Partition { queue, assignment, next: -1, committed: NOTHING, at_end: false, ages };
            self.partitions.insert(partition, fresh);
        }
        self.metrics.partitions.with_label_values(&[PART]).set(self.partitions.len() as i64);
        self.health.set(PART, State::Working, format!("{} partitions", self.partitions.len()));
    }

    fn revoked(&mut self, partitions: &[i32]) {
        tracing::info!(?partitions, "revoked");
        self.partitions.retain(|p, _| !partitions.contains(p));
        self.cache.forget(partitions);
        if let Some(parked) = &mut self.parked {
            parked.retain(|(partition, _, _)| !partitions.contains(partition));
        }
        self.metrics.forget_delta_partitions(partitions);
        self.metrics.partitions.with_label_values(&[PART]).set(self.partitions.len() as i64);
    }

    /// Takes records from the queues, and absorbs them or parks them until their documents are loaded. Says whether
    /// there was anything.
    fn read(&mut self) -> Result<bool, StageError> {
        self.cache.evict();
        if self.parked.is_some() || self.cache.is_full() {
            return Ok(false);
        }
        let mut batch: Parked = Vec::new();
        let mut all = 0;
        let (before, from): (Vec<i32>, _) = self.partitions.keys().copied().partition(|number| *number < self.turn);
        for number in from.into_iter().chain(before) {
            let Some(partition) = self.partitions.get_mut(&number) else { continue };
            if batch.len() >= BATCH || all >= CHANGES {
                // Whoever has not had a turn is the first one next time.
                self.turn = number;
                break;
            }
            while batch.len() < BATCH && all < CHANGES {
                match partition.queue.poll(Duration::ZERO) {
                    None => break,
                    Some(Err(KafkaError::PartitionEOF(_))) => partition.at_end = true,
                    Some(Err(error)) if is_final(&error) => return Err(error.into()),
                    Some(Err(error)) => {
                        tracing::debug!(partition = number, %error, "reading changes");
                        break;
                    }
                    Some(Ok(message)) => {
                        let offset = message.offset();
                        if offset < partition.next {
                            continue;
                        }
                        let changes = DeltaBatch::read(message.payload().unwrap_or_default())
                            .map_err(|error| StageError::Delta { partition: number, offset, error })?;
                        partition.next = offset + 1;
                        partition.at_end = false;
                        if partition.committed == NOTHING {
                            partition.committed = offset;
                        }
                        partition.ages.push(offset, oldest_timestamp(&message));
                        all += changes.len();
                        batch.push((number, offset, changes));
                    }
                }
            }
        }
        if batch.is_empty() {
            return Ok(false);
        }
        self.last_change = self.now();
        let mut missing: hashbrown::HashMap<DocumentId, i32> = hashbrown::HashMap::new();
        // Sessions that this batch begins: what comes after needs no loading either.
        let mut begun: HashSet<&DocumentId> = HashSet::new();
        let mut fresh = 0;
        for (partition, _, changes) in &batch {
            for (id, change) in changes {
                if self.cache.must_load(id, change) {
                    if !begun.contains(id) {
                        missing.insert(id.clone(), *partition);
                    }
                } else if matches!(id, DocumentId::Session(_)) && begun.insert(id) && !self.cache.holds(id) {
                    fresh += 1;
                }
            }
        }
        drop(begun);
        self.metrics.looked_up(Lookup::Miss, missing.len());
        self.metrics.looked_up(Lookup::Begun, fresh);
        self.metrics.looked_up(Lookup::Hit, all - missing.len() - fresh);
        self.parked = Some(batch);
        if missing.is_empty() {
            self.absorb_parked()?;
        } else {
            let wanted = missing.into_iter().filter_map(|(id, partition)| {
                let assignment = self.partitions.get(&partition)?.assignment;
                Some(Wanted { id, partition, assignment })
            });
            self.load(wanted.collect());
        }
        Ok(true)
    }

    fn absorb_parked(&mut self) -> Result<(), StageError> {
        let now = self.now();
        for (partition, offset, changes) in self.parked.take().into_iter().flatten() {
            for (id, change) in changes {
                self.cache.absorb(id, change, partition, offset, now)?;
            }
        }
        Ok(())
    }

    /// Reads documents from the store, for as long as it takes.
    fn load(&self, documents: Vec<Wanted>) {
        let paths: Vec<String> = documents.iter().map(|wanted| wanted.id.path()).collect();
        let (answer, reader) = (self.answer.clone(), self.reader());
        self.runtime.spawn(async move {
            let loaded = match reader.read(&paths).await {
                Ok(stored) => Answer::Loaded(documents.into_iter().zip(stored).collect()),
                Err(error) => Answer::Refused(error),
            };
            let _ = answer.send(loaded);
        });
    }

    fn reader(&self) -> PatientReader {
        PatientReader {
            store: self.store.clone(),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            stop: self.stop.clone(),
        }
    }

    fn take_answers(&mut self) -> Result<bool, StageError> {
        let mut any = false;
        while let Ok(answer) = self.answers.try_recv() {
            any = true;
            let now = self.now();
            match answer {
                Answer::Loaded(documents) => {
                    for (Wanted { id, partition, assignment }, stored) in documents {
                        if self.partitions.get(&partition).is_some_and(|p| p.assignment == assignment) {
                            self.cache.load(id, partition, stored)?;
                        }
                    }
                    self.absorb_parked()?;
                }
                Answer::Written(sent, Ok(versions)) => {
                    self.in_flight -= 1;
                    self.failures = 0;
                    self.health.set(STORE, State::Working, "");
                    self.count_written(&sent);
                    self.cache.written(sent.number, sent.documents, &versions, now);
                }
                Answer::Written(sent, Err(error)) => self.write_failed(sent, error, now)?,
                Answer::Reloaded(number, documents) => {
                    self.in_flight -= 1;
                    for (id, stored) in documents {
                        self.cache.reloaded(id, number, stored, now)?;
                    }
                }
                Answer::Refused(error) => return Err(StageError::Store(error)),
            }
        }
        Ok(any)
    }

    /// Whatever a failed commit did or did not do, the documents themselves tell.
    fn write_failed(&mut self, sent: Sent, error: StoreError, now: i64) -> Result<(), StageError> {
        let Sent { number, documents, guards, .. } = sent;
        let is_conflict = matches!(error, StoreError::Conflict(_));
        count_error(self.metrics, &error);
        match &error {
            StoreError::Refused(_) => return Err(StageError::Store(error)),
            StoreError::Conflict(_) => tracing::debug!(%error, "documents are read again"),
            StoreError::Unavailable(_) => {
                self.failures += 1;
                self.retry_at = now + backoff_ms(self.failures, number);
                self.health.set(STORE, State::Unavailable, error.to_string());
                tracing::warn!(%error, failures = self.failures, "a commit to the store failed and is tried again");
            }
        }
        let paths: Vec<String> = documents.iter().map(DocumentId::path).collect();
        let (answer, reader, metrics) = (self.answer.clone(), self.reader(), self.metrics.clone());
        self.runtime.spawn(async move {
            let outcome = reader.read(&paths).await;
            if let (true, Ok(stored)) = (is_conflict, &outcome) {
                let others = guards.iter().zip(stored).filter(|(guard, stored)| !guard.allows(stored.as_ref()));
                metrics.document_conflicts.inc_by(others.count() as u64);
            }
            let reloaded = match outcome {
                Ok(stored) => Answer::Reloaded(number, documents.into_iter().zip(stored).collect()),
                Err(error) => Answer::Refused(error),
            };
            let _ = answer.send(reloaded);
        });
        Ok(())
    }

    fn flush(&mut self, all: bool) {
        let now = self.now();
        if now < self.retry_at || self.in_flight >= PARALLEL {
            return;
        }
        let idle = now - self.last_change >= self.config.idle_flush_ms;
        let all = all || idle || self.cache.is_full();
        for Chunk { number, documents, writes, since } in self.cache.take_due(now, all, PARALLEL - self.in_flight) {
            self.in_flight += 1;
            let (store, answer, metrics) = (self.store.clone(), self.answer.clone(), self.metrics.clone());
            self.runtime.spawn(async move {
                let timer = metrics.flush_seconds.start_timer();
                let outcome = commit(&store, &writes).await;
                timer.observe_duration();
                let guards = writes.iter().map(|write| write.guard).collect();
                let _ = answer.send(Answer::Written(Sent { number, documents, guards, since }, outcome));
            });
        }
    }

    /// Commits, for each partition, the offset up to which everything is in the store.
    fn commit_offsets(&mut self, mode: CommitMode) {
        let mut offsets = HashMap::new();
        for (number, partition) in &self.partitions {
            let next = position(self.parked.as_ref(), *number, partition);
            if next < 0 {
                continue;
            }
            let in_store = self.cache.committable(*number, next);
            let done = if failpoint::is_on(Switch::OffsetsBeforeDocuments) { next } else { in_store };
            if done > partition.committed {
                offsets.insert(*number, (done, String::new()));
            }
        }
        if offsets.is_empty() {
            return;
        }
        failpoint::reach(Point::BeforeOffsetCommit);
        let outcome = self.group.offsets(&offsets).and_then(|list| self.group.consumer().commit(&list, mode));
        match outcome {
            Ok(()) => {
                for (number, (offset, _)) in offsets {
                    if let Some(partition) = self.partitions.get_mut(&number) {
                        partition.committed = offset;
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "offsets were not committed"),
        }
    }

    fn count_written(&self, sent: &Sent) {
        let now = unix_ms();
        self.metrics.documents_per_flush.observe(sent.documents.len() as f64);
        for tier in Tier::ALL {
            let latency = self.metrics.event_to_store_seconds.with_label_values(&[tier.as_str()]);
            let mut written = 0;
            for (_, (partition, offset)) in sent.documents.iter().zip(&sent.since).filter(|(id, _)| id.tier() == tier) {
                written += 1;
                if let Some(time) = self.partitions.get(partition).and_then(|p| p.ages.at(*offset)) {
                    latency.observe(seconds_since(time, now));
                }
            }
            self.metrics.documents_written.with_label_values(&[tier.as_str()]).inc_by(written);
        }
    }

    /// Counts the time since the last call as waited if something was waited for then.
    fn note_wait(&mut self) {
        let now = Instant::now();
        let wait = match (self.cache.is_full(), self.parked.is_some()) {
            (true, _) => Some(Wait::StoreWrite),
            (_, true) => Some(Wait::StoreRead),
            _ => None,
        };
        let (before, since) = std::mem::replace(&mut self.waiting, (wait, now));
        if let Some(before) = before {
            self.metrics.waited(before, (now - since).as_secs_f64(), false);
        }
        if let Some(wait) = wait {
            self.metrics.waited(wait, 0.0, true);
        }
    }

    fn report(&mut self) {
        self.metrics.documents_dirty.set(self.cache.dirty() as i64);
        self.metrics.documents_cached.set(self.cache.len() as i64);
        self.metrics.documents_cached_bytes.set(self.cache.bytes() as i64);
        self.metrics.update_ratio();
        let connected = self.metrics.connected_to(&self.group.brokers());
        match self.group.is_cut_off() {
            true => self.health.set(BROKERS, State::Unreachable, ""),
            false => self.health.set(BROKERS, State::Working, format!("{connected} connected")),
        }
        if self.partitions.is_empty() {
            self.health.set_idle(PART, self.group.is_standing_by());
            return;
        }
        let (ends, now) = (self.group.ends(), unix_ms());
        let (mut records, mut oldest, mut unread) = (0, 0.0_f64, false);
        for (number, partition) in &mut self.partitions {
            let done = self.cache.committable(*number, position(self.parked.as_ref(), *number, partition));
            let first = partition.ages.done(done);
            // Offsets alone can't tell that all is done, because the markers of transactions take offsets.
            let rests = partition.at_end && done == partition.next;
            let lag = match (rests, ends.get(number)) {
                (true, _) => 0,
                (false, Some(end)) if partition.committed >= 0 => (end - partition.committed).max(0),
                (false, _) => continue,
            };
            let label = number.to_string();
            self.metrics.lag_deltas.with_label_values(&[&label]).set(lag);
            records += lag;
            unread |= !partition.at_end;
            let seconds = if rests { Some(0.0) } else { first.map(|first| seconds_since(first, now)) };
            if let Some(seconds) = seconds {
                self.metrics.lag_deltas_seconds.with_label_values(&[&label]).set(seconds);
                oldest = oldest.max(seconds);
            }
        }
        // Documents wait for their interval by design, so only a backlog of records that are not even read counts.
        let late = unread && oldest > CATCHING_UP_SECONDS;
        let state = if late { State::CatchingUp } else { State::Working };
        let count = self.partitions.len();
        self.health.set(PART, state, format!("{count} partitions, {records} records behind, {oldest:.0} s"));
    }
}

/// The offset up to which the changes of partition `number` are in the cache; below 0 before the first.
fn position(parked: Option<&Parked>, number: i32, partition: &Partition) -> i64 {
    let parked = parked.into_iter().flatten().filter(|(p, _, _)| *p == number).map(|(_, offset, _)| *offset);
    parked.min().unwrap_or(partition.next)
}

/// The time of the oldest event behind a record, in milliseconds since the Unix epoch; else the record's own.
fn oldest_timestamp(message: &BorrowedMessage<'_>) -> i64 {
    let oldest = message.headers().and_then(|headers| headers.iter().find(|header| header.key == OLDEST_TIMESTAMP));
    let oldest = oldest.and_then(|header| std::str::from_utf8(header.value?).ok()?.parse().ok());
    oldest.or_else(|| message.timestamp().to_millis()).unwrap_or_default()
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        let partitions: Vec<i32> = self.partitions.keys().copied().collect();
        self.metrics.forget_delta_partitions(&partitions);
        self.metrics.partitions.with_label_values(&[PART]).set(0);
    }
}

/// A commit to the store, with the fail points around it.
async fn commit(store: &SharedStore, writes: &[Write]) -> Result<Vec<Version>, StoreError> {
    let injected = || Err(StoreError::Unavailable("injected".into()));
    let turn = Turn::wait().await;
    if failpoint::reach(Point::BeforeStoreCommit) {
        return injected();
    }
    let versions = store.commit(writes).await?;
    turn.written();
    if failpoint::reach(Point::AfterStoreCommit) {
        return injected();
    }
    Ok(versions)
}
