//! What can go wrong, in one line each: what, where, and what to do.

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting, a file or an argument is wrong: trying again changes nothing. Exit code 2.
    #[error("{0}")]
    Setting(String),
    /// The cluster can't be reached, or is not one that this can work with.
    #[error("{0}")]
    Cluster(String),
    /// The API server refused a request.
    #[error("{what}: {why}")]
    Refused {
        /// What was asked.
        what: String,
        /// What it said.
        why: String,
    },
    /// Something did not become as it should in time. The text has several lines.
    #[error("{0}")]
    NotReady(String),
}

/// The result of anything that talks to the cluster.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The program's exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Setting(_) => 2,
            _ => 1,
        }
    }

    /// The words of the client library, shortened to what the API server said.
    pub(crate) fn from_kube(what: impl Into<String>, error: &kube::Error) -> Self {
        let what = what.into();
        match error {
            kube::Error::Api(status) => Self::Refused { what, why: status.message.clone() },
            other => Self::Cluster(format!("{what}: the API server did not answer: {}", chain(other))),
        }
    }
}

/// An error with all that is behind it, without what is said twice.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    // The client library's own words for where it failed say nothing to users.
    let mut text = error.to_string().trim_start_matches("ServiceError: ").to_owned();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text += ": ";
            text += &more;
        }
        source = error.source();
    }
    text
}
