//! Points where a test makes this program die, freeze or fail.
//!
//! They exist with the cargo feature `failpoints` only, which no release has: without it every function here is empty.
//! The program that is built with it is `storepulse-analytics-failpoints`; it does the same until it is told otherwise
//! by the variable `FAILPOINTS`, a list of `name=action` with `;` between. Names are those of the tables
//! `POINTS` and `SWITCHES` (in [`armed`]).
//!
//! An action is one of the crate `fail`, such as `5*off->return(kill)` (five times nothing, then kill),
//! `1%return(kill)` (each time with a probability of 1 %) or `1*sleep(2000)` (once, 2,000 ms). What can be returned:
//!
//! | action | effect |
//! |---|---|
//! | `return(kill)` | SIGKILL to this process: no clean-up whatever |
//! | `return(kill 20)` | the same in 20 ms, while the work goes on |
//! | `return(stop)` | SIGSTOP: all threads freeze where they are, until somebody sends SIGCONT |
//! | `return(error)` | what is done at the point fails, where the table says that it can |
//!
//! A switch has the action `on`. It breaks exactness, to show that the tests find it.
//!
//! An unknown name or action ends the start, so that no test proves something by a typing error.

#[cfg(feature = "failpoints")]
pub mod armed;

/// A place in the program. The table `POINTS` of the feature's module says where each is, and its name.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their table documents them")]
pub enum Point {
    BeforeTransaction,
    BeforeTransactionOffsets,
    BeforeTransactionCommit,
    AfterTransactionCommit,
    BeforeStoreCommit,
    BetweenFlushChunks,
    AfterStoreCommit,
    BeforeOffsetCommit,
    DuringRestore,
    BeforeGivingUpPartitions,
    WhileGivingUpPartitions,
}

/// A way to break exactness on purpose. The table `SWITCHES` of the feature's module says what each does.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their table documents them")]
pub enum Switch {
    CountRedeliveries,
    OffsetsBeforeDocuments,
}

/// Takes in what `FAILPOINTS` says.
///
/// # Errors
///
/// What is wrong with it.
#[cfg(feature = "failpoints")]
pub fn install() -> Result<(), String> {
    armed::install(&std::env::var("FAILPOINTS").unwrap_or_default())
}

/// Nothing.
///
/// # Errors
///
/// None.
#[cfg(not(feature = "failpoints"))]
pub const fn install() -> Result<(), String> {
    Ok(())
}

/// Marks a point. Says whether what is done there is to fail; never does so without the feature.
#[cfg(feature = "failpoints")]
pub fn reach(point: Point) -> bool {
    armed::reach(point)
}

/// Marks a point. Says whether what is done there is to fail; never does so without the feature.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub const fn reach(_: Point) -> bool {
    false
}

/// Whether exactness is to be broken in this way; never without the feature.
#[cfg(feature = "failpoints")]
pub fn is_on(switch: Switch) -> bool {
    armed::is_on(switch)
}

/// Whether exactness is to be broken in this way; never without the feature.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub const fn is_on(_: Switch) -> bool {
    false
}

/// A chunk's turn to be written. Chunks of a flush go in parallel, unless a test wants to die between two of them: then
/// they go one by one, so that there is a time between.
pub struct Turn {
    #[cfg(feature = "failpoints")]
    turn: Option<armed::Turn>,
}

impl Turn {
    /// Waits for the turn, if there are turns.
    pub async fn wait() -> Self {
        Self {
            #[cfg(feature = "failpoints")]
            turn: armed::Turn::wait().await,
        }
    }

    /// After a chunk was written: marks [`Point::BetweenFlushChunks`], if another one waits.
    pub fn written(&self) {
        #[cfg(feature = "failpoints")]
        if self.turn.as_ref().is_some_and(armed::Turn::others_wait) {
            reach(Point::BetweenFlushChunks);
        }
    }
}
