//! Why the attackers could not even start.

use std::path::PathBuf;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure before any attack: nothing is proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A principal's environment file is missing.
    #[error(
        "{path} is missing: start the cluster first (`make local-up` writes it), or name the directory with --env-dir"
    )]
    NoEnvFile {
        /// The file.
        path: PathBuf,
    },
    /// A principal's environment file can't be read.
    #[error(transparent)]
    EnvFile(#[from] storepulse_pki::Error),
    /// A variable in an environment file is missing or bad.
    #[error("{path}: {source}")]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: storepulse_kafka_admin::Error,
    },
    /// The attackers' or another certificate can't be used.
    #[error("{0}; `storepulse-pki init` makes the certificates")]
    Papers(storepulse_kafka_admin::Error),
    /// The operating system gave no random bytes.
    #[error("the operating system's random number generator failed: {0}")]
    Random(String),
}
