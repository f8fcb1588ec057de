//! Generates the events of a worker's shoppers, one after another in the order of their schedule.
//!
//! One thread advances thousands of sessions: a priority queue holds when each seat's next event is due. Nothing is
//! allocated for an event, except the list of lines of an order.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use storepulse_events::{Event, Item, Location, Payload, Timestamp};

use crate::fact::{Fact, Kind, Line};
use crate::rhythm;
use crate::rng::{Rng, derive};
use crate::scene::{Scene, User, borrowed};
use crate::session::{Session, Step};
use crate::settings::Behaviour;
use crate::world::{USER_AGENTS, World};

/// How the timestamp of an event comes from its place in the schedule.
#[derive(Clone, Copy, Debug)]
pub enum Stamps {
    /// The schedule's time plus so many microseconds.
    Shifted(i64),
    /// Event `n` of the worker happens at `start + n × step` (microseconds), whatever the schedule says.
    Paced {
        /// When the first event happens, since the Unix epoch.
        start: f64,
        /// Time between two events of the worker.
        step: f64,
    },
}

/// What a worker generates. Times are microseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seed of the users.
    pub seed: u64,
    /// Seed of the worker's sessions.
    pub stream: u64,
    /// Which worker, from 0.
    pub worker: u32,
    /// How many workers.
    pub workers: u32,
    /// Shoppers at once.
    pub sessions: u32,
    /// Users over all workers.
    pub users: u32,
    /// How many events; `None` is endless.
    pub events: Option<u64>,
    /// Where the schedule starts.
    pub origin: i64,
    /// Where the schedule ends.
    pub until: Option<i64>,
    /// How timestamps are made.
    pub stamps: Stamps,
    /// How shoppers behave.
    pub behaviour: Behaviour,
}

/// An event that has just been generated.
#[derive(Clone, Copy, Debug)]
pub struct Generated {
    /// What it adds to the ledger.
    pub fact: Fact,
    /// When the schedule has it: microseconds since the Unix epoch.
    pub due: i64,
    /// When the seat's next event is due; of the same session unless this one ended it.
    pub next_due: i64,
    /// The event's timestamp.
    pub timestamp: Timestamp,
    /// The seat: an argument for [`Generator::key`] and [`Generator::location`].
    pub seat: u32,
}

/// Generates a worker's events.
#[derive(Debug)]
pub struct Generator<'w> {
    world: &'w World,
    plan: Plan,
    users: Vec<User>,
    seats: Vec<Session>,
    queue: BinaryHeap<Reverse<(i64, u32)>>,
    lines: Vec<Line>,
    items: Vec<Item<'w>>,
    produced: u64,
    open: u32,
}

impl<'w> Generator<'w> {
    /// Prepares the first event of every seat.
    pub fn new(world: &'w World, plan: Plan) -> Self {
        let mut users: Vec<User> = (0..u64::from(plan.users.max(plan.sessions * plan.workers)))
            .skip(plan.worker as usize)
            .step_by(plan.workers as usize)
            .map(|number| {
                let mut rng = Rng::new(derive(derive(plan.seed, 0x7573_6572), number));
                User {
                    id: String::from_utf8_lossy(&rng.uuid()).into_owned(),
                    agent: USER_AGENTS[rng.below(USER_AGENTS.len() as u64) as usize],
                    location: world.pick_location(&mut rng),
                }
            })
            .collect();
        // Those who share a seat live at similar longitudes: the pauses between its sessions follow one local time.
        users.sort_by(|a, b| a.location.longitude.total_cmp(&b.location.longitude).then_with(|| a.id.cmp(&b.id)));
        let mut rng = Rng::new(derive(plan.stream, 0x7374_6172_7473));
        // Shoppers come one after another during the first moments, not all at once.
        let arrivals = plan.behaviour.event_interval.1.saturating_mul(4);
        let queue = (0..plan.sessions).map(|seat| Reverse((plan.origin + rng.between(0, arrivals), seat))).collect();
        let seats = (0..plan.sessions).map(|seat| Session::new(derive(plan.stream, u64::from(seat)))).collect();
        Self { world, users, seats, queue, lines: Vec::new(), items: Vec::new(), produced: 0, open: 0, plan }
    }

    /// The world the shoppers live in.
    pub const fn world(&self) -> &'w World {
        self.world
    }

    /// When the next event is due in the schedule; `None` when there is none any more.
    pub fn peek_due(&self) -> Option<i64> {
        if self.plan.events.is_some_and(|limit| self.produced >= limit) {
            return None;
        }
        let Reverse((due, _)) = *self.queue.peek()?;
        self.plan.until.is_none_or(|until| due < until).then_some(due)
    }

    /// Sessions that have started and not ended.
    pub const fn open_sessions(&self) -> u32 {
        self.open
    }

    /// The id of the session that a seat's last event belongs to.
    pub fn key(&self, seat: u32) -> &str {
        &self.seats[seat as usize].id
    }

    /// Where the shopper in a seat is.
    pub fn location(&self, seat: u32) -> &Location<'static> {
        &self.users[self.seats[seat as usize].user as usize].location
    }

    /// The lines of the order that was generated last.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Moves all timestamps from now on so many microseconds later.
    pub fn postpone(&mut self, micros: i64) {
        match &mut self.plan.stamps {
            Stamps::Shifted(shift) => *shift += micros,
            Stamps::Paced { start, .. } => *start += micros as f64,
        }
    }

    /// Generates the next event and appends it, as JSON, to `out`. `None` when there is none any more.
    pub fn generate(&mut self, out: &mut Vec<u8>) -> Option<Generated> {
        let due = self.peek_due()?;
        let head = self.queue.peek_mut()?;
        let seat = head.0.1;
        let session = &mut self.seats[seat as usize];
        let stamp = match self.plan.stamps {
            Stamps::Shifted(shift) => due + shift,
            Stamps::Paced { start, step } => (start + self.produced as f64 * step) as i64,
        };
        self.produced += 1;
        // Users belong to one seat each, so that no user is in two sessions at once.
        let first = |seat: u32| u64::from(seat) * self.users.len() as u64 / u64::from(self.plan.sessions);
        let (mine, next) = (first(seat), first(seat + 1));
        let choose_user = |rng: &mut Rng| (mine + rng.below(next - mine)) as u32;
        match session.step {
            Step::Start => {
                session.begin(choose_user);
                session.started = stamp;
                self.open += 1;
            }
            Step::End => self.open -= 1,
            _ => {}
        }
        let behaviour = &self.plan.behaviour;
        session.enter(self.world, behaviour);
        let user = &self.users[session.user as usize];
        let scene = Scene { world: self.world, behaviour, user, stamp };
        let event_id = session.rng.uuid();
        let (payload, detail) = scene.payload(session, &mut self.lines, std::mem::take(&mut self.items));
        let event = Event {
            event_id: Cow::Borrowed(std::str::from_utf8(&event_id).unwrap_or_default()),
            session_id: Cow::Borrowed(&session.id),
            user_id: Cow::Borrowed(&user.id),
            timestamp: Timestamp::from_micros(stamp),
            location: borrowed(&user.location),
            payload,
        };
        event.encode_into(out);
        let (timestamp, event_type) = (event.timestamp, event.payload.type_index() as u8);
        if let Payload::Purchase(purchase) = event.payload {
            // Empties the list and keeps its memory for the next order: collecting in place reuses it.
            self.items = purchase.items.into_iter().map_while(|_| None).collect();
        }
        let ended = session.step == Step::End;
        session.advance(behaviour);
        let wait = if ended {
            let next = &self.users[session.next_user(choose_user) as usize];
            let load = rhythm::load(due, next.location.longitude);
            rhythm::pause(&mut session.rng, behaviour.session_interval, load)
        } else {
            session.rng.between(behaviour.event_interval.0, behaviour.event_interval.1)
        };
        let kind = Kind::Original { late: false, out_of_order: false };
        let fact = Fact { kind, event_type, country: user.location.country, day: timestamp.day(), detail };
        reschedule(head, due + wait);
        Some(Generated { fact, due, next_due: due + wait, timestamp, seat })
    }
}

/// Puts the head of the queue back at a later time, without taking it out first.
fn reschedule(mut head: PeekMut<'_, Reverse<(i64, u32)>>, due: i64) {
    head.0.0 = due;
}
