//! Says on standard error what is going on: a line for each step that is done, and one now and then while waiting.

use std::time::Instant;

/// A list of steps, with the time each took.
#[derive(Debug)]
pub struct Progress {
    since: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        Self { since: Instant::now() }
    }
}

impl Progress {
    /// A step that is done.
    pub fn done(&self, what: &str) {
        eprintln!("  ✓ {what} ({} s)", self.since.elapsed().as_secs());
    }

    /// Something worth knowing.
    pub fn note(&self, what: &str) {
        eprintln!("  · {what}");
    }
}
