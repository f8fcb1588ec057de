//! What was answered, what was expected, and what follows.

use std::fmt;

use kafka_protocol::ResponseError;
use rustls::AlertDescription;
use storepulse_kafka_admin::Error;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The attacker got what it wanted; what that was.
    LetIn(String),
    /// Somebody said no.
    Refused(Refusal),
    /// The attempt could not be made, so nothing is proven.
    NotTried(String),
}

/// Who said no, and how.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// The broker's TLS alert.
    Alert(AlertDescription),
    /// The client's own TLS verification.
    ByClient(String),
    /// SASL: user or password.
    Sasl(String),
    /// SASL: the mechanism is not offered; what is.
    Mechanism(String),
    /// A Kafka error code and the request it answered.
    Code(ResponseError, String),
    /// The connection was closed without a word.
    Closed,
    /// librdkafka's error.
    Librdkafka(String),
    /// Something that says nothing about security: unreachable, too slow, unreadable.
    Other(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LetIn(what) => write!(f, "LET IN: {what}"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NotTried(why) => write!(f, "not tried: {why}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) => write!(f, "TLS alert {alert:?} ({})", u8::from(*alert)),
            Self::ByClient(reason) => write!(f, "refused by the client: {reason}"),
            Self::Sasl(message) => write!(f, "SASL: {message}"),
            Self::Mechanism(offered) => write!(f, "SASL: mechanism not offered (only {offered})"),
            Self::Code(code, what) => write!(f, "{code:?} ({}) to {what}", code.code()),
            Self::Closed => f.write_str("connection closed without a word"),
            Self::Librdkafka(text) => write!(f, "librdkafka: {text}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        Self::Refused(match error {
            Error::TlsAlert { alert, .. } => Refusal::Alert(alert),
            Error::TlsRefused { reason, .. } => Refusal::ByClient(reason.to_string()),
            Error::ConnectionClosed { .. } => Refusal::Closed,
            Error::SaslMechanism { offered, .. } => Refusal::Mechanism(offered.join(", ")),
            Error::SaslAuthenticationFailed { message, .. } => Refusal::Sasl(message),
            Error::Kafka { code, what, .. } => Refusal::Code(code, what),
            Error::Config(reason) => return Self::NotTried(reason),
            other => Refusal::Other(other.to_string()),
        })
    }
}

/// A result with a description of what an unexpected success would mean.
pub(crate) fn answer<T>(result: Result<T, Error>, let_in: impl FnOnce(T) -> String) -> Answer {
    match result {
        Ok(value) => Answer::LetIn(let_in(value)),
        Err(error) => error.into(),
    }
}

/// The refusal an attack must meet.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// One of these alerts.
    Alert(&'static [AlertDescription]),
    /// The broker ends the connection before any answer, with or without an alert.
    Disconnect,
    /// A refused user or password.
    Sasl,
    /// A mechanism that isn't offered.
    Mechanism,
    /// One of these error codes.
    Code(&'static [ResponseError]),
    /// The client itself finds the certificate bad; its words contain one of these.
    ByClient(&'static [&'static str]),
    /// librdkafka's error contains one of these.
    Librdkafka(&'static [&'static str]),
}

impl Expected {
    /// Whether this is the refusal expected.
    pub(crate) fn is_met_by(self, refusal: &Refusal) -> bool {
        match (self, refusal) {
            (Self::Alert(allowed), Refusal::Alert(alert)) => allowed.contains(alert),
            (Self::Disconnect, Refusal::Closed | Refusal::Alert(_))
            | (Self::Sasl, Refusal::Sasl(_))
            | (Self::Mechanism, Refusal::Mechanism(_)) => true,
            (Self::Code(allowed), Refusal::Code(code, _)) => allowed.contains(code),
            (Self::ByClient(words), Refusal::ByClient(text)) | (Self::Librdkafka(words), Refusal::Librdkafka(text)) => {
                let text = text.to_ascii_lowercase();
                words.iter().any(|word| text.contains(word))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alerts) => {
                let list: Vec<_> = alerts.iter().map(|alert| format!("{alert:?}")).collect();
                write!(f, "TLS alert {}", list.join(" or "))
            }
            Self::Disconnect => f.write_str("connection closed, or a TLS alert, before any answer"),
            Self::Sasl => f.write_str("SASL authentication failed"),
            Self::Mechanism => f.write_str("SASL mechanism not offered"),
            Self::Code(codes) => {
                let list: Vec<_> = codes.iter().map(|code| format!("{code:?}")).collect();
                f.write_str(&list.join(" or "))
            }
            Self::ByClient(words) => write!(f, "refused by the client ({})", words.join(" or ")),
            Self::Librdkafka(words) => write!(f, "librdkafka error ({})", words.join(" or ")),
        }
    }
}

/// What follows from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Refused for the right reason; or, for a control, let in.
    Held,
    /// The attacker got in.
    Hole,
    /// Refused, but for another reason than the one that was to be shown.
    WrongReason,
    /// Not attempted, or the cluster could not be reached.
    Unproven,
}

impl Verdict {
    pub(crate) fn of_attack(answer: &Answer, expected: Expected) -> Self {
        match answer {
            Answer::LetIn(_) => Self::Hole,
            Answer::NotTried(_) | Answer::Refused(Refusal::Other(_)) => Self::Unproven,
            Answer::Refused(refusal) if expected.is_met_by(refusal) => Self::Held,
            Answer::Refused(_) => Self::WrongReason,
        }
    }

    /// How it is shown in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "ok",
            Self::Hole => "HOLE",
            Self::WrongReason => "WRONG REASON",
            Self::Unproven => "NOT PROVEN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHTS: Expected = Expected::Code(&[ResponseError::TopicAuthorizationFailed]);

    #[test]
    fn only_the_right_refusal_holds() {
        let code = |code| Answer::Refused(Refusal::Code(code, "Fetch".into()));
        let verdict = |answer: &Answer| Verdict::of_attack(answer, RIGHTS);
        assert_eq!(verdict(&code(ResponseError::TopicAuthorizationFailed)), Verdict::Held);
        assert_eq!(verdict(&code(ResponseError::UnknownTopicOrPartition)), Verdict::WrongReason);
        assert_eq!(verdict(&Answer::Refused(Refusal::Sasl("no".into()))), Verdict::WrongReason);
        assert_eq!(verdict(&Answer::LetIn("3 records".into())), Verdict::Hole);
        assert_eq!(verdict(&Answer::NotTried("no file".into())), Verdict::Unproven);
    }

    #[test]
    fn an_unreachable_broker_proves_nothing() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = Error::Io { to: "localhost:1".into(), action: "connect to", source: refused };
        assert_eq!(Verdict::of_attack(&error.into(), Expected::Disconnect), Verdict::Unproven);
        let error = Error::Timeout { to: "x:1".into(), action: "y", limit: std::time::Duration::from_secs(1) };
        assert_eq!(Verdict::of_attack(&error.into(), Expected::Disconnect), Verdict::Unproven);
    }

    #[test]
    fn a_bad_login_is_not_a_bad_certificate() {
        let certificate = Expected::Librdkafka(&["certificate"]);
        let text = "sasl_ssl://localhost: SASL authentication error: Authentication failed";
        assert!(!certificate.is_met_by(&Refusal::Librdkafka(text.into())));
        assert!(Expected::Librdkafka(&["authentication failed"]).is_met_by(&Refusal::Librdkafka(text.into())));
    }
}
