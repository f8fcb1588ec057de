//! The sessions of one partition: which events are duplicates, and what each session adds where it began.
//!
//! A session is known from its first event until it is forgotten: when stream time (the highest record time) or the
//! offset has moved too far past its last event, duplicates included. Whatever a message changes of a session is
//! [`Found`] with it: what the session added before, and what it adds now.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use storepulse_events::{CartChange, CountryCode, Event, Payload, Timestamp};

use super::Rules;

/// A session remembers so many ids.
const REMEMBERED: usize = 40_000;

/// What a session adds to the documents of the time and country where it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contribution {
    pub sessions: bool,
    pub viewing: bool,
    pub carting: bool,
    pub buying: bool,
    pub closed: bool,
    pub bounced: bool,
    pub abandoned: bool,
    /// Minor units.
    pub abandoned_amount: i128,
    /// Whole seconds, of a closed session.
    pub length: Option<i64>,
}

/// A session that a message may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Time and country of the session's first event.
    pub start: Timestamp,
    pub country: CountryCode,
    pub before: Contribution,
    pub after: Contribution,
}

struct Session {
    /// Stream time and offset of the last event, duplicates included.
    last: i64,
    last_offset: i64,
    ids: HashSet<String>,
    /// The ids in the order in which they came.
    order: VecDeque<String>,
    start: Timestamp,
    country: CountryCode,
    /// The earliest and the latest timestamp.
    earliest: Timestamp,
    latest: Timestamp,
    viewing: bool,
    carting: bool,
    buying: bool,
    ended: bool,
    closed: bool,
    /// Events besides `session_started` and `session_ended`.
    doings: u64,
    cart_quantity: i128,
    cart_amount: i128,
}

impl Session {
    fn new(event: &Event<'_>) -> Self {
        Self {
            last: i64::MIN,
            last_offset: -1,
            ids: HashSet::new(),
            order: VecDeque::new(),
            start: event.timestamp,
            country: event.location.country,
            earliest: event.timestamp,
            latest: event.timestamp,
            viewing: false,
            carting: false,
            buying: false,
            ended: false,
            closed: false,
            doings: 0,
            cart_quantity: 0,
            cart_amount: 0,
        }
    }

    /// Whether the id is new.
    fn remember(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }

    /// Takes a counted event.
    fn take(&mut self, event: &Event<'_>) {
        self.earliest = self.earliest.min(event.timestamp);
        self.latest = self.latest.max(event.timestamp);
        match &event.payload {
            Payload::SessionStarted { .. } => {}
            Payload::SessionEnded { .. } => self.ended = true,
            Payload::CategoryViewed { .. } | Payload::ProductViewed { .. } => self.viewing = true,
            Payload::ProductAddedToCart(change) => {
                self.carting = true;
                let (quantity, worth) = pieces_and_worth(change);
                self.cart_quantity += quantity;
                self.cart_amount += worth;
            }
            Payload::ProductRemovedFromCart(change) => {
                let (quantity, worth) = pieces_and_worth(change);
                self.cart_quantity = (self.cart_quantity - quantity).max(0);
                self.cart_amount = (self.cart_amount - worth).max(0);
                if self.cart_quantity == 0 {
                    self.cart_amount = 0;
                }
            }
            Payload::Purchase(_) => {
                self.buying = true;
                (self.cart_quantity, self.cart_amount) = (0, 0);
            }
        }
        if !matches!(event.payload, Payload::SessionStarted { .. } | Payload::SessionEnded { .. }) {
            self.doings += 1;
        }
    }

    fn latest_ms(&self) -> i64 {
        self.latest.micros().div_euclid(1000)
    }

    fn contribution(&self) -> Contribution {
        let abandoned = self.closed && self.cart_quantity > 0;
        Contribution {
            sessions: true,
            viewing: self.viewing,
            carting: self.carting,
            buying: self.buying,
            closed: self.closed,
            bounced: self.closed && self.doings <= 1,
            abandoned,
            abandoned_amount: if abandoned { self.cart_amount } else { 0 },
            length: self.closed.then(|| (self.latest.micros() - self.earliest.micros()) / 1_000_000),
        }
    }

    fn found(&self, before: Contribution) -> Found {
        Found { start: self.start, country: self.country, before, after: self.contribution() }
    }

    fn close(&mut self) -> Found {
        let before = self.contribution();
        self.closed = true;
        self.found(before)
    }
}

fn pieces_and_worth(change: &CartChange<'_>) -> (i128, i128) {
    let quantity = i128::from(change.quantity.get());
    (quantity, quantity * i128::from(change.product.price.minor()))
}

/// The sessions of one partition, and its times. For each message [`Self::tick`], then for an event
/// [`Self::move_watermark`] and [`Self::take`].
pub struct Partition {
    /// The highest time of its records so far, in milliseconds.
    pub stream_time: i64,
    /// The highest event time, in milliseconds.
    pub watermark: Option<i64>,
    sessions: HashMap<String, Session>,
    /// The known sessions by the offset of their last event. Stream time does not fall, so the first of them is also
    /// the first in stream time.
    by_offset: BTreeMap<i64, String>,
    /// The sessions that are not closed, by their latest event, in milliseconds.
    open: BTreeSet<(i64, String)>,
}

impl Default for Partition {
    fn default() -> Self {
        Self {
            stream_time: i64::MIN,
            watermark: None,
            sessions: HashMap::new(),
            by_offset: BTreeMap::new(),
            open: BTreeSet::new(),
        }
    }
}

impl Partition {
    /// Moves stream time, and forgets sessions.
    pub fn tick(&mut self, offset: i64, record_ms: i64, rules: &Rules) -> Vec<Found> {
        self.stream_time = self.stream_time.max(record_ms);
        let mut found = Vec::new();
        while let Some((last_offset, id)) = self.by_offset.pop_first() {
            let session = &self.sessions[&id];
            let forgotten = self.stream_time - session.last > rules.lifetime_ms
                || offset - session.last_offset > rules.lifetime_records;
            if !forgotten {
                self.by_offset.insert(last_offset, id);
                break;
            }
            if let Some(mut session) = self.sessions.remove(&id)
                && !session.closed
            {
                self.open.remove(&(session.latest_ms(), id));
                found.push(session.close());
            }
        }
        found
    }

    /// Moves the watermark, and closes idle sessions.
    pub fn move_watermark(&mut self, event: &Event<'_>, record_ms: i64, rules: &Rules) -> Vec<Found> {
        let time = event.timestamp.micros().div_euclid(1000).min(record_ms);
        let watermark = self.watermark.map_or(time, |watermark| watermark.max(time));
        self.watermark = Some(watermark);
        let mut found = Vec::new();
        while let Some((latest, id)) = self.open.pop_first() {
            if watermark < latest + rules.session_idle_ms {
                self.open.insert((latest, id));
                break;
            }
            found.extend(self.sessions.get_mut(&id).map(Session::close));
        }
        found
    }

    /// Takes an event to its session; none for a duplicate.
    pub fn take(&mut self, event: &Event<'_>, offset: i64, rules: &Rules) -> Option<Found> {
        let id = event.session_id.to_string();
        let known = self.sessions.contains_key(&id);
        let session = self.sessions.entry(id.clone()).or_insert_with(|| Session::new(event));
        self.by_offset.remove(&session.last_offset);
        self.by_offset.insert(offset, id.clone());
        (session.last, session.last_offset) = (self.stream_time, offset);
        if !session.remember(&event.event_id) {
            return None;
        }
        let before = if known { session.contribution() } else { Contribution::default() };
        self.open.remove(&(session.latest_ms(), id.clone()));
        session.take(event);
        let idle = self.watermark.is_some_and(|watermark| watermark >= session.latest_ms() + rules.session_idle_ms);
        session.closed = session.ended || idle;
        if !session.closed {
            self.open.insert((session.latest_ms(), id));
        }
        Some(session.found(before))
    }
}
