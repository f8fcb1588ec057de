//! The sessions of a partition.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use hashbrown::HashMap;
use hashlink::LinkedHashMap;
use storepulse_events::{Event, Payload};
use xxhash_rust::xxh3::xxh3_128;

use super::checkpoint::Checkpoint;
use super::conduct::{Conduct, Tally};
use super::ids::Ids;
use super::position::Position;
use crate::document::story::Entry;
use crate::fold::{Account, Arrival};

/// How long sessions are known, and when their stories go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Stream time without an event after which a session is forgotten, ended or not, in milliseconds.
    pub lifetime_ms: i64,
    /// Records of the partition without an event after which a session is forgotten as well. It bounds the number of
    /// sessions that are known.
    pub lifetime_records: i64,
    /// How far the restore offset may fall behind, in events.
    pub checkpoint_events: i64,
    /// Time of this machine's clock without an event after which an open session's story goes out, in milliseconds.
    pub story_idle_ms: i64,
    /// The longest time that a part of an open session's story is held back, in milliseconds.
    pub story_max_ms: i64,
    /// Event time without an event after which a session is closed, in milliseconds.
    pub idle_ms: i64,
}

/// What the service has when nothing is set.
impl Default for Limits {
    fn default() -> Self {
        Self {
            lifetime_ms: 600_000,
            lifetime_records: 200_000,
            checkpoint_events: 200_000,
            story_idle_ms: 60_000,
            story_max_ms: 900_000,
            idle_ms: 1_800_000,
        }
    }
}

/// A part of a session's story on its way to its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryPatch {
    /// The session.
    pub session_id: Box<str>,
    /// Whether nothing of the session has gone out before, as far as is known.
    pub first: bool,
    /// Entries in the encoding of [`crate::document::story`].
    pub entries: Vec<u8>,
}

/// What a partition's sessions contribute to a commit.
#[derive(Debug)]
pub struct Cut {
    /// Stories that go out. A session may stand here more than once.
    pub stories: Vec<StoryPatch>,
    /// Records of the compacted topic: session id, and a checkpoint or `None` to forget it. If there are any, the
    /// position's seal is to follow them.
    pub checkpoints: Vec<(Box<str>, Option<Vec<u8>>)>,
    /// What to commit beside the offset.
    pub position: Position,
}

#[derive(Debug)]
struct Session {
    id: Box<str>,
    ids: Ids,
    conduct: Conduct,
    /// Stream time and offset of the last event.
    last_seen: i64,
    last_offset: i64,
    ended: bool,
    emitted: bool,
    /// Entries that have not gone out, in pieces of about [`PIECE`] bytes.
    pending: Vec<Vec<u8>>,
    /// This machine's time of the first and the last event of what is pending.
    pending_since: i64,
    touched: i64,
    /// The time under which the session stands in [`SessionTable::waiting`], if it does.
    waits: Option<i64>,
    /// The first offset that is in no checkpoint, if any.
    dirty_since: Option<i64>,
    checkpointed: bool,
}

/// The sessions of one partition; see the module's documentation for their rules.
pub struct SessionTable {
    limits: Limits,
    stream_time: i64,
    /// The highest event time, in milliseconds; see `docs/documents.md`. `i64::MIN`: none.
    watermark: i64,
    /// Sessions by the watermark at which to look whether they are idle. Each that is not closed stands here, and others
    /// that are skipped.
    idling: BinaryHeap<Reverse<(i64, u128)>>,
    /// In the order of their last event.
    sessions: LinkedHashMap<u128, Session>,
    /// How many have not ended, and how many of those have something pending.
    open: usize,
    pending: usize,
    /// Sessions in the order in which they became dirty: offset, session, times before the event. Entries that
    /// no longer hold are skipped when they come to the front.
    dirty: VecDeque<(i64, u128, Before)>,
    /// Ended sessions that have something to go out.
    ready: Vec<u128>,
    /// Open sessions with something pending, by the time to look at them. Entries that no longer hold are skipped.
    waiting: BinaryHeap<Reverse<(i64, u128)>>,
    /// Open sessions of which more than one piece is pending.
    long: Vec<u128>,
    stories: Vec<StoryPatch>,
    checkpoints: Vec<(Box<str>, Option<Vec<u8>>)>,
    /// See [`Position::seal`].
    seal: u64,
    /// Only while restoring: the last offset of each session's checkpoint.
    restored: Option<HashMap<u128, i64>>,
}

/// Stream time and watermark before an event.
type Before = (i64, i64);

/// A piece of a story is begun anew when it has so many bytes, so that each fits a record of the delta topic.
const PIECE: usize = 128 * 1024;

/// The room that a story begins with, in bytes; most fit.
const FIRST: usize = 1024;

fn key(session_id: &str) -> u128 {
    xxh3_128(session_id.as_bytes())
}

impl Session {
    fn new(event: &Event<'_>, now: i64) -> Self {
        Self {
            id: event.session_id.as_ref().into(),
            ids: Ids::default(),
            conduct: Conduct::begin(event),
            last_seen: i64::MIN,
            last_offset: -1,
            ended: false,
            emitted: false,
            pending: Vec::new(),
            pending_since: now,
            touched: now,
            waits: None,
            dirty_since: None,
            checkpointed: false,
        }
    }

    fn of_checkpoint(id: Box<str>, checkpoint: Checkpoint, now: i64) -> Self {
        Self {
            id,
            ids: Ids::from_list(checkpoint.ids),
            conduct: checkpoint.conduct,
            last_seen: checkpoint.last_seen,
            last_offset: checkpoint.last_offset,
            ended: checkpoint.ended,
            emitted: checkpoint.emitted,
            pending: if checkpoint.pending.is_empty() { Vec::new() } else { vec![checkpoint.pending] },
            pending_since: now,
            touched: now,
            waits: None,
            dirty_since: None,
            checkpointed: true,
        }
    }

    /// Whether the session counts among those whose story is held back.
    fn is_pending(&self) -> bool {
        !self.ended && !self.pending.is_empty()
    }

    /// When an open session's story is to go out, if nothing more happens.
    fn due(&self, limits: &Limits) -> i64 {
        self.touched.saturating_add(limits.story_idle_ms).min(self.pending_since.saturating_add(limits.story_max_ms))
    }

    /// Appends to what is pending. Says whether a further piece was begun.
    fn tell(&mut self, event: &Event<'_>, now: i64) -> bool {
        if self.pending.is_empty() {
            self.pending_since = now;
        }
        self.touched = now;
        let full = self.pending.last().is_none_or(|piece| piece.len() >= PIECE);
        if full {
            self.pending.push(Vec::with_capacity(FIRST));
        }
        if let Some(piece) = self.pending.last_mut() {
            Entry::of(event).encode_into(piece);
        }
        full && self.pending.len() > 1
    }
}

impl SessionTable {
    /// A table without sessions, for a partition that is read from its beginning.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            stream_time: i64::MIN,
            watermark: i64::MIN,
            idling: BinaryHeap::new(),
            sessions: LinkedHashMap::new(),
            open: 0,
            pending: 0,
            dirty: VecDeque::new(),
            ready: Vec::new(),
            waiting: BinaryHeap::new(),
            long: Vec::new(),
            stories: Vec::new(),
            checkpoints: Vec::new(),
            seal: 0,
            restored: None,
        }
    }

    /// Begins to restore: the state of `checkpoints`, after which the events from `position.restore_from` on must be
    /// observed (or ticked) again, up to the committed offset, and [`Self::finish_restoring`] called.
    /// `now` is this machine's time in milliseconds.
    pub fn restore(limits: Limits, checkpoints: Vec<(Box<str>, Checkpoint)>, position: Position, now: i64) -> Self {
        let mut table = Self::new(limits);
        table.stream_time = position.stream_time;
        table.watermark = position.watermark;
        table.seal = position.seal;
        let mut offsets = HashMap::with_capacity(checkpoints.len());
        for (id, checkpoint) in checkpoints {
            let key = key(&id);
            offsets.insert(key, checkpoint.offset);
            let session = Session::of_checkpoint(id, checkpoint, now);
            table.open += usize::from(!session.ended);
            table.pending += usize::from(session.is_pending());
            if !session.conduct.is_closed() {
                table.idling.push(Reverse((session.conduct.idle_at(limits.idle_ms), key)));
            }
            table.sessions.insert(key, session);
        }
        table.restored = Some(offsets);
        table.sort();
        table
    }

    /// Ends restoring; `next_offset` is the committed one. What went out before the commit does not go out again:
    /// whatever sessions had to send when they ended or were forgotten was sent with the commit that the restored
    /// position belongs to. So was what sessions added to documents.
    pub fn finish_restoring(&mut self, next_offset: i64) {
        self.restored = None;
        let mut told = Account::default();
        // Checkpoints brought sessions in ahead of the replay, so some that are expired stand behind fresher ones.
        self.sort();
        self.forget_expired(next_offset - 1, &mut told);
        self.close_idle(&mut told);
        self.stories.clear();
        self.checkpoints.clear();
        for key in self.ready.drain(..) {
            if let Some(session) = self.sessions.get_mut(&key).filter(|session| session.ended) {
                session.pending.clear();
                session.emitted = true;
            }
        }
        self.waiting.clear();
        self.long.clear();
        for (key, session) in &mut self.sessions {
            session.waits = session.is_pending().then(|| session.due(&self.limits));
            if let Some(due) = session.waits {
                self.waiting.push(Reverse((due, *key)));
                if session.pending.len() > 1 {
                    self.long.push(*key);
                }
            }
        }
    }

    fn sort(&mut self) {
        let mut sessions: Vec<_> = self.sessions.drain().collect();
        sessions.sort_by_key(|(_, session)| session.last_offset);
        self.sessions.extend(sessions);
    }

    /// The number of sessions that are known.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is known.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The number of sessions that have not ended.
    pub const fn open(&self) -> usize {
        self.open
    }

    /// The partition's watermark, in milliseconds since the Unix epoch; `i64::MIN`: none.
    pub const fn watermark(&self) -> i64 {
        self.watermark
    }

    /// Moves stream time on by a record that is no event: its offset, and its timestamp in milliseconds.
    pub fn tick(&mut self, offset: i64, record_time: i64, account: &mut Account) {
        self.stream_time = self.stream_time.max(record_time);
        self.forget_expired(offset, account);
    }

    /// Takes in an event, and says how it came if it counts; `None` for a duplicate. What sessions add to documents goes
    /// to `account`.
    ///
    /// `offset` and `record_time` (milliseconds) are the record's; `now` is this machine's time in milliseconds.
    pub fn observe(
        &mut self,
        event: &Event<'_>,
        offset: i64,
        record_time: i64,
        now: i64,
        account: &mut Account,
    ) -> Option<Arrival> {
        let before = (self.stream_time, self.watermark);
        self.tick(offset, record_time, account);
        let arrival = Arrival { stream_time: self.stream_time, watermark: self.watermark };
        self.watermark = self.watermark.max(event.timestamp.micros().div_euclid(1_000).min(self.stream_time));
        self.close_idle(account);
        let key = key(&event.session_id);
        if let Some(checkpoints) = &self.restored {
            if checkpoints.get(&key).is_some_and(|checkpoint| offset <= *checkpoint) {
                return None;
            }
            // While restoring, the order does not hold, so it may still be here although it is expired.
            if self.sessions.get(&key).is_some_and(|session| self.is_expired(session, offset)) {
                let expired = self.sessions.remove(&key);
                self.forget(expired, account);
            }
        }
        let mut is_new = false;
        let session = match self.sessions.to_back(&key) {
            Some(session) => session,
            None => {
                is_new = true;
                self.open += 1;
                let session = Session::new(event, now);
                self.idling.push(Reverse((session.conduct.idle_at(self.limits.idle_ms), key)));
                self.sessions.entry(key).or_insert(session)
            }
        };
        session.last_seen = self.stream_time;
        session.last_offset = offset;
        if session.dirty_since.is_none() {
            session.dirty_since = Some(offset);
            self.dirty.push_back((offset, key, before));
        }
        if !session.ids.insert(xxh3_128(event.event_id.as_bytes())) {
            return None;
        }
        let before = session.conduct.clone();
        session.conduct.note(event);
        session.conduct.close_or_open(self.watermark, self.limits.idle_ms);
        let alike = session.conduct.adds_like(&before);
        debug_assert!(!alike || session.conduct.tally() == before.tally(), "{before:?}: {:?}", session.conduct);
        if is_new || !alike {
            // What a session has added before its first event is nothing.
            let told = if is_new { Tally::default() } else { before.tally() };
            account.change(&session.conduct, &told, &session.conduct.tally(), self.stream_time);
        }
        if before.is_closed() && !session.conduct.is_closed() {
            self.idling.push(Reverse((session.conduct.idle_at(self.limits.idle_ms), key)));
        }
        if let Some(visitor) = session.conduct.visit(event) {
            account.visit(visitor, self.stream_time);
        }
        let was_pending = session.is_pending();
        if session.tell(event, now) && !session.ended {
            self.long.push(key);
        }
        if !session.ended && matches!(event.payload, Payload::SessionEnded { .. }) {
            session.ended = true;
            self.open -= 1;
        }
        self.pending = self.pending + usize::from(session.is_pending()) - usize::from(was_pending);
        if session.ended {
            self.ready.push(key);
        } else if session.waits.is_none() {
            let due = session.due(&self.limits);
            session.waits = Some(due);
            self.waiting.push(Reverse((due, key)));
        }
        Some(arrival)
    }

    /// Closes the sessions that are idle by now.
    fn close_idle(&mut self, account: &mut Account) {
        while let Some(Reverse((due, key))) = self.idling.peek().copied() {
            if due > self.watermark {
                break;
            }
            self.idling.pop();
            let Some(session) = self.sessions.get_mut(&key).filter(|session| !session.conduct.is_closed()) else {
                continue;
            };
            let due = session.conduct.idle_at(self.limits.idle_ms);
            if due > self.watermark {
                self.idling.push(Reverse((due, key)));
                continue;
            }
            close(&mut session.conduct, self.stream_time, account);
        }
        // Those of sessions that ended stay until their time has come: not too many of them.
        const FEW: usize = 1_024;
        if self.idling.len() > FEW + 2 * self.sessions.len() {
            let sessions = &self.sessions;
            self.idling.retain(|Reverse((_, key))| sessions.get(key).is_some_and(|s| !s.conduct.is_closed()));
        }
    }

    fn is_expired(&self, session: &Session, offset: i64) -> bool {
        // Nothing but the last event may decide: a replay may begin in the middle of a session that is forgotten by its
        // end, and must come to the same result without having seen, say, that the session ended.
        self.stream_time.saturating_sub(session.last_seen) > self.limits.lifetime_ms
            || offset - session.last_offset > self.limits.lifetime_records
    }

    /// Forgets the sessions that are expired at `offset`.
    fn forget_expired(&mut self, offset: i64, account: &mut Account) {
        while self.sessions.front().is_some_and(|(_, session)| self.is_expired(session, offset)) {
            let front = self.sessions.pop_front().map(|(_, session)| session);
            self.forget(front, account);
        }
    }

    fn forget(&mut self, session: Option<Session>, account: &mut Account) {
        let Some(mut session) = session else { return };
        close(&mut session.conduct, self.stream_time, account);
        self.open -= usize::from(!session.ended);
        self.pending -= usize::from(session.is_pending());
        take_story(&mut session, &mut self.stories);
        if session.checkpointed {
            self.checkpoints.push((session.id, None));
        }
    }

    /// Collects what goes out with a commit of `next_offset` (the offset after the last event observed). With `all`,
    /// open sessions' stories go out as well, however fresh. `now` is this machine's time in milliseconds.
    pub fn cut(&mut self, next_offset: i64, now: i64, all: bool) -> Cut {
        for key in std::mem::take(&mut self.ready) {
            // It may have been forgotten since, and have begun anew.
            if let Some(session) = self.sessions.get_mut(&key).filter(|session| session.ended) {
                take_story(session, &mut self.stories);
            }
        }
        self.emit_waiting(next_offset, now, all);
        self.checkpoint_lagging(next_offset);
        let (restore_from, (stream_time, watermark)) = self
            .first_dirty()
            .map_or((next_offset, (self.stream_time, self.watermark)), |(offset, _, before)| (offset, before));
        let checkpoints = std::mem::take(&mut self.checkpoints);
        self.seal += u64::from(!checkpoints.is_empty());
        let (pending_stories, seal) = (self.pending as u64, self.seal);
        Cut {
            stories: std::mem::take(&mut self.stories),
            checkpoints,
            position: Position { restore_from, stream_time, watermark, pending_stories, seal },
        }
    }

    /// Sends the stories of open sessions that wait for long, or that have grown long. Because nothing in the event
    /// topic tells that they went out, a checkpoint does.
    fn emit_waiting(&mut self, next_offset: i64, now: i64, all: bool) {
        for key in std::mem::take(&mut self.long) {
            self.emit(key, next_offset);
        }
        while let Some(Reverse((due, key))) = self.waiting.pop() {
            if due > now && !all {
                self.waiting.push(Reverse((due, key)));
                break;
            }
            let Some(session) = self.sessions.get_mut(&key).filter(|s| s.waits == Some(due)) else { continue };
            session.waits = None;
            if !session.is_pending() {
                continue;
            }
            // It may have been touched since.
            let due = session.due(&self.limits);
            if due > now && !all {
                session.waits = Some(due);
                self.waiting.push(Reverse((due, key)));
            } else {
                self.emit(key, next_offset);
            }
        }
    }

    fn emit(&mut self, key: u128, next_offset: i64) {
        let Some(session) = self.sessions.get_mut(&key).filter(|session| session.is_pending()) else { return };
        take_story(session, &mut self.stories);
        self.pending -= 1;
        self.checkpoints.push((session.id.clone(), Some(checkpoint(session, next_offset).encode())));
    }

    /// Checkpoints the sessions that hold the restore offset back too far.
    fn checkpoint_lagging(&mut self, next_offset: i64) {
        while let Some((offset, key, _)) = self.first_dirty() {
            if offset >= next_offset - self.limits.checkpoint_events {
                break;
            }
            self.dirty.pop_front();
            if let Some(session) = self.sessions.get_mut(&key) {
                let bytes = checkpoint(session, next_offset).encode();
                self.checkpoints.push((session.id.clone(), Some(bytes)));
            }
        }
    }

    /// The session that has been dirty for longest, after dropping entries that no longer hold.
    fn first_dirty(&mut self) -> Option<(i64, u128, Before)> {
        while let Some(entry @ (offset, key, _)) = self.dirty.front().copied() {
            if self.sessions.get(&key).is_some_and(|s| s.dirty_since == Some(offset)) {
                return Some(entry);
            }
            self.dirty.pop_front();
        }
        None
    }
}

/// Closes a session, unless it is closed, and tells what that adds.
fn close(conduct: &mut Conduct, stream_time: i64, account: &mut Account) {
    if !conduct.is_closed() {
        let before = conduct.tally();
        conduct.close();
        account.change(conduct, &before, &conduct.tally(), stream_time);
    }
}

fn take_story(session: &mut Session, stories: &mut Vec<StoryPatch>) {
    for entries in std::mem::take(&mut session.pending) {
        let first = !session.emitted;
        session.emitted = true;
        stories.push(StoryPatch { session_id: session.id.clone(), first, entries });
    }
}

fn checkpoint(session: &mut Session, next_offset: i64) -> Checkpoint {
    session.dirty_since = None;
    session.checkpointed = true;
    Checkpoint {
        offset: next_offset - 1,
        last_seen: session.last_seen,
        last_offset: session.last_offset,
        ended: session.ended,
        emitted: session.emitted,
        conduct: session.conduct.clone(),
        ids: session.ids.to_list(),
        // More than one piece has just gone out; see `emit_waiting`.
        pending: session.pending.concat(),
    }
}

#[cfg(test)]
mod tests;
