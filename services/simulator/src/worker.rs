//! One worker process: generate, wait for the right moment, send, report.

use std::io::{BufRead, BufReader, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;

use crate::delivery::{Delivery, Due};
use crate::protocol::Report;
use crate::settings::{Assignment, MICROS, Pace, Settings, Target};
use crate::sink::{FileSink, KafkaSink, NullSink, Sink, SinkError, drain, part_path};
use crate::tally::Tally;
use crate::world::World;

/// How often a worker reports.
const REPORT_EVERY: Duration = Duration::from_millis(250);
/// Messages between two looks at the clock.
const LOOK_EVERY: u32 = 512;
/// How long a stopped worker waits for acknowledgements; the whole service has 10 s.
const DRAIN_LIMIT: Duration = Duration::from_secs(7);
/// How far an endless run may fall behind before it skips time instead of catching up, in microseconds.
const MAX_LAG: i64 = 10 * MICROS;

/// Why a worker ends without success.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The supervisor's first line can't be understood.
    #[error("no assignment on standard input: {0}; workers are started by the supervisor, not by hand")]
    Assignment(String),
    /// Messages can't be sent.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The supervisor does not listen any more.
    #[error("cannot report to the supervisor: {0}")]
    Report(#[from] std::io::Error),
}

/// The wall clock in microseconds since the Unix epoch.
pub fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Runs a worker that the supervisor has started. `kafka` is the producer's configuration and its topic, if needed.
/// Ends when all is sent and settled, when `stop` is set, or when the supervisor closes the pipe.
///
/// # Errors
///
/// See [`WorkerError`].
pub fn run(
    settings: &Settings,
    kafka: Option<(&ClientConfig, &str)>,
    stop: Arc<AtomicBool>,
) -> Result<(), WorkerError> {
    let mut input = BufReader::new(std::io::stdin());
    let mut line = String::new();
    input.read_line(&mut line)?;
    let assignment = serde_json::from_str(&line).map_err(|e| WorkerError::Assignment(e.to_string()))?;
    let stopped = stop.clone();
    std::thread::Builder::new().name("pipe".into()).spawn(move || {
        // Nothing more is ever written: the end of the pipe means stop, or that the supervisor is dead.
        let _ = std::io::copy(&mut input, &mut std::io::sink());
        stopped.store(true, Ordering::Relaxed);
    })?;
    let mut sink = open(settings, &assignment, kafka)?;
    work(settings, &assignment, sink.as_mut(), &stop, &mut std::io::stdout())
}

fn open(
    settings: &Settings,
    assignment: &Assignment,
    kafka: Option<(&ClientConfig, &str)>,
) -> Result<Box<dyn Sink>, SinkError> {
    Ok(match (&settings.target, kafka) {
        (Target::File(path), _) => Box::new(FileSink::open(part_path(path, assignment.worker), assignment.skip_bytes)?),
        (Target::Kafka, Some((config, topic))) => Box::new(KafkaSink::new(config, topic)?),
        (Target::Kafka, None) | (Target::Null, _) => Box::new(NullSink),
    })
}

/// Sends the messages of an assignment, and reports to `output`.
///
/// # Errors
///
/// See [`WorkerError`].
pub fn work(
    settings: &Settings,
    assignment: &Assignment,
    sink: &mut dyn Sink,
    stop: &AtomicBool,
    output: &mut dyn Write,
) -> Result<(), WorkerError> {
    let world = World::new(assignment.seed, settings.products, settings.categories, settings.currency.as_str())
        .with_countries(settings.countries);
    let mut delivery = Delivery::new(&world, settings.plan(assignment), settings.disorder.clone());
    let mut pacer = Pacer::new(settings, assignment);
    let mut tally = Tally::new(world.products.len(), world.payment_methods.len());
    let mut reporter = Reporter { output, last: Instant::now() };
    let stopped = || stop.load(Ordering::Relaxed);
    // What earlier incarnations have settled is generated again, because all that follows depends on it, and not sent.
    for _ in 0..assignment.skip {
        if delivery.next_message().is_none() || stopped() {
            break;
        }
    }
    let mut until_look = LOOK_EVERY;
    let mut postponed = 0;
    let finished = loop {
        if stopped() {
            break false;
        }
        if postponed > 0 {
            delivery.postpone(std::mem::take(&mut postponed));
        }
        until_look -= 1;
        if until_look == 0 {
            until_look = LOOK_EVERY;
            reporter.when_due(&delivery, sink, &mut tally)?;
        }
        let (open, clock) = (delivery.open_sessions(), delivery.clock());
        let Some(message) = delivery.next_message() else { break true };
        if let Some(due) = message.due {
            while let Some(moment) = pacer.wait_until(due, &mut postponed) {
                if stopped() {
                    break;
                }
                sink.idle(moment);
                reporter.when_due_at(open, clock, sink, &mut tally)?;
            }
        }
        if stopped() || !sink.send(&message, &mut tally, &stopped)? {
            break false;
        }
    };
    let (open, clock) = (delivery.open_sessions(), delivery.clock());
    let mut deadline = None;
    let mut broken = None;
    let left = {
        // `settle` and reports both need the sink: reports during draining carry what the tally has by then.
        let reporter = &mut reporter;
        let mut wait = |tally: &mut Tally| {
            if reporter.last.elapsed() >= REPORT_EVERY {
                broken = reporter.write(open, clock, 0, false, tally).err();
            }
            let limit = stopped().then(|| *deadline.get_or_insert_with(|| Instant::now() + DRAIN_LIMIT));
            broken.is_none() && limit.is_none_or(|limit| Instant::now() < limit)
        };
        drain(sink, &mut tally, &mut wait)?
    };
    if let Some(error) = broken {
        return Err(error.into());
    }
    if left > 0 {
        tracing::warn!(
            left,
            "stopped before these messages were acknowledged; they may be in the topic, and count nowhere"
        );
    }
    reporter.write(open, clock, sink.file_bytes(), finished && left == 0, &mut tally)?;
    Ok(())
}

/// Says when a message may go.
struct Pacer {
    pace: Pace,
    worker: f64,
    workers: f64,
    origin: i64,
    /// When the run started on the wall clock, as if no time had been skipped.
    started: i64,
    may_skip: bool,
}

impl Pacer {
    fn new(settings: &Settings, assignment: &Assignment) -> Self {
        Self {
            pace: settings.pace,
            worker: f64::from(assignment.worker),
            workers: f64::from(settings.processes),
            origin: assignment.origin,
            started: assignment.started,
            may_skip: settings.may_skip_time(),
        }
    }

    /// `None` if the message may go now, else a moment to wait for and ask again. `skipped` grows by the time skipped.
    fn wait_until(&mut self, due: Due, skipped: &mut i64) -> Option<Instant> {
        let offset = match self.pace {
            Pace::FlatOut => return None,
            Pace::Speed(factor) => (due.schedule - self.origin) as f64 / factor,
            Pace::Rate(rate) => (due.number as f64 * self.workers + self.worker) * MICROS as f64 / rate,
        };
        let ahead = self.started.saturating_add(offset as i64) - wall_clock();
        if self.may_skip && ahead < -MAX_LAG {
            tracing::warn!(seconds = -ahead / MICROS, "far behind schedule; skipping time instead of catching up");
            self.started -= ahead;
            *skipped -= ahead;
        }
        // Waking up for each message costs more than it is worth; those of some milliseconds go together.
        (ahead > 0).then(|| Instant::now() + Duration::from_micros(ahead.clamp(5_000, 50_000) as u64))
    }
}

struct Reporter<'a> {
    output: &'a mut dyn Write,
    last: Instant,
}

impl Reporter<'_> {
    fn when_due(&mut self, delivery: &Delivery<'_>, sink: &mut dyn Sink, tally: &mut Tally) -> Result<(), WorkerError> {
        self.when_due_at(delivery.open_sessions(), delivery.clock(), sink, tally)
    }

    fn when_due_at(
        &mut self,
        open_sessions: u32,
        clock: Option<i64>,
        sink: &mut dyn Sink,
        tally: &mut Tally,
    ) -> Result<(), WorkerError> {
        if self.last.elapsed() < REPORT_EVERY {
            return Ok(());
        }
        sink.settle(tally)?;
        Ok(self.write(open_sessions, clock, sink.file_bytes(), false, tally)?)
    }

    fn write(
        &mut self,
        open_sessions: u32,
        clock: Option<i64>,
        file_bytes: u64,
        finished: bool,
        tally: &mut Tally,
    ) -> std::io::Result<()> {
        self.last = Instant::now();
        let report = Report { part: tally.take(), file_bytes, open_sessions, clock, finished };
        let mut line = serde_json::to_vec(&report)?;
        line.push(b'\n');
        self.output.write_all(&line)?;
        self.output.flush()
    }
}
