//! The member of the event topic's group: hands partitions to workers, and commits what they made.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use storepulse_events::topics;
use tokio_util::sync::CancellationToken;

use super::progress::{Backlog, Progress};
use super::worker::{Worker, WorkerConfig, WorkerCut};
use crate::clock::{seconds_since, unix_ms};
use crate::failpoint::{self, Point};
use crate::health::{Health, State};
use crate::kafka::denied::{Denied, Refusals};
use crate::kafka::group::{Event, Group, Queue, member_config};
use crate::kafka::restore::{RestoreError, Restored, Restorer};
use crate::kafka::transaction::{TransactionError, Transactions};
use crate::metrics::{Metrics, Wait};
use crate::session::Limits;

/// What the stage needs.
#[derive(Clone)]
pub struct StageConfig {
    /// The client's security.
    pub client: ClientConfig,
    /// The group.
    pub group: String,
    /// Additional settings of the group's member: its protocol and session time-out.
    pub membership: Vec<(String, String)>,
    /// The event topic.
    pub topic: String,
    /// Name of this instance; also its transactional id, behind the group's name.
    pub instance: String,
    /// After which time the broker aborts what a dead instance left open.
    pub transaction_timeout: Duration,
    /// Time between transactions.
    pub commit_interval: Duration,
    /// Number of workers.
    pub workers: usize,
    /// What workers need.
    pub worker: WorkerConfig,
    /// The rules of sessions.
    pub limits: Limits,
}

/// Why the stage ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A client failed.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A transaction failed.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// Sessions could not be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A worker failed.
    #[error("{0}")]
    Worker(String),
    /// Partitions were given to another member before this one could commit.
    #[error("partitions {0:?} were given to another instance")]
    Lost(Vec<i32>),
}

const PART: &str = "aggregate";

/// Who is further behind is catching up.
const CATCHING_UP_SECONDS: f64 = 10.0;

impl StageError {
    fn denied(&self, config: &StageConfig) -> Option<Denied> {
        let user = config.client.get("sasl.username").unwrap_or_default();
        match self {
            Self::Kafka(error) => Denied::of(error, user, &config.group, &config.topic),
            Self::Restore(RestoreError::Refused { topic, error, .. }) => Denied::of(error, user, &config.group, topic),
            Self::Transaction(TransactionError::Denied(denied)) => Some(denied.clone()),
            _ => None,
        }
    }
}

/// Runs the stage until `stop`. Begins anew after a failure, from what is committed.
///
/// # Errors
///
/// A permission that is refused again and again.
pub fn run(config: &StageConfig, metrics: &Metrics, health: &Health, stop: &CancellationToken) -> Result<(), Denied> {
    let (mut failures, mut refusals) = (0u32, Refusals::default());
    health.set(PART, State::Joining, "");
    while !stop.is_cancelled() {
        let started = Instant::now();
        match Stage::start(config, metrics, health, stop).and_then(Stage::run) {
            Ok(()) => break,
            Err(error) => {
                failures = if started.elapsed() > Duration::from_secs(60) { 1 } else { failures + 1 };
                metrics.restarts.with_label_values(&[PART]).inc();
                metrics.partitions.with_label_values(&[PART]).set(0);
                health.set(PART, State::BeginningAnew, error.to_string());
                if let Some(denied) = refusals.note(error.denied(config)) {
                    return Err(denied);
                }
                tracing::warn!(%error, failures, "aggregation begins anew from what is committed");
                let wait = Duration::from_millis(100 << failures.min(6));
                let until = Instant::now() + wait;
                while Instant::now() < until && !stop.is_cancelled() {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
    Ok(())
}

/// News of the partitions of an assignment.
enum Restoring {
    /// The first offset of each that is not committed, as far as known.
    Positions(Vec<(i32, i64)>),
    /// A partition whose sessions are restored, or why they could not be.
    Done(i32, Box<Result<(Restored, Queue), RestoreError>>),
}

/// What the callback of a revocation shares with the stage.
struct Core {
    workers: Vec<Worker>,
    transactions: Transactions,
    group: Mutex<Option<Arc<Group>>>,
    /// Which worker has a partition.
    placement: Mutex<BTreeMap<i32, usize>>,
    progress: Mutex<Progress>,
    failed: Mutex<Option<StageError>>,
    metrics: Metrics,
    health: Health,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Core {
    /// Cuts all workers and commits. Does nothing when nothing happened.
    fn commit(&self, all: bool, limit: Duration) -> Result<(), StageError> {
        let (reply, answers) = std::sync::mpsc::channel();
        self.workers.iter().for_each(|worker| worker.cut(all, reply.clone()));
        drop(reply);
        let cuts: Vec<WorkerCut> = answers.iter().collect::<Result<_, _>>()?;
        let sum = |f: fn(&WorkerCut) -> usize| cuts.iter().map(f).sum::<usize>() as i64;
        let open = sum(|c| c.sessions.1);
        self.metrics.sessions.with_label_values(&["open"]).set(open);
        self.metrics.sessions.with_label_values(&["ended"]).set(sum(|c| c.sessions.0) - open);
        self.metrics.stories_pending.set(sum(|c| c.sessions.2 as usize));
        // They wait side by side.
        let waited = cuts.iter().map(|c| c.waited.0).max().unwrap_or_default();
        self.metrics.waited(Wait::Transaction, waited.as_secs_f64(), cuts.iter().any(|c| c.waited.1));
        let mut records = Vec::new();
        let mut offsets = HashMap::new();
        let mut tallies = Vec::new();
        let mut heads = Vec::new();
        for cut in cuts {
            records.extend(cut.records);
            offsets.extend(cut.offsets);
            tallies.push(cut.tally);
            heads.extend(cut.heads);
        }
        if !offsets.is_empty() {
            let group = lock(&self.group).clone().ok_or_else(|| StageError::Worker("no membership".into()))?;
            let waiting = self.health.waiting(PART, "a transaction to be committed");
            self.transactions.commit(&records, &offsets, &group, limit)?;
            drop(waiting);
        }
        let mut progress = lock(&self.progress);
        offsets.into_iter().for_each(|(partition, (offset, _))| progress.committed(partition, offset));
        heads.into_iter().for_each(|(partition, head)| progress.reached(partition, head));
        drop(progress);
        let now = unix_ms();
        for tally in tallies {
            if let Some(oldest) = tally.oldest {
                self.metrics.event_to_commit_seconds.observe(seconds_since(oldest, now));
            }
            for (name, count) in storepulse_events::Payload::TYPES.iter().zip(tally.events) {
                self.metrics.events.with_label_values(&[name]).inc_by(count);
            }
            self.metrics.duplicates.inc_by(tally.duplicates);
            for (reason, count) in tally.rejected {
                self.metrics.dead_letters.with_label_values(&[reason.as_str()]).inc_by(count);
            }
        }
        Ok(())
    }

    /// Before partitions are given up: commits what they contributed, then takes them from their workers.
    fn give_up(&self, partitions: &[i32], lost: bool) {
        let held = {
            let placement = lock(&self.placement);
            partitions.iter().any(|p| placement.contains_key(p))
        };
        if held && lock(&self.failed).is_none() {
            failpoint::reach(Point::BeforeGivingUpPartitions);
            let outcome = if lost {
                Err(StageError::Lost(partitions.to_vec()))
            } else {
                self.commit(false, Duration::from_secs(10))
            };
            if let Err(error) = outcome {
                *lock(&self.failed) = Some(error);
            }
            failpoint::reach(Point::WhileGivingUpPartitions);
        }
        let mut placement = lock(&self.placement);
        for (index, worker) in self.workers.iter().enumerate() {
            let theirs: Vec<i32> = partitions.iter().copied().filter(|p| placement.get(p) == Some(&index)).collect();
            if !theirs.is_empty() {
                worker.revoke(theirs);
            }
        }
        placement.retain(|p, _| !partitions.contains(p));
        lock(&self.progress).forget(partitions);
    }
}

/// How often lag is looked at.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// How far apart transactions are. A transaction costs the brokers much the same whether it carries a hundred events or
/// a hundred thousand, and the changes of many events to one document become one. So while a backlog is worked off, when
/// nothing that is read is fresh anyway, transactions are further apart.
#[derive(Default)]
struct Pace {
    committed: i64,
    behind: bool,
}

impl Pace {
    /// The time between transactions while there is a backlog.
    const BACKLOG: Duration = Duration::from_secs(1);
    /// So many events are never a backlog.
    const FEW: i64 = 10_000;

    /// Takes in, every [`REPORT_EVERY`], how many events wait, and the sum of the committed offsets. More than two such
    /// stretches' work is a backlog.
    fn note(&mut self, lag: i64, committed: i64) {
        let done = committed - std::mem::replace(&mut self.committed, committed);
        self.behind = lag > Self::FEW.max(2 * done);
    }

    fn interval(&self, normal: Duration) -> Duration {
        if self.behind { normal.max(Self::BACKLOG) } else { normal }
    }
}

struct Stage<'a> {
    config: &'a StageConfig,
    metrics: &'a Metrics,
    health: &'a Health,
    stop: &'a CancellationToken,
    group: Arc<Group>,
    core: Arc<Core>,
    epoch: Instant,
    pace: Pace,
    /// The assignment in force for each partition, to tell late restorations of former ones.
    assignments: BTreeMap<i32, u64>,
    next_assignment: u64,
    restored: Receiver<(u64, Restoring)>,
    restored_sender: Sender<(u64, Restoring)>,
    ended: Arc<AtomicBool>,
}

impl<'a> Stage<'a> {
    fn start(
        config: &'a StageConfig,
        metrics: &'a Metrics,
        health: &'a Health,
        stop: &'a CancellationToken,
    ) -> Result<Self, StageError> {
        let epoch = Instant::now();
        let mut producer = config.client.clone();
        producer
            .set("transactional.id", format!("{}-{}", config.group, config.instance))
            .set("transaction.timeout.ms", config.transaction_timeout.as_millis().to_string())
            .set("message.timeout.ms", config.transaction_timeout.as_millis().to_string())
            .set("message.max.bytes", "2097152")
            .set("compression.type", "lz4")
            .set("linger.ms", "0")
            // The first request of a transaction is refused until the markers of the one before are written, which takes
            // a few milliseconds: the default of 100 ms would be most of a transaction's time.
            .set("retry.backoff.ms", "5")
            // librdkafka 2.12 waits without end for a group's coordinator that has gone from the cluster, inside
            // `send_offsets_to_transaction` and whatever its time-out (its issues 5456 and 5511). It looks again whenever
            // any connection of this client changes its state, which an idle one does after this time.
            .set("connections.max.idle.ms", "10000")
            .set("queue.buffering.max.kbytes", "262144")
            .set("queue.buffering.max.messages", "1000000");
        let transactions = Transactions::open(&producer, &config.group, Duration::from_secs(60), metrics.clone())?;
        let workers = (0..config.workers.max(1))
            .map(|number| Worker::start(number, config.worker.clone(), epoch))
            .collect::<Result<_, _>>()
            .map_err(|e| StageError::Worker(format!("no thread for a worker: {e}")))?;
        let core = Arc::new(Core {
            workers,
            transactions,
            group: Mutex::new(None),
            placement: Mutex::default(),
            progress: Mutex::default(),
            failed: Mutex::new(None),
            metrics: metrics.clone(),
            health: health.clone(),
        });
        let consumer = member_config(&config.client, &config.group, &config.membership);
        let on_revoke = {
            let core = Arc::downgrade(&core);
            Box::new(move |partitions: &[i32], lost: bool| {
                if let Some(core) = core.upgrade() {
                    core.give_up(partitions, lost);
                }
            })
        };
        let group = Arc::new(Group::join(&consumer, &config.topic, Some(on_revoke))?);
        *lock(&core.group) = Some(group.clone());
        let (restored_sender, restored) = std::sync::mpsc::channel();
        let ended = Arc::new(AtomicBool::new(false));
        let (assignments, next_assignment) = (BTreeMap::new(), 0);
        Ok(Self {
            config,
            metrics,
            health,
            stop,
            group,
            core,
            epoch,
            pace: Pace::default(),
            assignments,
            next_assignment,
            restored,
            restored_sender,
            ended,
        })
    }

    fn run(mut self) -> Result<(), StageError> {
        let outcome = self.work();
        if let Err(error) = &outcome {
            // At once: leaving the group may take its time.
            tracing::warn!(%error, "aggregation failed; leaving its group");
        }
        outcome
    }

    fn work(&mut self) -> Result<(), StageError> {
        let mut next_commit = Instant::now();
        let mut next_report = Instant::now();
        while !self.stop.is_cancelled() {
            for event in self.group.poll(Duration::from_millis(5))? {
                match event {
                    Event::Assigned(queues) => self.assigned(queues)?,
                    Event::Revoked(partitions) => self.revoked(&partitions),
                    // Its offsets are committed by transactions.
                    Event::NotCommitted(_) => {}
                }
            }
            if let Some(error) = lock(&self.core.failed).take() {
                return Err(error);
            }
            self.place_restored()?;
            let now = Instant::now();
            if now >= next_commit || self.core.workers.iter().any(Worker::is_full) {
                self.core.commit(false, Duration::from_secs(60))?;
                next_commit = now + self.pace.interval(self.config.commit_interval);
            }
            if now >= next_report {
                self.report_lag();
                next_report = now + REPORT_EVERY;
            }
        }
        // What was read is committed, and every story with it, so that the documents tell all when this ends.
        self.core.commit(true, Duration::from_secs(5))
    }

    fn assigned(&mut self, queues: Vec<(i32, Queue)>) -> Result<(), StageError> {
        let partitions: Vec<i32> = queues.iter().map(|(p, _)| *p).collect();
        tracing::info!(?partitions, "assigned; restoring sessions");
        self.next_assignment += 1;
        let assignment = self.next_assignment;
        self.assignments.extend(partitions.iter().map(|p| (*p, assignment)));
        self.tell_restoring();
        let mut client = self.config.client.clone();
        client.set("group.id", &self.config.group);
        let restorer = Restorer::new(&client, &self.config.topic, self.config.worker.currency, self.config.limits)?;
        let (sender, ended, epoch) = (self.restored_sender.clone(), self.ended.clone(), self.epoch);
        let metrics = self.metrics.clone();
        let work = move || {
            let stopped = || ended.load(Ordering::Relaxed);
            let _ = sender.send((assignment, Restoring::Positions(restorer.positions(&partitions))));
            for (partition, queue) in queues {
                let now = i64::try_from(epoch.elapsed().as_millis()).unwrap_or(i64::MAX);
                let timer = metrics.restore_seconds.start_timer();
                let outcome = restorer.restore(partition, now, &stopped).map(|restored| (restored, queue));
                match &outcome {
                    Ok(_) => timer.observe_duration(),
                    Err(_) => drop(timer.stop_and_discard()),
                }
                if sender.send((assignment, Restoring::Done(partition, Box::new(outcome)))).is_err() || stopped() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("restore".into()).spawn(work);
        thread.map(drop).map_err(|e| StageError::Worker(format!("no thread to restore sessions: {e}")))
    }

    /// Says how many partitions are restored of those that are assigned.
    fn tell_restoring(&self) {
        let (assigned, placed) = (self.assignments.len(), lock(&self.core.placement).len());
        self.metrics.partitions.with_label_values(&[PART]).set(placed as i64);
        self.metrics.partitions_restoring.set(assigned.saturating_sub(placed) as i64);
        if placed < assigned {
            self.health.set(PART, State::Restoring, format!("{placed} of {assigned} partitions done"));
        }
    }

    /// Hands restored partitions to the workers with the fewest.
    fn place_restored(&mut self) -> Result<(), StageError> {
        while let Ok((assignment, news)) = self.restored.try_recv() {
            let is_current = |partition: &i32| self.assignments.get(partition) == Some(&assignment);
            let (partition, outcome) = match news {
                Restoring::Done(partition, outcome) => (partition, outcome),
                Restoring::Positions(positions) => {
                    let mut progress = lock(&self.core.progress);
                    let current = positions.into_iter().filter(|(partition, _)| is_current(partition));
                    current.for_each(|(partition, offset)| progress.begin(partition, offset, None));
                    continue;
                }
            };
            if !is_current(&partition) {
                continue;
            }
            let (restored, queue) = (*outcome)?;
            self.metrics.restored_events.inc_by(restored.replayed);
            let mut placement = lock(&self.core.placement);
            let load = |index: &usize| placement.values().filter(|w| *w == index).count();
            let Some(index) = (0..self.core.workers.len()).min_by_key(load) else { continue };
            placement.insert(partition, index);
            lock(&self.core.progress).begin(partition, restored.next_offset, restored.newest);
            self.core.workers[index].assign(partition, restored, queue);
            let placed = placement.len();
            drop(placement);
            self.tell_restoring();
            if placed == self.assignments.len() {
                tracing::info!(partitions = placed, "sessions restored; aggregating");
                self.health.set(PART, State::Working, format!("{placed} partitions"));
            }
        }
        Ok(())
    }

    fn revoked(&mut self, partitions: &[i32]) {
        tracing::info!(?partitions, "revoked");
        for partition in partitions {
            self.assignments.remove(partition);
        }
        self.metrics.forget_partitions(partitions);
        self.tell_restoring();
    }

    fn report_lag(&mut self) {
        let backlog = lock(&self.core.progress).report(&self.group.ends(), unix_ms(), self.metrics);
        let placed = lock(&self.core.placement).len();
        if self.assignments.is_empty() {
            self.health.set_idle(PART, self.group.is_standing_by());
        } else if placed == self.assignments.len() {
            let state = if backlog.seconds > CATCHING_UP_SECONDS { State::CatchingUp } else { State::Working };
            let Backlog { events, seconds, .. } = backlog;
            self.health.set(PART, state, format!("{placed} partitions, {events} events behind, {seconds:.0} s"));
        }
        self.pace.note(backlog.events, backlog.committed);
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Workers hold queues, and queues hold the consumer: they go first, so that the consumer leaves the group here.
        let partitions: Vec<i32> = self.assignments.keys().copied().collect();
        self.metrics.forget_partitions(&partitions);
        self.core.workers.iter().for_each(|worker| worker.revoke(partitions.clone()));
        lock(&self.core.placement).clear();
        *lock(&self.core.group) = None;
        while self.restored.try_recv().is_ok() {}
    }
}

/// The topics that the stage uses, the event topic apart.
pub const TOPICS: [&str; 3] = [topics::DELTAS, topics::SESSIONS, topics::DEAD_LETTERS];
