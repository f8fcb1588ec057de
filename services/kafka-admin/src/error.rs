//! What can go wrong between a client and a broker, kept apart by who said no.

use std::io;
use std::time::Duration;

use kafka_protocol::ResponseError;
use rustls::AlertDescription;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a connection or a request. `to` is the broker as `host:port`. No variant carries a
/// password or key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is wrong or incomplete; nothing was sent.
    #[error("{0}")]
    Config(String),
    /// The system refused a network operation.
    #[error("cannot {action} {to}: {source}")]
    Io {
        /// The broker.
        to: String,
        /// What was being done.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// No answer within the time limit.
    #[error("{to} did not answer within {} ms ({action})", .limit.as_millis())]
    Timeout {
        /// The broker.
        to: String,
        /// What was being waited for.
        action: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The broker ended TLS with an alert.
    #[error("{to} refused the connection with the TLS alert {alert:?}")]
    TlsAlert {
        /// The broker.
        to: String,
        /// The alert (RFC 8446, section 6).
        alert: AlertDescription,
    },
    /// This side refused the broker's certificate or another part of the handshake.
    #[error("TLS with {to} was refused here: {reason}")]
    TlsRefused {
        /// The broker.
        to: String,
        /// Why.
        reason: rustls::Error,
    },
    /// The broker closed the connection without an answer.
    #[error("{to} closed the connection without an answer ({action})")]
    ConnectionClosed {
        /// The broker.
        to: String,
        /// What was being waited for.
        action: &'static str,
    },
    /// The broker does not offer the SASL mechanism asked for.
    #[error("{to} does not offer the SASL mechanism {mechanism}; it offers {}", .offered.join(", "))]
    SaslMechanism {
        /// The broker.
        to: String,
        /// What was asked for.
        mechanism: &'static str,
        /// What it has.
        offered: Vec<String>,
    },
    /// The broker refused the user or the password.
    #[error("{to} refused user `{user}`: {message}")]
    SaslAuthenticationFailed {
        /// The broker.
        to: String,
        /// The user.
        user: String,
        /// The broker's words.
        message: String,
    },
    /// The broker could not prove that it knows the password too.
    #[error("{to} failed to authenticate itself to user `{user}`: {reason}")]
    SaslServer {
        /// The broker.
        to: String,
        /// The user.
        user: String,
        /// What was wrong.
        reason: String,
    },
    /// The broker answered with an error code.
    #[error("{to} answered {what} with {code:?} ({}){}", .code.code(), note(.message))]
    Kafka {
        /// The broker.
        to: String,
        /// The request and its object, e.g. `CreateTopics analytics-deltas`.
        what: String,
        /// Kafka's error code.
        code: ResponseError,
        /// The broker's explanation, when it gave one.
        message: Option<String>,
    },
    /// The broker doesn't speak a version of the request this client knows.
    #[error("{to} has no version of {request} that this client speaks")]
    Unsupported {
        /// The broker.
        to: String,
        /// The request.
        request: String,
    },
    /// The answer is not what the protocol says.
    #[error("{to} sent something that is not the Kafka protocol ({detail})")]
    Protocol {
        /// The broker.
        to: String,
        /// What was wrong.
        detail: String,
    },
    /// A topic exists in a shape that can't be changed safely.
    #[error("topic {topic} has {found}, planned are {planned}; delete it, or plan for what it has")]
    TopicShape {
        /// The topic.
        topic: String,
        /// What it has.
        found: String,
        /// What the plan says.
        planned: String,
    },
}

fn note(message: &Option<String>) -> String {
    message.as_deref().map(|text| format!(": {text}")).unwrap_or_default()
}

impl Error {
    /// Whether trying again, unchanged, may help.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Timeout { .. } | Self::ConnectionClosed { .. } => true,
            Self::Kafka { code, .. } => code.is_retriable(),
            _ => false,
        }
    }

    /// Kafka's error code, when the broker answered with one.
    pub fn code(&self) -> Option<ResponseError> {
        match self {
            Self::Kafka { code, .. } => Some(*code),
            _ => None,
        }
    }

    pub(crate) fn protocol(to: &str, detail: impl std::fmt::Display) -> Self {
        Self::Protocol { to: to.to_owned(), detail: detail.to_string() }
    }

    /// Sorts an I/O error of a TLS stream: alerts and refusals travel inside `io::Error`.
    pub(crate) fn from_io(to: &str, action: &'static str, error: io::Error) -> Self {
        let to = to.to_owned();
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::AlertReceived(alert)) => Self::TlsAlert { to, alert: *alert },
            Some(reason) => Self::TlsRefused { to, reason: reason.clone() },
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Self::ConnectionClosed { to, action },
                _ => Self::Io { to, action, source: error },
            },
        }
    }
}
