//! Exit codes: 2 for a configuration that can't work, 1 for a failure at run time.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// Why a program ends without success.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A setting is wrong: starting again without changing it can't help. Exit code 2.
    #[error("{0}")]
    Config(String),
    /// Something failed while running: starting again may help. Exit code 1.
    #[error("{0}")]
    Runtime(String),
}

impl Failure {
    /// A configuration error from anything that can be shown.
    pub fn config(error: impl Display) -> Self {
        Self::Config(error.to_string())
    }

    /// A run-time failure from anything that can be shown.
    pub fn runtime(error: impl Display) -> Self {
        Self::Runtime(error.to_string())
    }

    /// The exit code, 1 or 2.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Runtime(_) => 1,
        }
    }
}

/// Turns the outcome of a program into its exit code, with the error on standard error.
pub fn finish(program: &str, outcome: Result<(), Failure>) -> ExitCode {
    ExitCode::from(tell(program, outcome))
}

/// Like [`finish`], and ends the process at once, without what C libraries want done at its end. OpenSSL frees then what
/// a thread of librdkafka may still use, one that was left to itself because it did not come back in time; and a process that
/// had done all its work would die of `double free or corruption`.
pub fn leave(program: &str, outcome: Result<(), Failure>) -> ! {
    let code = tell(program, outcome);
    // Nobody is left to hear that it failed.
    let _ = std::io::stdout().flush();
    signal_hook::low_level::exit(code.into())
}

/// The exit code; says what failed.
fn tell(program: &str, outcome: Result<(), Failure>) -> u8 {
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            let kind = if matches!(failure, Failure::Config(_)) { "configuration error" } else { "error" };
            eprintln!("{program}: {kind}: {failure}");
            failure.code()
        }
    }
}
