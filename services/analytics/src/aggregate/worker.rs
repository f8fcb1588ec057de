//! A thread that reads, decodes and folds the events of some partitions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use storepulse_events::{Currency, Payload, Reason, Rejection, decode, topics};

use super::progress::Head;
use crate::document::{Change, DeltaBatch, DocumentId, DocumentRules};
use crate::fold::Folder;
use crate::kafka::group::{Queue, is_final};
use crate::kafka::restore::Restored;
use crate::kafka::transaction::{OLDEST_TIMESTAMP, Record};
use crate::session::{SessionTable, StoryPatch, seal};

/// What workers need to know.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The shop's currency.
    pub currency: Currency,
    /// The event topic.
    pub event_topic: String,
    /// Partitions of the delta topic.
    pub delta_partitions: i32,
    /// Partitions of the dead-letter topic.
    pub dead_letter_partitions: i32,
    /// What documents depend on.
    pub rules: DocumentRules,
}

enum Command {
    Assign(i32, Box<Restored>, Queue),
    Revoke(Vec<i32>, SyncSender<()>),
    Cut { all: bool, reply: Sender<Result<WorkerCut, KafkaError>> },
}

/// What a worker contributes to a transaction.
#[derive(Debug, Default)]
pub struct WorkerCut {
    /// Records to send.
    pub records: Vec<Record>,
    /// The next offset of each partition that moved, with what is committed beside it.
    pub offsets: HashMap<i32, (i64, String)>,
    /// What to count once the transaction is committed.
    pub tally: Tally,
    /// Sessions known, those of them that are open, and those of them whose story has not gone out.
    pub sessions: (usize, usize, u64),
    /// How far each of the worker's partitions is.
    pub heads: Vec<(i32, Head)>,
    /// How long the worker had to wait for this cut because it held as much as it may, and whether it does now.
    pub waited: (Duration, bool),
}

/// Numbers of a cut.
#[derive(Debug, Default)]
pub struct Tally {
    /// Events that count, by type.
    pub events: [u64; Payload::TYPES.len()],
    /// Events that do not count.
    pub duplicates: u64,
    /// Rejected messages by reason.
    pub rejected: BTreeMap<Reason, u64>,
    /// The broker's time of the oldest message, in milliseconds since the Unix epoch.
    pub oldest: Option<i64>,
}

/// A running worker.
pub struct Worker {
    commands: Sender<Command>,
    full: Arc<AtomicBool>,
    thread: Thread,
    handle: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a worker. It ends when this value is dropped.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub fn start(number: usize, config: WorkerConfig, epoch: Instant) -> std::io::Result<Self> {
        let (commands, inbox) = std::sync::mpsc::channel();
        let full = Arc::new(AtomicBool::new(false));
        let builder = std::thread::Builder::new().name(format!("worker-{number}"));
        let tell = full.clone();
        let handle = builder.spawn(move || Work::new(config, inbox, tell, epoch).run())?;
        let thread = handle.thread().clone();
        Ok(Self { commands, full, thread, handle: Some(handle) })
    }

    fn send(&self, command: Command) {
        // A worker ends only when this value is dropped.
        let _ = self.commands.send(command);
        self.thread.unpark();
    }

    /// Gives the worker a partition.
    pub fn assign(&self, partition: i32, restored: Restored, mut queue: Queue) {
        let thread = self.thread.clone();
        queue.set_nonempty_callback(move || thread.unpark());
        self.send(Command::Assign(partition, Box::new(restored), queue));
    }

    /// Takes partitions away, with all that is uncommitted in their sessions, and waits until the worker has let go.
    pub fn revoke(&self, partitions: Vec<i32>) {
        let (done, wait) = std::sync::mpsc::sync_channel(1);
        self.send(Command::Revoke(partitions, done));
        let _ = wait.recv();
    }

    /// Whether the worker holds as much as it may, and waits for a cut.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Asks for a cut; the answer comes to `reply`. With `all`, open sessions' stories go out as well.
    pub fn cut(&self, all: bool, reply: Sender<Result<WorkerCut, KafkaError>>) {
        self.send(Command::Cut { all, reply });
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let (closed, _) = std::sync::mpsc::channel();
        self.commands = closed;
        self.thread.unpark();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

struct Partition {
    queue: Queue,
    table: SessionTable,
    next_offset: i64,
    moved: bool,
    /// The watermark that was told last.
    told_watermark: i64,
    head: Head,
}

struct Work {
    config: WorkerConfig,
    inbox: Receiver<Command>,
    /// What [`Worker::is_full`] says.
    full: Arc<AtomicBool>,
    epoch: Instant,
    partitions: BTreeMap<i32, Partition>,
    folder: Folder,
    dead_letters: Vec<Record>,
    dead_letter_bytes: usize,
    tally: Tally,
    waited: Duration,
    failure: Option<KafkaError>,
}

/// Messages taken from one partition before the next one has its turn.
const TURN: usize = 256;
/// When this much waits for the next cut, the worker asks for one and waits.
const MAX_CELLS: usize = 25_000;
const MAX_DEAD_LETTER_BYTES: usize = 16 * 1024 * 1024;
/// How long an idle worker sleeps unless something arrives.
const NAP: Duration = Duration::from_millis(20);

impl Work {
    fn new(config: WorkerConfig, inbox: Receiver<Command>, full: Arc<AtomicBool>, epoch: Instant) -> Self {
        Self {
            folder: Folder::new(config.rules),
            config,
            inbox,
            full,
            epoch,
            partitions: BTreeMap::new(),
            dead_letters: Vec::new(),
            dead_letter_bytes: 0,
            tally: Tally::default(),
            waited: Duration::ZERO,
            failure: None,
        }
    }

    fn now(&self) -> i64 {
        i64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn run(mut self) {
        loop {
            loop {
                match self.inbox.try_recv() {
                    Ok(command) => self.obey(command),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            let full = self.is_full();
            self.full.store(full, Ordering::Relaxed);
            if full || self.failure.is_some() || !self.take_turns() {
                let begun = Instant::now();
                std::thread::park_timeout(NAP);
                if full {
                    self.waited += begun.elapsed();
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.folder.len() > MAX_CELLS || self.dead_letter_bytes > MAX_DEAD_LETTER_BYTES
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Assign(partition, restored, queue) => {
                let Restored { table, next_offset, newest, .. } = *restored;
                let head = Head { newest, at_end: false };
                let told_watermark = i64::MIN;
                let state = Partition { queue, table, next_offset, moved: false, told_watermark, head };
                self.partitions.insert(partition, state);
            }
            Command::Revoke(partitions, done) => {
                for partition in partitions {
                    self.partitions.remove(&partition);
                }
                let _ = done.send(());
            }
            Command::Cut { all, reply } => {
                let cut = match &self.failure {
                    Some(failure) => Err(failure.clone()),
                    None => Ok(self.cut(all)),
                };
                self.full.store(self.is_full(), Ordering::Relaxed);
                let _ = reply.send(cut);
            }
        }
    }

    /// Gives each partition a turn. Says whether any had a message.
    fn take_turns(&mut self) -> bool {
        let now = self.now();
        let mut any = false;
        for (number, partition) in &mut self.partitions {
            for _ in 0..TURN {
                match partition.queue.poll(Duration::ZERO) {
                    None => break,
                    Some(Err(KafkaError::PartitionEOF(_))) => partition.head.at_end = true,
                    Some(Err(error)) if is_final(&error) => {
                        self.failure = Some(error);
                        break;
                    }
                    Some(Err(error)) => {
                        tracing::debug!(partition = number, %error, "reading events");
                        break;
                    }
                    Some(Ok(message)) => {
                        any = true;
                        // What lies before the restored position is in the committed state already.
                        if message.offset() < partition.next_offset {
                            continue;
                        }
                        partition.next_offset = message.offset() + 1;
                        partition.moved = true;
                        let time = message.timestamp().to_millis().unwrap_or(0);
                        partition.head = Head { newest: partition.head.newest.max(Some(time)), at_end: false };
                        self.tally.oldest = Some(self.tally.oldest.map_or(time, |oldest| oldest.min(time)));
                        match decode(message.payload().unwrap_or_default(), self.config.currency) {
                            Ok(event) => {
                                let account = &mut self.folder.account;
                                match partition.table.observe(&event, message.offset(), time, now, account) {
                                    Some(arrival) => {
                                        self.tally.events[event.payload.type_index()] += 1;
                                        self.folder.fold(&event, arrival);
                                    }
                                    None => self.tally.duplicates += 1,
                                }
                            }
                            Err(rejection) => {
                                partition.table.tick(message.offset(), time, &mut self.folder.account);
                                *self.tally.rejected.entry(rejection.reason).or_default() += 1;
                                let letter = dead_letter(&self.config, &message, &rejection);
                                self.dead_letter_bytes += letter.value.as_ref().map_or(0, Vec::len) + 512;
                                self.dead_letters.push(letter);
                            }
                        }
                    }
                }
            }
        }
        any
    }

    fn cut(&mut self, all: bool) -> WorkerCut {
        let now = self.now();
        let waited = (std::mem::take(&mut self.waited), self.is_full());
        let mut cut = WorkerCut { tally: std::mem::take(&mut self.tally), waited, ..WorkerCut::default() };
        let (mut stories, mut watermarks) = (Vec::new(), Vec::new());
        for (number, partition) in &mut self.partitions {
            let part = partition.table.cut(partition.next_offset, now, all);
            let silent = part.stories.is_empty() && part.checkpoints.is_empty();
            stories.extend(part.stories);
            let mut keep = |key: &[u8], value| {
                let key = Some(key.to_vec());
                cut.records.push(Record { topic: topics::SESSIONS, partition: *number, key, value, headers: vec![] });
            };
            if !part.checkpoints.is_empty() {
                part.checkpoints.into_iter().for_each(|(id, value)| keep(id.as_bytes(), value));
                keep(seal::KEY, Some(seal::encode(part.position.seal)));
            }
            if partition.moved && partition.table.watermark() > partition.told_watermark {
                partition.told_watermark = partition.table.watermark();
                watermarks.push((*number, partition.told_watermark));
            }
            if partition.moved || !silent {
                cut.offsets.insert(*number, (partition.next_offset, part.position.to_string()));
                partition.moved = false;
            }
            cut.heads.push((*number, partition.head));
            cut.sessions.0 += partition.table.len();
            cut.sessions.1 += partition.table.open();
            cut.sessions.2 += part.position.pending_stories;
        }
        self.deltas(stories, watermarks, cut.tally.oldest, &mut cut.records);
        cut.records.append(&mut self.dead_letters);
        self.dead_letter_bytes = 0;
        cut
    }

    /// The changes of the cut as records of the delta topic, each document in its partition. Each record tells the
    /// broker's time of the `oldest` message of the cut, for the second stage to know how long events took.
    fn deltas(
        &mut self,
        stories: Vec<StoryPatch>,
        watermarks: Vec<(i32, i64)>,
        oldest: Option<i64>,
        records: &mut Vec<Record>,
    ) {
        let mut batches: BTreeMap<i32, DeltaBatch> = BTreeMap::new();
        let partitions = self.config.delta_partitions;
        let mut add = |id: DocumentId, change: Change| {
            batches.entry(id.partition(partitions)).or_default().push(&id, &change);
        };
        self.folder.drain(&mut add);
        if !watermarks.is_empty() {
            add(DocumentId::Watermarks, Change::Watermarks(watermarks));
        }
        for StoryPatch { session_id, first, entries } in stories {
            add(DocumentId::Session(session_id), Change::Story { first, entries });
        }
        for (partition, batch) in batches {
            for value in batch.into_records() {
                let value = Some(value);
                let headers = oldest.map(|oldest| (OLDEST_TIMESTAMP, oldest.to_string())).into_iter().collect();
                records.push(Record { topic: topics::DELTAS, partition, key: None, value, headers });
            }
        }
    }
}

/// The message as it came, with why it was rejected and where it stood.
fn dead_letter(config: &WorkerConfig, message: &BorrowedMessage<'_>, rejection: &Rejection) -> Record {
    let headers = vec![
        ("reason", rejection.reason.to_string()),
        ("detail", rejection.detail.clone()),
        ("source-topic", config.event_topic.clone()),
        ("source-partition", message.partition().to_string()),
        ("source-offset", message.offset().to_string()),
        ("source-timestamp", message.timestamp().to_millis().unwrap_or(0).to_string()),
    ];
    Record {
        topic: topics::DEAD_LETTERS,
        partition: message.partition() % config.dead_letter_partitions.max(1),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}
