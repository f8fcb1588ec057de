//! Sessions of one partition of the event topic: which events are duplicates, and the stories in the making.
//!
//! # Lifetime of a session
//!
//! *Stream time* of a partition is the highest record timestamp seen in it; the topic stamps records when the broker
//! appends them (`LogAppendTime`), so no client's clock has a say. A session is known from its first event until
//! stream time has moved [`Limits::lifetime_ms`] past its last event (a duplicate is an event here), or the partition
//! by [`Limits::lifetime_records`] records, whichever comes first; the second bounds the memory of sessions. While it is
//! known, an event id counts once, as long as it is among the session's last [`ids::MAX_IDS`]. That is a function of the
//! partition alone, so every instance, and the audit, comes to the same result. (A bound on the number of sessions
//! would not be: a replay from the middle can't tell which sessions it would have pushed out.)
//!
//! # Stories
//!
//! A story goes out with the commit in which the session ends; what comes later goes out with its own commit. The story
//! of a session that stays open goes out when it is idle for a while, together with a checkpoint that says so.
//!
//! # Conduct
//!
//! What sessions did is counted where they began; [`conduct`] has it. What a session adds changes with its events, and
//! when it is closed: by its end, by the partition's watermark, or by being forgotten. All three are functions of the
//! partition, so a replay changes nothing.
//!
//! # Recovery
//!
//! There is no changelog of every change. A session's state is restored from the event topic itself, from the
//! *restore offset* that is committed with the consumer's offset: the first event that a known session has absorbed
//! since its last checkpoint. Sessions that would hold this offset back for long are checkpointed to a compacted topic.
//! See `docs/decisions/0002-sessions-without-a-changelog.md`.

pub mod checkpoint;
pub mod conduct;
pub mod ids;
pub mod position;
pub mod seal;
mod table;

pub use checkpoint::Checkpoint;
pub use position::Position;
pub use table::{Cut, Limits, SessionTable, StoryPatch};
