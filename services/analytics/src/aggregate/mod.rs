//! The first stage: events to changes.
//!
//! - [`worker`]: threads that read, decode and fold the events of some partitions each.
//! - [`progress`]: how far behind each partition is.
//! - [`stage`]: the group's member that hands partitions to workers, and commits what they made.
//!
//! # Cuts
//!
//! Every commit interval each worker makes a *cut*: everything that its events since the last cut contributed, with the
//! offsets up to which it goes. All cuts go into one transaction. While it runs, workers already go on.
//!
//! # When partitions move
//!
//! Before partitions are given up, a last cut is committed. When that fails, or the partitions are already another
//! member's, everything uncommitted is dropped and the stage begins anew from what is committed.

pub mod progress;
pub mod stage;
pub mod worker;

pub use stage::run;
