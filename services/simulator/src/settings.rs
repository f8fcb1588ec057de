//! What a run does: checked once, the same in the supervisor and its workers.

use std::path::PathBuf;

use storepulse_events::{Currency, Timestamp};

use crate::generator::{Plan, Stamps};
use crate::rng::derive;

/// Microseconds in a second.
pub const MICROS: i64 = 1_000_000;

/// Where the simulated clock starts when nothing else is said: 2026-01-01T00:00:00Z. Fixed, so that runs can be repeated.
pub const EPOCH: i64 = 1_767_225_600 * MICROS;

/// How shoppers behave. Times are in microseconds, ranges include both ends, probabilities are 0 to 1.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Time between two events of a session.
    pub event_interval: (i64, i64),
    /// Pause between two sessions of a shopper.
    pub session_interval: (i64, i64),
    /// That a product that was looked at goes into the cart.
    pub add_to_cart: f64,
    /// That something goes out of the cart after something went in.
    pub remove_from_cart: f64,
    /// That a cart is bought in the end.
    pub purchase: f64,
    /// That an order gets a discount.
    pub discount: f64,
    /// Pieces put into the cart at once: 1 to 1,000.
    pub cart_quantity: (u32, u32),
    /// In minor units.
    pub shipping_cost: (i64, i64),
    /// Days from order to delivery.
    pub delivery_days: (u32, u32),
}

/// What goes wrong on the way, on purpose. Fractions are of the events, 0 to 1.
#[derive(Clone, Debug, Default)]
pub struct Disorder {
    /// Sent long after their time.
    pub late: f64,
    /// How long after at most, in microseconds of the schedule.
    pub late_by: i64,
    /// Sent twice.
    pub duplicates: f64,
    /// Sent after their successor in the session.
    pub out_of_order: f64,
    /// Malformed messages sent in addition.
    pub malformed: f64,
}

/// What sets the speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// The schedule, sped up by a factor; 1 is real time.
    Speed(f64),
    /// So many events a second, over all workers.
    Rate(f64),
    /// Nothing.
    FlatOut,
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The event topic.
    Kafka,
    /// Nowhere; they are generated, encoded and counted.
    Null,
    /// A file of lines.
    File(PathBuf),
}

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Worker processes, at least 1.
    pub processes: u32,
    /// Shoppers at once, in each worker.
    pub sessions: u32,
    /// Users over all workers, at least sessions × processes.
    pub users: u32,
    /// Products in the catalog.
    pub products: usize,
    /// Categories in the catalog, at most one for each product.
    pub categories: usize,
    /// Countries that shoppers live in, the first of the table; [`usize::MAX`]: all.
    pub countries: usize,
    /// `None`: choose one.
    pub seed: Option<u64>,
    /// Unique well-formed events over all workers; `None` is endless, or until `to`.
    pub events: Option<u64>,
    /// Where simulated time starts.
    pub from: Option<Timestamp>,
    /// Where simulated time ends; not itself part of it.
    pub to: Option<Timestamp>,
    /// What sets the speed.
    pub pace: Pace,
    /// How shoppers behave.
    pub behaviour: Behaviour,
    /// What goes wrong.
    pub disorder: Disorder,
    /// The shop's currency.
    pub currency: Currency,
    /// Where messages go.
    pub target: Target,
}

/// What a worker is told when it starts, beyond the settings.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Assignment {
    /// Which worker, from 0.
    pub worker: u32,
    /// The seed of the run.
    pub seed: u64,
    /// How often this worker was started before in an endless run; 0 in a finite one, where each start repeats the first.
    pub incarnation: u64,
    /// When the run started: microseconds since the Unix epoch.
    pub started: i64,
    /// Where the schedule starts: microseconds since the Unix epoch.
    pub origin: i64,
    /// Messages settled by earlier incarnations, not to be sent again.
    pub skip: u64,
    /// Bytes of them in the worker's file.
    pub skip_bytes: u64,
}

impl Settings {
    /// Whether the run ends by itself.
    pub const fn is_finite(&self) -> bool {
        self.events.is_some() || self.to.is_some()
    }

    /// Whether the schedule keeps step with the wall clock's date: an endless run without `--from` in real time.
    const fn follows_the_clock(&self) -> bool {
        matches!(self.pace, Pace::Speed(_)) && self.from.is_none() && !self.is_finite()
    }

    /// Where the schedule of a run starts that starts at `now`.
    ///
    /// Endless runs in real time start at the true time, so that they follow the true rhythm of the day. All others
    /// start at a time that doesn't depend on `now`, so that they can be repeated.
    pub fn origin(&self, now: i64) -> i64 {
        match self.from {
            Some(from) => from.micros(),
            None if self.follows_the_clock() => now,
            None => EPOCH,
        }
    }

    /// Whether workers that are far behind their time skip it instead of catching up: only where nothing is promised
    /// about which event gets which timestamp.
    pub fn may_skip_time(&self) -> bool {
        !self.is_finite() && self.from.is_none() && self.pace != Pace::FlatOut
    }

    /// What a worker generates.
    pub fn plan(&self, assignment: &Assignment) -> Plan {
        let (worker, workers) = (u64::from(assignment.worker), u64::from(self.processes));
        let stream = derive(derive(assignment.seed, 0x7374_7265_616d + worker), assignment.incarnation);
        let stamps = match self.pace {
            Pace::Rate(rate) if self.from.is_none() => Stamps::Paced {
                start: assignment.started as f64 + worker as f64 * MICROS as f64 / rate,
                step: workers as f64 * MICROS as f64 / rate,
            },
            Pace::Speed(_) if self.from.is_none() => Stamps::Shifted(assignment.started - assignment.origin),
            _ => Stamps::Shifted(0),
        };
        Plan {
            seed: assignment.seed,
            stream,
            worker: assignment.worker,
            workers: self.processes,
            sessions: self.sessions,
            users: self.users,
            events: self.events.map(|total| total / workers + u64::from(worker < total % workers)),
            origin: assignment.origin,
            until: self.to.map(Timestamp::micros),
            stamps,
            behaviour: self.behaviour.clone(),
        }
    }
}
