//! The sessions of a partition.

use std::collections::VecDeque;

use hashbrown::HashMap;
use hashlink::LinkedHashMap;
use storepulse_events::{Event, Payload};
use xxhash_rust::xxh3::xxh3_128;

use super::checkpoint::Checkpoint;
use super::ids::Ids;
use super::position::Position;
use crate::document::story::Entry;

/// How long sessions are known, and when their stories go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Stream time without an event after which a session is forgotten, ended or not, in milliseconds.
    pub lifetime_ms: i64,
    /// How far the restore offset may fall behind, in events.
    pub checkpoint_events: i64,
    /// Time of this machine's clock without an event after which an open session's story goes out, in milliseconds.
    pub story_idle_ms: i64,
    /// The longest time that a part of an open session's story is held back, in milliseconds.
    pub story_max_ms: i64,
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
    /// Records of the compacted topic: session id, and a checkpoint or `None` to forget it.
    pub checkpoints: Vec<(Box<str>, Option<Vec<u8>>)>,
    /// What to commit beside the offset.
    pub position: Position,
}

#[derive(Debug)]
struct Session {
    id: Box<str>,
    ids: Ids,
    last_seen: i64,
    ended: bool,
    emitted: bool,
    /// Entries that have not gone out, in pieces of about [`PIECE`] bytes.
    pending: Vec<Vec<u8>>,
    /// This machine's time of the first and the last event of what is pending.
    pending_since: i64,
    touched: i64,
    /// The first offset that is in no checkpoint, if any.
    dirty_since: Option<i64>,
    checkpointed: bool,
}

/// The sessions of one partition; see the module's documentation for their rules.
pub struct SessionTable {
    limits: Limits,
    stream_time: i64,
    /// Both in the order of `last_seen`.
    open: LinkedHashMap<u128, Session>,
    ended: LinkedHashMap<u128, Session>,
    /// Sessions in the order in which they became dirty: offset, session, stream time before the event. Entries that
    /// no longer hold are skipped when they come to the front.
    dirty: VecDeque<(i64, u128, i64)>,
    /// Ended sessions that have something to go out.
    ready: Vec<u128>,
    stories: Vec<StoryPatch>,
    checkpoints: Vec<(Box<str>, Option<Vec<u8>>)>,
    /// Only while restoring: the last offset of each session's checkpoint.
    restored: Option<HashMap<u128, i64>>,
    last_scan: i64,
}

/// A piece of a story is begun anew when it has so many bytes, so that each fits a record of the delta topic.
const PIECE: usize = 128 * 1024;

fn key(session_id: &str) -> u128 {
    xxh3_128(session_id.as_bytes())
}

impl SessionTable {
    /// A table without sessions, for a partition that is read from its beginning.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            stream_time: i64::MIN,
            open: LinkedHashMap::new(),
            ended: LinkedHashMap::new(),
            dirty: VecDeque::new(),
            ready: Vec::new(),
            stories: Vec::new(),
            checkpoints: Vec::new(),
            restored: None,
            last_scan: i64::MIN,
        }
    }

    /// Begins to restore: the state of `checkpoints`, after which the events from `position.restore_from` on must be
    /// observed (or ticked) again, up to the committed offset, and [`Self::finish_restoring`] called.
    /// `now` is this machine's time in milliseconds.
    pub fn restore(limits: Limits, checkpoints: Vec<(Box<str>, Checkpoint)>, position: Position, now: i64) -> Self {
        let mut table = Self::new(limits);
        table.stream_time = position.stream_time;
        let mut offsets = HashMap::with_capacity(checkpoints.len());
        for (id, checkpoint) in checkpoints {
            let key = key(&id);
            offsets.insert(key, checkpoint.offset);
            let session = Session {
                id,
                ids: Ids::from_list(checkpoint.ids),
                last_seen: checkpoint.last_seen,
                ended: checkpoint.ended,
                emitted: checkpoint.emitted,
                pending: if checkpoint.pending.is_empty() { Vec::new() } else { vec![checkpoint.pending] },
                pending_since: now,
                touched: now,
                dirty_since: None,
                checkpointed: true,
            };
            if session.ended { &mut table.ended } else { &mut table.open }.insert(key, session);
        }
        table.restored = Some(offsets);
        table.sort();
        table
    }

    /// Ends restoring. What went out before the commit does not go out again: whatever sessions had to send when they
    /// ended or were forgotten was sent with the commit that the restored position belongs to.
    pub fn finish_restoring(&mut self) {
        self.restored = None;
        // Checkpoints brought sessions in ahead of the replay, so some that are expired stand behind fresher ones.
        self.sort();
        self.forget_expired();
        self.stories.clear();
        self.checkpoints.clear();
        for key in self.ready.drain(..) {
            if let Some(session) = self.ended.get_mut(&key) {
                session.pending.clear();
                session.emitted = true;
            }
        }
    }

    fn sort(&mut self) {
        for list in [&mut self.open, &mut self.ended] {
            let mut sessions: Vec<_> = list.drain().collect();
            sessions.sort_by_key(|(_, session)| session.last_seen);
            list.extend(sessions);
        }
    }

    /// The number of sessions that are known.
    pub fn len(&self) -> usize {
        self.open.len() + self.ended.len()
    }

    /// Whether no session is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of sessions that have not ended.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Moves stream time on by a record that is no event. `record_time` is its timestamp in milliseconds.
    pub fn tick(&mut self, record_time: i64) {
        self.stream_time = self.stream_time.max(record_time);
        self.forget_expired();
    }

    /// Takes in an event. Says whether it counts: false for a duplicate.
    ///
    /// `offset` and `record_time` (milliseconds) are the record's; `now` is this machine's time in milliseconds.
    pub fn observe(&mut self, event: &Event<'_>, offset: i64, record_time: i64, now: i64) -> bool {
        let before = self.stream_time;
        self.tick(record_time);
        let key = key(&event.session_id);
        if self.restored.as_ref().and_then(|r| r.get(&key)).is_some_and(|checkpoint| offset <= *checkpoint) {
            return false;
        }
        let ends = matches!(event.payload, Payload::SessionEnded { .. });
        // Taken out and put back at the end, which keeps both lists in the order of `last_seen`.
        let known = self.open.remove(&key).or_else(|| self.ended.remove(&key));
        let mut session = known.filter(|s| !self.is_expired(s)).unwrap_or_else(|| Session {
            id: (*event.session_id).into(),
            ids: Ids::default(),
            last_seen: self.stream_time,
            ended: false,
            emitted: false,
            pending: Vec::new(),
            pending_since: now,
            touched: now,
            dirty_since: None,
            checkpointed: false,
        });
        session.last_seen = self.stream_time;
        if session.dirty_since.is_none() {
            session.dirty_since = Some(offset);
            self.dirty.push_back((offset, key, before));
        }
        let counts = session.ids.insert(xxh3_128(event.event_id.as_bytes()));
        if counts {
            if session.pending.is_empty() {
                session.pending_since = now;
            }
            session.touched = now;
            session.ended |= ends;
            if session.pending.last().is_none_or(|piece| piece.len() >= PIECE) {
                session.pending.push(Vec::new());
            }
            if let Some(piece) = session.pending.last_mut() {
                Entry::of(event).encode_into(piece);
            }
        }
        if session.ended {
            if counts {
                self.ready.push(key);
            }
            self.ended.insert(key, session);
        } else {
            self.open.insert(key, session);
        }
        counts
    }

    fn is_expired(&self, session: &Session) -> bool {
        // Nothing but the time of the last event may decide: a replay may begin in the middle of a session that is
        // forgotten by its end, and must come to the same result without having seen, say, that the session ended.
        self.stream_time.saturating_sub(session.last_seen) > self.limits.lifetime_ms
    }

    fn forget_expired(&mut self) {
        while self.open.front().is_some_and(|(_, s)| self.is_expired(s)) {
            let front = self.open.pop_front();
            self.forget(front);
        }
        while self.ended.front().is_some_and(|(_, s)| self.is_expired(s)) {
            let front = self.ended.pop_front();
            self.forget(front);
        }
    }

    fn forget(&mut self, session: Option<(u128, Session)>) {
        let Some((_, mut session)) = session else { return };
        take_story(&mut session, &mut self.stories);
        if session.checkpointed {
            self.checkpoints.push((session.id, None));
        }
    }

    /// Collects what goes out with a commit of `next_offset` (the offset after the last event observed). With `all`,
    /// open sessions' stories go out as well, however fresh. `now` is this machine's time in milliseconds.
    pub fn cut(&mut self, next_offset: i64, now: i64, all: bool) -> Cut {
        for key in std::mem::take(&mut self.ready) {
            if let Some(session) = self.ended.get_mut(&key) {
                take_story(session, &mut self.stories);
            }
        }
        self.emit_idle(next_offset, now, all);
        self.checkpoint_lagging(next_offset);
        let (restore_from, stream_time) =
            self.first_dirty().map_or((next_offset, self.stream_time), |(offset, _, time)| (offset, time));
        let pending_stories = self.open.values().filter(|s| !s.pending.is_empty()).count() as u64;
        Cut {
            stories: std::mem::take(&mut self.stories),
            checkpoints: std::mem::take(&mut self.checkpoints),
            position: Position { restore_from, stream_time, pending_stories },
        }
    }

    /// Sends the stories of open sessions that wait for long. Because nothing in the event topic tells that they
    /// went out, a checkpoint does.
    fn emit_idle(&mut self, next_offset: i64, now: i64, all: bool) {
        const SCAN_EVERY_MS: i64 = 500;
        if !all && now.saturating_sub(self.last_scan) < SCAN_EVERY_MS {
            return;
        }
        self.last_scan = now;
        let limits = self.limits;
        for (_, session) in self.open.iter_mut() {
            let waits = now.saturating_sub(session.touched) >= limits.story_idle_ms
                || now.saturating_sub(session.pending_since) >= limits.story_max_ms
                || session.pending.len() > 1;
            if !session.pending.is_empty() && (all || waits) {
                take_story(session, &mut self.stories);
                self.checkpoints.push((session.id.clone(), Some(checkpoint(session, next_offset).encode())));
            }
        }
    }

    /// Checkpoints the sessions that hold the restore offset back too far.
    fn checkpoint_lagging(&mut self, next_offset: i64) {
        while let Some((offset, key, _)) = self.first_dirty() {
            if offset >= next_offset - self.limits.checkpoint_events {
                break;
            }
            self.dirty.pop_front();
            if let Some(session) = self.open.get_mut(&key).or_else(|| self.ended.get_mut(&key)) {
                let bytes = checkpoint(session, next_offset).encode();
                self.checkpoints.push((session.id.clone(), Some(bytes)));
            }
        }
    }

    /// The session that has been dirty for longest, after dropping entries that no longer hold.
    fn first_dirty(&mut self) -> Option<(i64, u128, i64)> {
        while let Some(entry @ (offset, key, _)) = self.dirty.front().copied() {
            let session = self.open.get(&key).or_else(|| self.ended.get(&key));
            if session.is_some_and(|s| s.dirty_since == Some(offset)) {
                return Some(entry);
            }
            self.dirty.pop_front();
        }
        None
    }
}

fn take_story(session: &mut Session, stories: &mut Vec<StoryPatch>) {
    for entries in session.pending.drain(..) {
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
        ended: session.ended,
        emitted: session.emitted,
        ids: session.ids.to_list(),
        // More than one piece has just gone out; see `emit_idle`.
        pending: session.pending.concat(),
    }
}

#[cfg(test)]
mod tests;
