//! What can go wrong while making certificates and passwords.

use std::io;
use std::path::{Path, PathBuf};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of [`init`](crate::init). No variant carries key material or a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was being done, e.g. `read`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file exists and is not what its name says.
    #[error("{path} is unusable: {reason}; {remedy}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What the user can do.
        remedy: String,
    },
    /// One half of an authority's pair is missing.
    #[error(
        "{missing} is missing but {present} exists: put it back, or replace the whole authority \
         with `storepulse-pki init --rotate {group}`"
    )]
    HalfAuthority {
        /// The missing file.
        missing: PathBuf,
        /// The file that is there.
        present: PathBuf,
        /// The group to rotate.
        group: &'static str,
    },
    /// A name that can't be put into a certificate.
    #[error("`{name}` is not a DNS name or an IP address (given with --san)")]
    BadName {
        /// The name as given.
        name: String,
    },
    /// The signing library refused.
    #[error("cannot make the certificate of {what}: {source}")]
    Issue {
        /// The item, e.g. `broker-1`.
        what: String,
        /// The library's answer.
        source: rcgen::Error,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system's random number generator failed: {0}")]
    Random(String),
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn unusable(path: &Path, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_path_buf(), reason: reason.into(), remedy: remedy.into() }
    }
}
