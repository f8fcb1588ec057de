//! What a campaign is like.

use serde::Serialize;

use super::plan::{FIRST_INSTANCES, Kind, Size};

/// The switches of `storepulse-analytics-failpoints` that break exactness.
pub const SWITCHES: [&str; 2] = ["count-redeliveries", "offsets-before-documents"];

/// Seconds that a fault takes on average, its recovery included; it sets the rate when none is given.
const SECONDS_EACH: u64 = 8;

/// What a campaign is like.
#[derive(Debug, Clone, Serialize)]
pub struct Options {
    /// Draws the plan, and everything else that is random.
    pub seed: u64,
    /// Number of faults.
    pub faults: usize,
    /// Events that are sent at least.
    pub events: u64,
    /// Events a second.
    pub rate: u32,
    /// A switch that breaks exactness on purpose.
    pub broken: Option<String>,
    /// Kinds of faults; empty: all.
    pub kinds: Vec<Kind>,
    /// Faults between two audits; 0: one audit, at the end.
    pub audit_every: usize,
    /// Seconds of a store outage after all faults; 0: none.
    pub outage_seconds: u64,
    /// Mebibytes of documents that an instance keeps in memory (`DOCUMENT_CACHE_MEGABYTES`).
    pub cache_megabytes: u32,
    /// Further variables of the instances of analytics.
    pub environment: Vec<(String, String)>,
    /// The most memory that an instance may take during that outage, in bytes; none: computed from its configuration.
    pub memory_bound: Option<u64>,
    /// Seconds after a fault within which the system must have caught up.
    pub recovery_limit_seconds: u64,
}

impl Options {
    /// The usual campaign of a seed.
    pub fn new(seed: u64, faults: usize) -> Self {
        let events = 10_000 * faults as u64;
        Self {
            seed,
            faults,
            events,
            rate: Self::usual_rate(faults, events),
            broken: None,
            kinds: Vec::new(),
            audit_every: 0,
            outage_seconds: 0,
            cache_megabytes: 64,
            environment: Vec::new(),
            memory_bound: None,
            recovery_limit_seconds: 180,
        }
    }

    /// A rate at which the events last as long as the faults.
    pub fn usual_rate(faults: usize, events: u64) -> u32 {
        let seconds = (faults as u64 * SECONDS_EACH).max(1);
        (events / seconds).clamp(200, 5_000) as u32
    }

    /// What the plan depends on.
    pub fn size(&self) -> Size {
        Size { faults: self.faults, events: self.events, kinds: self.kinds.clone() }
    }

    /// The most memory that an instance may take during a store outage, in bytes.
    pub fn bound(&self) -> u64 {
        self.memory_bound.unwrap_or_else(|| super::memory::bound(self.cache_megabytes, self.rate))
    }

    /// The command that repeats the campaign.
    pub fn command(&self) -> String {
        let Self { seed, faults, events, rate, .. } = self;
        let mut command = format!("make chaos SEED={seed} FAULTS={faults} EVENTS={events} RATE={rate}");
        if let Some(switch) = &self.broken {
            command.push_str(&format!(" BROKEN={switch}"));
        }
        if self.outage_seconds > 0 {
            command.push_str(&format!(" OUTAGE={}", self.outage_seconds));
        }
        let mut more = Vec::new();
        if !self.kinds.is_empty() {
            let names: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
            more.push(format!("--only {}", names.join(",")));
        }
        if self.audit_every > 0 {
            more.push(format!("--audit-every {}", self.audit_every));
        }
        if self.cache_megabytes != Self::new(0, 1).cache_megabytes {
            more.push(format!("--cache-megabytes {}", self.cache_megabytes));
        }
        more.extend(self.environment.iter().map(|(name, value)| format!("--set {name}={value}")));
        if !more.is_empty() {
            command.push_str(&format!(" ARGS='{}'", more.join(" ")));
        }
        command
    }

    /// Instances at the beginning.
    pub const fn first_instances() -> usize {
        FIRST_INSTANCES
    }
}
