//! Exit codes: 2 for a configuration that can't work, 1 for a failure at run time.

use std::fmt::Display;
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
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let kind = if matches!(failure, Failure::Config(_)) { "configuration error" } else { "error" };
            eprintln!("{program}: {kind}: {failure}");
            ExitCode::from(failure.code())
        }
    }
}
