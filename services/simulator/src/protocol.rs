//! How supervisor and worker talk: JSON, one object a line, over the worker's standard input and output.
//!
//! The supervisor writes one [`Assignment`](crate::settings::Assignment) and then nothing; it closes the pipe to stop the worker (as
//! its own death does). The worker writes [`Report`]s.

use serde::{Deserialize, Serialize};

use crate::tally::Part;

/// What a worker has done since its last report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What was settled.
    pub part: Part,
    /// Bytes in the worker's file now; 0 without a file.
    pub file_bytes: u64,
    /// Sessions that have started and not ended.
    pub open_sessions: u32,
    /// How far the schedule is: microseconds since the Unix epoch; `None` at its end.
    pub clock: Option<i64>,
    /// All that was to be sent has been settled; nothing follows.
    pub finished: bool,
}
