//! Everything that faults happen to, and how each fault is done and undone.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::error::RDKafkaErrorCode;
use serde_json::{Value as Json, json};
use tonic::Code;

use super::backlog::{Backlog, Target};
use super::fleet::{self, Fleet};
use super::memory::{Role, Watch};
use super::plan::What;
use super::stream::{self, Stream};
use crate::by_hand::{Letter, Writer};
use crate::fault_proxy::{Calls, Fault as StoreFault, FaultProxy, How};
use crate::letters::{ENVELOPE, TOPIC_TAKES, event, largest, poison, product};
use crate::{Pipeline, Reckoning, cleanup};

/// Between two looks at everything.
const PAUSE: Duration = Duration::from_millis(100);
/// For an armed instance to have partitions, and to come to its point.
const STRIKE: Duration = Duration::from_secs(30);
/// Kafka nodes.
const BROKERS: u32 = 3;

/// Everything, on somebody's cluster.
pub struct World<'a> {
    /// The cluster.
    pub pipeline: &'a mut Pipeline,
    /// The instances of analytics.
    pub fleet: Fleet,
    /// The stream of events.
    pub stream: Stream,
    /// What was sent besides the stream.
    pub by_hand: Reckoning,
    /// Who looks at memory.
    pub watch: Watch,
    proxy: FaultProxy,
    writer: Writer,
    backlog: Backlog,
    seed: u64,
}

/// What there is to say about a fault that was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remark(pub Option<String>);

impl<'a> World<'a> {
    /// Starts instances and the stream on a cluster.
    ///
    /// # Errors
    /// When something does not start.
    pub fn new(
        pipeline: &'a mut Pipeline,
        seed: u64,
        instances: usize,
        fleet: impl FnOnce(String) -> fleet::Settings,
        stream: stream::Settings,
    ) -> anyhow::Result<Self> {
        let auditor = pipeline.environment("auditor");
        let emulator = auditor.iter().find(|(name, _)| name == "FIRESTORE_EMULATOR_HOST");
        let (_, emulator) = emulator.context("a campaign needs the Firestore emulator, and this cluster has none")?;
        let proxy = FaultProxy::start(emulator, seed)?;
        let writer = Writer::new(&pipeline.environment("simulator"))?;
        let backlog = Backlog::new(&auditor)?;
        let fleet = Fleet::new(fleet(proxy.address()));
        let mut world = Self {
            pipeline,
            fleet,
            stream: Stream::new(stream),
            by_hand: Reckoning::default(),
            watch: Watch::start(),
            proxy,
            writer,
            backlog,
            seed,
        };
        world.watch_cluster();
        world.fleet.scale(world.pipeline, &world.watch, instances)?;
        world.fleet.until_whole(world.pipeline, &world.watch, Duration::from_secs(90))?;
        world.stream.start(world.pipeline, &world.watch)?;
        Ok(world)
    }

    fn watch_cluster(&self) {
        for (name, process) in self.pipeline.cluster_processes() {
            let role = if name.starts_with("Kafka") { Role::Broker } else { Role::Firestore };
            self.watch.add(role, process);
        }
    }

    /// Looks after all processes.
    ///
    /// # Errors
    /// When one that ended can't be started again.
    pub fn tend(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(!cleanup::is_ending(), "interrupted");
        self.fleet.tend(self.pipeline, &self.watch)?;
        self.stream.tend(self.pipeline, &self.watch)
    }

    /// Lets time pass while all goes on.
    ///
    /// # Errors
    /// Those of [`Self::tend`].
    pub fn pass(&mut self, time: Duration) -> anyhow::Result<()> {
        self.until(time, |_| false).map(drop)
    }

    /// Lets time pass until something holds, while all goes on. Says whether it does.
    ///
    /// # Errors
    /// Those of [`Self::tend`].
    pub fn until(&mut self, limit: Duration, mut holds: impl FnMut(&mut Self) -> bool) -> anyhow::Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            self.tend()?;
            if holds(self) {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            std::thread::sleep(PAUSE.min(deadline - now));
        }
    }

    /// Waits until all that was sent up to now is in the documents, and every instance is ready.
    ///
    /// # Errors
    /// What is missing when the limit is over; and those of [`Self::tend`].
    pub fn catch_up(&mut self, limit: Duration) -> anyhow::Result<Result<(), String>> {
        let mut target = Target::default();
        let mut missing = String::new();
        let caught_up = self.until(limit, |world| {
            let outcome = world.backlog.is_done(&mut target).and_then(|()| world.fleet.is_whole());
            missing = outcome.err().unwrap_or_default();
            missing.is_empty()
        })?;
        Ok(if caught_up { Ok(()) } else { Err(missing) })
    }

    /// Does a fault. Returns how long it is to last before [`Self::end`] undoes it.
    ///
    /// # Errors
    /// When it can't be done.
    pub fn begin(&mut self, number: usize, what: &What) -> anyhow::Result<Duration> {
        let ms = Duration::from_millis;
        let store =
            |calls, fault, percent: u64| self.proxy.plan(calls, fault, How::Probability(percent as f64 / 100.0));
        Ok(match *what {
            What::KillInstance { instance, pause_ms } => {
                self.fleet.kill(instance)?;
                ms(pause_ms)
            }
            What::KillAllInstances { pause_ms } => {
                for instance in 0..self.fleet.len() {
                    self.fleet.kill(instance)?;
                }
                ms(pause_ms)
            }
            What::KillAtPoint { instance, point, passes, .. } => {
                self.fleet.arm(self.pipeline, &self.watch, instance, (point, passes))?;
                Duration::ZERO
            }
            What::FreezeInstance { instance, for_ms } => {
                self.fleet.freeze(instance, true)?;
                ms(for_ms)
            }
            What::RestartInstance { instance } => {
                self.fleet.stop(instance)?;
                Duration::ZERO
            }
            What::Scale { to } => {
                self.fleet.scale(self.pipeline, &self.watch, to)?;
                Duration::ZERO
            }
            What::ScaleUpAndDown { each_ms } => {
                self.fleet.scale(self.pipeline, &self.watch, 1)?;
                ms(each_ms)
            }
            What::KillBroker { broker, pause_ms } => {
                self.pipeline.kill_broker(broker)?;
                ms(pause_ms)
            }
            What::RollingRestart { .. } => Duration::ZERO,
            What::TwoBrokersDown { left, for_ms } => {
                for broker in (1..=BROKERS).filter(|broker| *broker != left) {
                    self.pipeline.kill_broker(broker)?;
                }
                ms(for_ms)
            }
            What::FreezeStore { for_ms } => {
                self.pipeline.pause_store(true)?;
                ms(for_ms)
            }
            What::StoreSlow { by_ms, for_ms } => {
                store(Calls::All, StoreFault::Delay(ms(by_ms)), 100);
                ms(for_ms)
            }
            What::StoreUnavailable { percent, for_ms } => {
                store(Calls::All, StoreFault::Refuse(Code::Unavailable), percent);
                ms(for_ms)
            }
            What::StoreAborted { percent, for_ms } => {
                store(Calls::Commit, StoreFault::Refuse(Code::Aborted), percent);
                ms(for_ms)
            }
            What::StoreExhausted { percent, for_ms } => {
                store(Calls::All, StoreFault::Refuse(Code::ResourceExhausted), percent);
                ms(for_ms)
            }
            What::StoreDeadline { percent, for_ms } => {
                store(Calls::Commit, StoreFault::FailAfter(Code::DeadlineExceeded), percent);
                ms(for_ms)
            }
            What::StoreSilent { commits } => {
                self.proxy.plan(Calls::Commit, StoreFault::Swallow, How::Next(u32::try_from(commits)?));
                ms(2_000)
            }
            What::StoreCut { .. } => {
                self.proxy.plan(Calls::Commit, StoreFault::CutAfter, How::Next(1));
                Duration::ZERO
            }
            What::StoreGone { for_ms } => {
                self.proxy.refuse_connections()?;
                ms(for_ms)
            }
            What::KillWorker { worker } => {
                self.stream.kill_worker(worker)?;
                Duration::ZERO
            }
            What::KillSimulator { with_workers, pause_ms } => {
                self.stream.kill(with_workers)?;
                ms(pause_ms)
            }
            What::PoisonMessages => {
                self.poison(number)?;
                Duration::ZERO
            }
            What::OversizedMessage => {
                self.oversized()?;
                Duration::ZERO
            }
            What::ClockJump => {
                self.clock_jump(number)?;
                Duration::ZERO
            }
            What::GiantSession { events } => {
                self.giant_session(number, u32::try_from(events)?)?;
                Duration::ZERO
            }
        })
    }

    /// Undoes a fault, or does the rest of it.
    ///
    /// # Errors
    /// When that can't be done.
    pub fn end(&mut self, what: &What) -> anyhow::Result<Remark> {
        match *what {
            What::KillInstance { instance, .. } | What::RestartInstance { instance } => {
                self.fleet.give_back(self.pipeline, &self.watch, instance)?;
            }
            What::KillAllInstances { .. } => {
                for instance in 0..self.fleet.len() {
                    self.fleet.give_back(self.pipeline, &self.watch, instance)?;
                }
            }
            What::KillAtPoint { instance, needs_rebalance, .. } => return self.strike(instance, needs_rebalance),
            What::FreezeInstance { instance, .. } => self.fleet.freeze(instance, false)?,
            What::ScaleUpAndDown { each_ms } => {
                self.fleet.scale(self.pipeline, &self.watch, BROKERS as usize)?;
                self.pass(Duration::from_millis(each_ms))?;
                self.fleet.scale(self.pipeline, &self.watch, 1)?;
            }
            What::KillBroker { broker, .. } => self.start_broker(broker)?,
            What::RollingRestart { first } => {
                for broker in (0..BROKERS).map(|step| (first - 1 + step) % BROKERS + 1) {
                    self.pipeline.stop_broker(broker)?;
                    self.start_broker(broker)?;
                    self.tend()?;
                }
            }
            What::TwoBrokersDown { left, .. } => {
                for broker in (1..=BROKERS).filter(|broker| *broker != left) {
                    self.start_broker(broker)?;
                }
            }
            What::FreezeStore { .. } => self.pipeline.pause_store(false)?,
            What::StoreSlow { .. }
            | What::StoreUnavailable { .. }
            | What::StoreAborted { .. }
            | What::StoreExhausted { .. }
            | What::StoreDeadline { .. }
            | What::StoreSilent { .. } => self.proxy.clear(),
            What::StoreCut { times, every_ms } => {
                for _ in 0..times {
                    self.proxy.cut_connections();
                    self.pass(Duration::from_millis(every_ms))?;
                }
                self.proxy.clear();
            }
            What::StoreGone { .. } => self.proxy.accept_connections()?,
            What::KillSimulator { .. } => self.stream.start(self.pipeline, &self.watch)?,
            What::Scale { .. }
            | What::KillWorker { .. }
            | What::PoisonMessages
            | What::OversizedMessage
            | What::ClockJump
            | What::GiantSession { .. } => {}
        }
        Ok(Remark(None))
    }

    /// How many faults the store's proxy has injected so far, by name.
    pub fn store_faults(&self) -> std::collections::BTreeMap<String, u64> {
        self.proxy.injected()
    }

    fn start_broker(&mut self, broker: u32) -> anyhow::Result<()> {
        self.pipeline.start_broker(broker)?;
        self.watch_cluster();
        Ok(())
    }

    /// Waits until an armed instance has killed itself.
    fn strike(&mut self, instance: usize, needs_rebalance: bool) -> anyhow::Result<Remark> {
        let instances = self.fleet.len();
        let struck = self.fleet.strikes;
        if needs_rebalance {
            self.until(STRIKE, |world| world.fleet.has_partitions(instance) || world.fleet.is_disarmed(instance))?;
            // Another one more than usual: it is given partitions that the armed one has to give up.
            self.fleet.scale(self.pipeline, &self.watch, instances + 1)?;
        }
        self.until(STRIKE, |world| world.fleet.is_disarmed(instance))?;
        let remark = match self.fleet.strikes == struck {
            true => Some("the point was not reached".to_owned()),
            false => None,
        };
        if !self.fleet.is_disarmed(instance) {
            self.fleet.kill(instance)?;
            self.fleet.give_back(self.pipeline, &self.watch, instance)?;
        }
        self.fleet.scale(self.pipeline, &self.watch, instances)?;
        Ok(Remark(remark))
    }

    /// Writes a message and waits for the answer. What nobody acknowledges may be in the topic all the same.
    fn write(&mut self, letter: &Letter) -> bool {
        let written = self.pipeline.wait(self.writer.write(letter)).is_ok();
        self.stream.is_exact &= written;
        written
    }

    fn write_event(&mut self, session: &str, event: &Json) -> anyhow::Result<()> {
        let letter = Letter { key: Some(session.into()), value: Some(event.to_string().into_bytes()) };
        if self.write(&letter) {
            self.by_hand.add_event(event)?;
        }
        Ok(())
    }

    fn session(&self, number: usize) -> String {
        format!("s-chaos-{:x}-{number}", self.seed)
    }

    fn poison(&mut self, number: usize) -> anyhow::Result<()> {
        let session = self.session(number);
        for (number, (_, reason, value)) in (0..).zip(poison(&session)) {
            let key = (reason != "too_large").then(|| session.as_bytes().to_vec());
            if self.write(&Letter { key, value }) {
                self.by_hand.rejected += 1;
            }
            let good = match number {
                0 => event(&session, 0, "session_started", json!({ "user_agent": "by hand" })),
                _ => event(&session, number, "product_viewed", json!({ "product": product(19.99) })),
            };
            self.write_event(&session, &good)?;
        }
        Ok(())
    }

    fn oversized(&mut self) -> anyhow::Result<()> {
        if self.write(&Letter { key: None, value: Some(largest()) }) {
            self.by_hand.rejected += 1;
        }
        let larger = Letter { key: None, value: Some(vec![0xff; TOPIC_TAKES - ENVELOPE + 1]) };
        let refused = self.pipeline.wait(self.writer.write(&larger)).err().and_then(|error| error.rdkafka_error_code());
        if refused != Some(RDKafkaErrorCode::MessageSizeTooLarge) {
            self.stream
                .problems
                .push(format!("a message that is too large for the topic was answered with {refused:?}"));
        }
        Ok(())
    }

    fn clock_jump(&mut self, number: usize) -> anyhow::Result<()> {
        let session = self.session(number);
        let times = [
            "2026-11-21T23:59:59.999999Z",
            "2031-01-01T00:00:00Z",
            "1999-12-31T23:59:59Z",
            "2026-11-22T13:59:59.5+14:00",
            "2026-02-28T23:30:00-01:00",
        ];
        for (number, time) in (0..).zip(times) {
            let mut event = match number {
                0 => event(&session, number, "session_started", json!({ "user_agent": "a bad clock" })),
                4 => event(&session, number, "session_ended", json!({ "seconds_duration": 5 })),
                _ => event(&session, number, "product_viewed", json!({ "product": product(0.01) })),
            };
            event["timestamp"] = json!(time);
            self.write_event(&session, &event)?;
        }
        Ok(())
    }

    fn giant_session(&mut self, number: usize, events: u32) -> anyhow::Result<()> {
        let session = self.session(number);
        let all: Vec<Json> = (0..events)
            .map(|number| match number {
                0 => event(&session, number, "session_started", json!({ "user_agent": "by hand" })),
                last if last + 1 == events => {
                    event(&session, number, "session_ended", json!({ "seconds_duration": events }))
                }
                _ => event(&session, number, "product_viewed", json!({ "product": product(1.0) })),
            })
            .collect();
        let letter = |event: &Json| Letter {
            key: Some(session.as_bytes().to_vec()),
            value: Some(event.to_string().into_bytes()),
        };
        let letters: Vec<Letter> = all.iter().map(letter).collect();
        match self.pipeline.wait(self.writer.write_batch(&letters)) {
            Ok(_) => all.iter().try_for_each(|event| self.by_hand.add_event(event))?,
            // Some of them may be in the topic.
            Err(_) => self.stream.is_exact = false,
        }
        Ok(())
    }
}
