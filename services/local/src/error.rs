//! The one error type of this crate.

use std::path::{Path, PathBuf};

/// Why the local cluster could not be brought up, changed or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory operation failed.
    #[error("could not {action} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb: `read`, `write`, `create`.
        action: &'static str,
        /// What it was tried on.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A file of ours holds something we did not write.
    #[error("{} is not readable as {what}: {reason}. Remove it with `storepulse-local down`", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A program the cluster needs is not installed.
    #[error("{program} is missing: {reason}. {advice}")]
    Missing {
        /// The program's or file's name.
        program: String,
        /// How we know.
        reason: String,
        /// What to do about it.
        advice: String,
    },
    /// A helper program failed.
    #[error("{what} failed ({status}){output}")]
    Command {
        /// What the program was to do.
        what: String,
        /// Its exit status.
        status: String,
        /// The end of its output, each line on its own, starting with a line break; or nothing.
        output: String,
    },
    /// Certificates or passwords could not be made or read.
    #[error("certificates and passwords: {0}")]
    Pki(String),
    /// Topics, users or ACLs could not be made.
    #[error("topics, users and ACLs: {0}")]
    Admin(String),
    /// A node or the emulator did not start, or died.
    #[error("{name} {what}: {cause}")]
    Process {
        /// The process, as users know it: `Kafka node 2`.
        name: String,
        /// `exited while starting`, `did not become ready within 90 s`.
        what: String,
        /// The cause, from its log.
        cause: String,
    },
    /// The cluster answers, but an event does not get through it.
    #[error("the cluster is not ready: {0}")]
    NotReady(String),
    /// Another `storepulse-local` is changing this cluster.
    #[error("another storepulse-local{owner} is working on {}; wait for it, or stop it", dir.display())]
    Locked {
        /// The state directory.
        dir: PathBuf,
        /// ` (process 123)`, or nothing.
        owner: String,
    },
    /// An operation on a cluster that is not there.
    #[error("no cluster is running in {}; start one with `make local-up`", dir.display())]
    NotRunning {
        /// The state directory.
        dir: PathBuf,
    },
    /// No port could be found.
    #[error("no free port found for {0}")]
    NoFreePort(String),
    /// A value given by the caller makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Ctrl-C or SIGTERM arrived.
    #[error("interrupted")]
    Interrupted,
}

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names the file in an I/O error.
pub(crate) trait FileContext<T> {
    /// Turns the error into [`Error::File`].
    fn file(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> FileContext<T> for std::io::Result<T> {
    fn file(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::File { action, path: path.to_owned(), source })
    }
}
