//! Which faults come, and when: a pure function of the seed and the size of the campaign.
//!
//! Kinds are dealt like cards: all of a pack come once before the next pack is shuffled. So a campaign of a pack's size
//! has every kind, whatever the seed. A kind that is impossible at the moment (no second instance) gives way to the
//! fault that makes it possible, and comes next.

use std::collections::VecDeque;

use serde::Serialize;

use crate::random::Random;

/// Instances of analytics at most.
pub const MOST_INSTANCES: usize = 3;
/// Instances at the beginning.
pub const FIRST_INSTANCES: usize = 2;
/// Kafka nodes; their numbers begin with 1.
const BROKERS: u64 = 3;
/// The least session time-out of the group, in milliseconds; a zombie is one that sleeps longer.
pub const SESSION_TIMEOUT_MS: u64 = 6_000;
/// How many of a hundred faults come together with the next.
const TOGETHER_PERCENT: u64 = 20;

/// A kind of fault, as it is called everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// SIGKILL to an instance of analytics.
    KillInstance,
    /// SIGKILL to all instances at once.
    KillAllInstances,
    /// An instance kills itself at a chosen point of its work.
    KillAtPoint,
    /// SIGSTOP to an instance for longer than its session time-out, then SIGCONT: a zombie.
    FreezeInstance,
    /// SIGTERM to an instance, and a new one.
    RestartInstance,
    /// More instances, or fewer.
    Scale,
    /// One instance, three, one.
    ScaleUpAndDown,
    /// SIGKILL to a broker, which is started again.
    KillBroker,
    /// All three brokers stopped and started, one after the other.
    RollingRestart,
    /// SIGKILL to two brokers of three: nothing can be written.
    TwoBrokersDown,
    /// SIGSTOP to the Firestore emulator.
    FreezeStore,
    /// Every call to the store takes long.
    StoreSlow,
    /// The store answers UNAVAILABLE.
    StoreUnavailable,
    /// The store answers ABORTED.
    StoreAborted,
    /// The store answers `RESOURCE_EXHAUSTED`.
    StoreExhausted,
    /// The store applies commits and answers `DEADLINE_EXCEEDED`.
    StoreDeadline,
    /// The store applies commits and never answers.
    StoreSilent,
    /// Connections to the store are cut.
    StoreCut,
    /// Nobody listens where the store was.
    StoreGone,
    /// SIGKILL to a worker of the simulator.
    KillWorker,
    /// SIGKILL to the simulator; another one is started.
    KillSimulator,
    /// Messages of every kind that is no event, between good ones.
    PoisonMessages,
    /// The largest message that the topic takes, and one that it refuses.
    OversizedMessage,
    /// A session whose clock jumps by years.
    ClockJump,
    /// A session longer than its history's lists.
    GiantSession,
}

/// What a fault strikes. Faults that come together strike different parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Instances of analytics.
    Analytics,
    /// Kafka nodes.
    Brokers,
    /// The Firestore emulator, or the way to it.
    Store,
    /// Who sends events.
    Simulator,
    /// What is sent.
    Messages,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 25] = [
        Self::KillInstance,
        Self::KillAllInstances,
        Self::KillAtPoint,
        Self::FreezeInstance,
        Self::RestartInstance,
        Self::Scale,
        Self::ScaleUpAndDown,
        Self::KillBroker,
        Self::RollingRestart,
        Self::TwoBrokersDown,
        Self::FreezeStore,
        Self::StoreSlow,
        Self::StoreUnavailable,
        Self::StoreAborted,
        Self::StoreExhausted,
        Self::StoreDeadline,
        Self::StoreSilent,
        Self::StoreCut,
        Self::StoreGone,
        Self::KillWorker,
        Self::KillSimulator,
        Self::PoisonMessages,
        Self::OversizedMessage,
        Self::ClockJump,
        Self::GiantSession,
    ];

    /// Its name in plans, reports and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillInstance => "kill-instance",
            Self::KillAllInstances => "kill-all-instances",
            Self::KillAtPoint => "kill-at-point",
            Self::FreezeInstance => "freeze-instance",
            Self::RestartInstance => "restart-instance",
            Self::Scale => "scale",
            Self::ScaleUpAndDown => "scale-up-and-down",
            Self::KillBroker => "kill-broker",
            Self::RollingRestart => "rolling-restart",
            Self::TwoBrokersDown => "two-brokers-down",
            Self::FreezeStore => "freeze-store",
            Self::StoreSlow => "store-slow",
            Self::StoreUnavailable => "store-unavailable",
            Self::StoreAborted => "store-aborted",
            Self::StoreExhausted => "store-exhausted",
            Self::StoreDeadline => "store-deadline",
            Self::StoreSilent => "store-silent",
            Self::StoreCut => "store-cut",
            Self::StoreGone => "store-gone",
            Self::KillWorker => "kill-worker",
            Self::KillSimulator => "kill-simulator",
            Self::PoisonMessages => "poison-messages",
            Self::OversizedMessage => "oversized-message",
            Self::ClockJump => "clock-jump",
            Self::GiantSession => "giant-session",
        }
    }

    /// What it strikes.
    pub const fn part(self) -> Part {
        match self {
            Self::KillInstance
            | Self::KillAllInstances
            | Self::KillAtPoint
            | Self::FreezeInstance
            | Self::RestartInstance
            | Self::Scale
            | Self::ScaleUpAndDown => Part::Analytics,
            Self::KillBroker | Self::RollingRestart | Self::TwoBrokersDown => Part::Brokers,
            Self::FreezeStore
            | Self::StoreSlow
            | Self::StoreUnavailable
            | Self::StoreAborted
            | Self::StoreExhausted
            | Self::StoreDeadline
            | Self::StoreSilent
            | Self::StoreCut
            | Self::StoreGone => Part::Store,
            Self::KillWorker | Self::KillSimulator => Part::Simulator,
            Self::PoisonMessages | Self::OversizedMessage | Self::ClockJump | Self::GiantSession => Part::Messages,
        }
    }

    /// How many cards of a pack it has.
    const fn cards(self) -> usize {
        match self {
            Self::KillAtPoint => 5,
            Self::KillInstance => 3,
            Self::FreezeInstance | Self::KillBroker | Self::FreezeStore | Self::Scale => 2,
            _ => 1,
        }
    }

    /// Whether two may be under way at once.
    fn goes_with(self, other: Self) -> bool {
        let is_long = |kind: Self| matches!(kind, Self::RollingRestart | Self::TwoBrokersDown | Self::ScaleUpAndDown);
        let beside_a_long_one = |kind: Self| kind.part() == Part::Store;
        self.part() != other.part()
            && (!is_long(self) || beside_a_long_one(other))
            && (!is_long(other) || beside_a_long_one(self))
    }
}

/// A point of the work at which an instance can be made to kill itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Its name in `FAILPOINTS`.
    pub name: &'static str,
    /// How often it may be passed before.
    passes: (u64, u64),
    /// Whether it is reached only when another instance joins.
    pub needs_rebalance: bool,
}

const fn point(name: &'static str, least: u64, most: u64, needs_rebalance: bool) -> Point {
    Point { name, passes: (least, most), needs_rebalance }
}

/// The points, as `storepulse-analytics-failpoints` knows them.
pub const POINTS: [Point; 10] = [
    point("during-restore", 0, 3, false),
    point("before-transaction-offsets", 0, 30, false),
    point("before-transaction-commit", 0, 30, false),
    point("after-transaction-commit", 0, 30, false),
    point("before-store-commit", 0, 30, false),
    point("between-flush-chunks", 0, 3, false),
    point("after-store-commit", 0, 30, false),
    point("before-offset-commit", 0, 6, false),
    point("before-giving-up-partitions", 0, 0, true),
    point("while-giving-up-partitions", 0, 0, true),
];

/// What exactly happens. Times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "as their kinds are documented")]
pub enum What {
    KillInstance { instance: usize, pause_ms: u64 },
    KillAllInstances { pause_ms: u64 },
    KillAtPoint { instance: usize, point: &'static str, passes: u64, needs_rebalance: bool },
    FreezeInstance { instance: usize, for_ms: u64 },
    RestartInstance { instance: usize },
    Scale { to: usize },
    ScaleUpAndDown { each_ms: u64 },
    KillBroker { broker: u32, pause_ms: u64 },
    RollingRestart { first: u32 },
    TwoBrokersDown { left: u32, for_ms: u64 },
    FreezeStore { for_ms: u64 },
    StoreSlow { by_ms: u64, for_ms: u64 },
    StoreUnavailable { percent: u64, for_ms: u64 },
    StoreAborted { percent: u64, for_ms: u64 },
    StoreExhausted { percent: u64, for_ms: u64 },
    StoreDeadline { percent: u64, for_ms: u64 },
    StoreSilent { commits: u64 },
    StoreCut { times: u64, every_ms: u64 },
    StoreGone { for_ms: u64 },
    KillWorker { worker: usize },
    KillSimulator { with_workers: bool, pause_ms: u64 },
    PoisonMessages,
    OversizedMessage,
    ClockJump,
    GiantSession { events: u64 },
}

impl What {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::KillInstance { .. } => Kind::KillInstance,
            Self::KillAllInstances { .. } => Kind::KillAllInstances,
            Self::KillAtPoint { .. } => Kind::KillAtPoint,
            Self::FreezeInstance { .. } => Kind::FreezeInstance,
            Self::RestartInstance { .. } => Kind::RestartInstance,
            Self::Scale { .. } => Kind::Scale,
            Self::ScaleUpAndDown { .. } => Kind::ScaleUpAndDown,
            Self::KillBroker { .. } => Kind::KillBroker,
            Self::RollingRestart { .. } => Kind::RollingRestart,
            Self::TwoBrokersDown { .. } => Kind::TwoBrokersDown,
            Self::FreezeStore { .. } => Kind::FreezeStore,
            Self::StoreSlow { .. } => Kind::StoreSlow,
            Self::StoreUnavailable { .. } => Kind::StoreUnavailable,
            Self::StoreAborted { .. } => Kind::StoreAborted,
            Self::StoreExhausted { .. } => Kind::StoreExhausted,
            Self::StoreDeadline { .. } => Kind::StoreDeadline,
            Self::StoreSilent { .. } => Kind::StoreSilent,
            Self::StoreCut { .. } => Kind::StoreCut,
            Self::StoreGone { .. } => Kind::StoreGone,
            Self::KillWorker { .. } => Kind::KillWorker,
            Self::KillSimulator { .. } => Kind::KillSimulator,
            Self::PoisonMessages => Kind::PoisonMessages,
            Self::OversizedMessage => Kind::OversizedMessage,
            Self::ClockJump => Kind::ClockJump,
            Self::GiantSession { .. } => Kind::GiantSession,
        }
    }
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let s = |ms: &u64| format!("{:.1} s", *ms as f64 / 1000.0);
        match self {
            Self::KillInstance { instance, pause_ms } => {
                write!(f, "instance {}, started again after {}", instance + 1, s(pause_ms))
            }
            Self::KillAllInstances { pause_ms } => write!(f, "started again after {}", s(pause_ms)),
            Self::KillAtPoint { instance, point, passes, .. } => {
                write!(f, "instance {}, {point}, pass {}", instance + 1, passes + 1)
            }
            Self::FreezeInstance { instance, for_ms } => write!(f, "instance {}, for {}", instance + 1, s(for_ms)),
            Self::RestartInstance { instance } => write!(f, "instance {}", instance + 1),
            Self::Scale { to } => write!(f, "to {to}"),
            Self::ScaleUpAndDown { each_ms } => {
                write!(f, "1, {MOST_INSTANCES}, 1 instances, each for {}", s(each_ms))
            }
            Self::KillBroker { broker, pause_ms } => write!(f, "broker {broker}, started again after {}", s(pause_ms)),
            Self::RollingRestart { first } => write!(f, "from broker {first} on"),
            Self::TwoBrokersDown { left, for_ms } => write!(f, "all but broker {left}, for {}", s(for_ms)),
            Self::FreezeStore { for_ms } | Self::StoreGone { for_ms } => write!(f, "for {}", s(for_ms)),
            Self::StoreSlow { by_ms, for_ms } => write!(f, "each call by {}, for {}", s(by_ms), s(for_ms)),
            Self::StoreUnavailable { percent, for_ms }
            | Self::StoreAborted { percent, for_ms }
            | Self::StoreExhausted { percent, for_ms } => write!(f, "{percent} % of calls, for {}", s(for_ms)),
            Self::StoreDeadline { percent, for_ms } => {
                write!(f, "{percent} % of commits, after applying, for {}", s(for_ms))
            }
            Self::StoreSilent { commits } => write!(f, "{commits} commits are applied and never answered"),
            Self::StoreCut { times, every_ms } => write!(f, "{times} times, every {}", s(every_ms)),
            Self::KillWorker { worker } => write!(f, "worker {}", worker + 1),
            Self::KillSimulator { with_workers, pause_ms } => {
                let whom = if *with_workers { "with its workers" } else { "the supervisor alone" };
                write!(f, "{whom}, another one after {}", s(pause_ms))
            }
            Self::PoisonMessages => write!(f, "one of each kind, between good events"),
            Self::OversizedMessage => write!(f, "the largest that is taken, and one byte more"),
            Self::ClockJump => write!(f, "years back and forth within a session"),
            Self::GiantSession { events } => write!(f, "{events} events"),
        }
    }
}

/// A fault of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// From 1.
    pub number: usize,
    /// How many events have been sent at least when it comes.
    pub position: u64,
    /// How long it comes after the events, or after the fault that it comes together with.
    pub delay_ms: u64,
    /// Whether the next one comes while this one lasts.
    pub with_next: bool,
    /// What happens.
    pub what: What,
}

/// What a plan depends on besides the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// Number of faults.
    pub faults: usize,
    /// Number of events over which they are spread.
    pub events: u64,
    /// The kinds that are dealt; empty: all.
    pub kinds: Vec<Kind>,
}

/// Draws the faults of a seed.
pub fn draw(seed: u64, size: &Size) -> Vec<Fault> {
    let mut dealer = Dealer::new(seed, size);
    let mut faults: Vec<Fault> = Vec::with_capacity(size.faults);
    let mut gaps = Vec::with_capacity(size.faults);
    while faults.len() < size.faults {
        let with = faults.last().filter(|last| last.with_next).map(|last| last.what.kind());
        let kind = dealer.deal(with);
        let what = dealer.what(kind);
        let is_last = faults.len() + 1 == size.faults;
        let with_next = with.is_none() && !is_last && dealer.pairs_up(kind);
        gaps.push(if with.is_some() { 0 } else { dealer.random.between(50, 150) });
        let delay_ms = dealer.random.between(0, 1_500);
        faults.push(Fault { number: faults.len() + 1, position: 0, delay_ms, with_next, what });
    }
    // One more gap, so that the last fault is not the end of the stream.
    let sum = gaps.iter().sum::<u64>() + 100;
    let mut so_far = 0;
    for (fault, gap) in faults.iter_mut().zip(gaps) {
        so_far += gap;
        fault.position = (u128::from(size.events) * u128::from(so_far) / u128::from(sum)) as u64;
    }
    faults
}

struct Dealer {
    random: Random,
    kinds: Vec<Kind>,
    pack: VecDeque<Kind>,
    points: Vec<Point>,
    instances: usize,
}

impl Dealer {
    fn new(seed: u64, size: &Size) -> Self {
        let kinds = if size.kinds.is_empty() { Kind::ALL.to_vec() } else { size.kinds.clone() };
        let random = Random::new(seed);
        Self { random, kinds, pack: VecDeque::new(), points: Vec::new(), instances: FIRST_INSTANCES }
    }

    fn fill(&mut self) {
        if self.pack.is_empty() {
            let mut pack: Vec<Kind> =
                self.kinds.iter().flat_map(|kind| std::iter::repeat_n(*kind, kind.cards())).collect();
            self.random.shuffle(&mut pack);
            self.pack = pack.into();
        }
    }

    /// The next kind; when it comes together with another, the next that goes with it.
    fn deal(&mut self, with: Option<Kind>) -> Kind {
        self.fill();
        let fits = |kind: &Kind| with.is_none_or(|with| with.goes_with(*kind));
        let place = self.pack.iter().position(fits).unwrap_or(0);
        let Some(kind) = self.pack.remove(place) else { return Kind::KillInstance };
        let is_impossible = kind == Kind::FreezeInstance && self.instances == 1;
        if is_impossible {
            self.pack.push_front(kind);
            return Kind::Scale;
        }
        kind
    }

    /// Whether this fault comes together with the next; only when one of the pack goes with it.
    fn pairs_up(&mut self, kind: Kind) -> bool {
        let wanted = self.random.percent(TOGETHER_PERCENT);
        self.fill();
        let after = match kind {
            Kind::ScaleUpAndDown => 1,
            _ => self.instances,
        };
        // A zombie alone would be replaced, perhaps by something that does not go with this one.
        let fits = |next: &Kind| kind.goes_with(*next) && !(*next == Kind::FreezeInstance && after == 1);
        wanted && self.pack.iter().find(|next| kind.goes_with(**next)).is_some_and(fits)
    }

    fn what(&mut self, kind: Kind) -> What {
        let random = &mut self.random;
        let instance = random.between(0, self.instances as u64 - 1) as usize;
        // Half of what dies is started again at once; else it stays away for up to longer than its session.
        let pause_ms = if random.percent(50) { 0 } else { random.between(500, 8_000) };
        let for_ms = random.between(2_000, 6_000);
        let broker = random.between(1, BROKERS) as u32;
        let percent = *random.pick(&[10, 50, 100]);
        match kind {
            Kind::KillInstance => What::KillInstance { instance, pause_ms },
            Kind::KillAllInstances => What::KillAllInstances { pause_ms },
            Kind::KillAtPoint => {
                if self.points.is_empty() {
                    self.points = POINTS.to_vec();
                    random.shuffle(&mut self.points);
                }
                let Point { name: point, passes, needs_rebalance } = self.points.pop().unwrap_or(POINTS[0]);
                let passes = random.between(passes.0, passes.1);
                What::KillAtPoint { instance, point, passes, needs_rebalance }
            }
            Kind::FreezeInstance => {
                let for_ms = SESSION_TIMEOUT_MS + random.between(1_000, 6_000);
                What::FreezeInstance { instance, for_ms }
            }
            Kind::RestartInstance => What::RestartInstance { instance },
            Kind::Scale => {
                let others: Vec<usize> = (1..=MOST_INSTANCES).filter(|count| *count != self.instances).collect();
                let to = *random.pick(&others);
                self.instances = to;
                What::Scale { to }
            }
            Kind::ScaleUpAndDown => {
                self.instances = 1;
                What::ScaleUpAndDown { each_ms: random.between(1_000, 4_000) }
            }
            Kind::KillBroker => What::KillBroker { broker, pause_ms },
            Kind::RollingRestart => What::RollingRestart { first: broker },
            Kind::TwoBrokersDown => What::TwoBrokersDown { left: broker, for_ms },
            Kind::FreezeStore => What::FreezeStore { for_ms: random.between(1_000, 12_000) },
            Kind::StoreSlow => What::StoreSlow { by_ms: random.between(200, 2_000), for_ms },
            Kind::StoreUnavailable => What::StoreUnavailable { percent, for_ms },
            Kind::StoreAborted => What::StoreAborted { percent, for_ms },
            Kind::StoreExhausted => What::StoreExhausted { percent, for_ms },
            Kind::StoreDeadline => What::StoreDeadline { percent, for_ms },
            Kind::StoreSilent => What::StoreSilent { commits: random.between(1, 4) },
            Kind::StoreGone => What::StoreGone { for_ms },
            Kind::StoreCut => What::StoreCut { times: random.between(1, 6), every_ms: random.between(100, 1_000) },
            Kind::KillWorker => What::KillWorker { worker: random.between(0, 1) as usize },
            Kind::KillSimulator => {
                What::KillSimulator { with_workers: random.percent(50), pause_ms: random.between(0, 3_000) }
            }
            Kind::PoisonMessages => What::PoisonMessages,
            Kind::OversizedMessage => What::OversizedMessage,
            Kind::ClockJump => What::ClockJump,
            Kind::GiantSession => What::GiantSession { events: random.between(1_050, 1_300) },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn size(faults: usize) -> Size {
        Size { faults, events: 10_000 * faults as u64, kinds: Vec::new() }
    }

    #[test]
    fn the_same_seed_draws_the_same_plan_and_another_one_another() {
        assert_eq!(draw(7, &size(200)), draw(7, &size(200)));
        assert_ne!(draw(7, &size(200)), draw(8, &size(200)));
    }

    #[test]
    fn every_kind_and_every_point_comes_in_a_full_campaign_and_sometimes_two_come_together() {
        for seed in 0..200 {
            let plan = draw(seed, &size(200));
            assert_eq!(plan.len(), 200);
            let kinds: BTreeSet<Kind> = plan.iter().map(|fault| fault.what.kind()).collect();
            assert_eq!(kinds, Kind::ALL.into_iter().collect(), "seed {seed}");
            let points: BTreeSet<_> = plan
                .iter()
                .filter_map(|fault| match fault.what {
                    What::KillAtPoint { point, .. } => Some(point),
                    _ => None,
                })
                .collect();
            assert_eq!(points.len(), POINTS.len(), "seed {seed}");
            let pairs = plan.iter().filter(|fault| fault.with_next).count();
            assert!((10..60).contains(&pairs), "seed {seed}: {pairs} pairs");
        }
    }

    #[test]
    fn no_fault_is_impossible_when_it_comes() {
        for seed in 0..200 {
            let plan = draw(seed, &size(200));
            let mut instances = FIRST_INSTANCES;
            for pair in plan.windows(2) {
                if pair[0].with_next {
                    assert!(pair[0].what.kind().goes_with(pair[1].what.kind()), "seed {seed}: {pair:?}");
                    assert!(!pair[1].with_next, "seed {seed}: three at once");
                }
            }
            for fault in plan {
                match fault.what {
                    What::KillInstance { instance, .. }
                    | What::KillAtPoint { instance, .. }
                    | What::RestartInstance { instance } => assert!(instance < instances),
                    What::FreezeInstance { instance, .. } => assert!(instance < instances && instances > 1),
                    What::Scale { to } => {
                        assert_ne!(to, instances);
                        instances = to;
                    }
                    What::ScaleUpAndDown { .. } => instances = 1,
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn faults_are_spread_over_all_events() {
        let plan = draw(3, &size(100));
        assert!(plan.windows(2).all(|pair| pair[0].position <= pair[1].position));
        assert!(plan[0].position > 0 && plan[99].position < 1_000_000 && plan[99].position > 900_000);
    }

    #[test]
    fn a_campaign_can_be_of_some_kinds_only() {
        let some = Size { kinds: vec![Kind::KillBroker, Kind::KillWorker], ..size(20) };
        assert!(draw(1, &some).iter().all(|fault| some.kinds.contains(&fault.what.kind())));
    }
}
