//! Proves at start that the cluster can be used, or says precisely why not.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext};

use crate::Failure;

/// Why the cluster can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// librdkafka refuses the settings.
    #[error("the Kafka client refuses its settings: {0}")]
    Settings(String),
    /// No broker answered in time. A retry may help.
    #[error(
        "no broker of {brokers} answered within {seconds} s{detail}; check KAFKA_BROKERS and that the cluster runs"
    )]
    Unreachable {
        /// The brokers asked.
        brokers: String,
        /// The time limit.
        seconds: u64,
        /// The last error of a connection, or nothing.
        detail: String,
    },
    /// TLS failed: one of the two sides does not trust the other.
    #[error(
        "TLS with the brokers failed: {0}; check KAFKA_SSL_CA_LOCATION, and that the client's certificate comes from the brokers' certificate authority"
    )]
    Tls(String),
    /// The user or the password is wrong.
    #[error(
        "the brokers refuse the user {user}: {detail}; check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM"
    )]
    Credentials {
        /// The user.
        user: String,
        /// The broker's answer.
        detail: String,
    },
    /// A topic does not exist, or the user may not even see it.
    #[error("the topic {topic} does not exist on the cluster; create it with `storepulse-kafka-admin apply`")]
    MissingTopic {
        /// The topic.
        topic: String,
    },
    /// An ACL is missing.
    #[error("the user {user} may not use the topic {topic}; add its ACLs with `storepulse-kafka-admin apply`")]
    MissingAcl {
        /// The user.
        user: String,
        /// The topic.
        topic: String,
    },
    /// The broker answered something else.
    #[error("the brokers answered about the topic {topic}: {detail}")]
    Other {
        /// The topic.
        topic: String,
        /// The answer.
        detail: String,
    },
}

impl PreflightError {
    /// Whether waiting may help.
    pub const fn is_retriable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Other { .. })
    }
}

impl From<PreflightError> for Failure {
    fn from(error: PreflightError) -> Self {
        if error.is_retriable() { Self::runtime(error) } else { Self::config(error) }
    }
}

#[derive(Default)]
struct Watch {
    last: Mutex<Option<(RDKafkaErrorCode, String)>>,
}

impl ClientContext for Watch {
    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        // A broker that refuses the client's certificate closes the connection with an alert of TLS.
        let alert = reason.contains("SSL") && (reason.contains("alert") || reason.contains("certificate"));
        let code = if alert { RDKafkaErrorCode::SSL } else { code };
        let mut last = self.last.lock().unwrap_or_else(|e| e.into_inner());
        let telling = |code| matches!(code, RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL);
        // "All brokers are down" follows every cause and must not hide it.
        if telling(code) || !last.as_ref().is_some_and(|(c, _)| telling(*c)) && code != RDKafkaErrorCode::AllBrokersDown
        {
            *last = Some((code, reason.to_owned()));
        }
    }

    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}
}

impl ConsumerContext for Watch {}

/// librdkafka names its own settings; people know the variables.
fn named(config: &ClientConfig, error: &KafkaError) -> String {
    let text = error.to_string();
    let variables = [
        ("ssl.ca.location", "KAFKA_SSL_CA_LOCATION"),
        ("ssl.certificate.location", "KAFKA_SSL_CERTIFICATE_LOCATION"),
        ("ssl.key.location", "KAFKA_SSL_KEY_LOCATION"),
    ];
    match variables.iter().find(|(setting, _)| text.contains(setting)) {
        Some((setting, variable)) => format!("{variable} is {}: {text}", config.get(setting).unwrap_or_default()),
        None => text,
    }
}

/// Connects with `config`, and asks for each of `topics`, within `limit` over all. Returns the number of partitions of
/// each topic.
///
/// # Errors
///
/// See [`PreflightError`]; the first problem found.
pub fn preflight(config: &ClientConfig, topics: &[&str], limit: Duration) -> Result<Vec<usize>, PreflightError> {
    let mut config = config.clone();
    config.set("group.id", "storepulse-preflight");
    let consumer: BaseConsumer<Watch> =
        config.create_with_context(Watch::default()).map_err(|e| PreflightError::Settings(named(&config, &e)))?;
    let deadline = Instant::now() + limit;
    topics.iter().map(|topic| partitions(&config, &consumer, topic, deadline, limit)).collect()
}

fn partitions(
    config: &ClientConfig,
    consumer: &BaseConsumer<Watch>,
    topic: &str,
    deadline: Instant,
    limit: Duration,
) -> Result<usize, PreflightError> {
    let setting = |name: &str| config.get(name).unwrap_or_default().to_owned();
    let (user, topic_name) = (setting("sasl.username"), topic.to_owned());
    loop {
        let answer = consumer.fetch_metadata(Some(topic), Duration::from_millis(1000));
        let _ = consumer.poll(Duration::from_millis(20));
        let late = Instant::now() >= deadline;
        if let Ok(metadata) = answer
            && let Some(found) = metadata.topics().first()
        {
            use rdkafka::types::RDKafkaRespErr as E;
            match found.error() {
                None if !found.partitions().is_empty() => return Ok(found.partitions().len()),
                Some(E::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) => {
                    return Err(PreflightError::MissingAcl { user, topic: topic_name });
                }
                Some(E::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => {
                    return Err(PreflightError::MissingTopic { topic: topic_name });
                }
                Some(other) if late => {
                    let detail = RDKafkaErrorCode::from(other).to_string();
                    return Err(PreflightError::Other { topic: topic_name, detail });
                }
                _ => {}
            }
        }
        let last = consumer.context().last.lock().unwrap_or_else(|e| e.into_inner()).clone();
        match last {
            Some((RDKafkaErrorCode::Authentication, detail)) => {
                return Err(PreflightError::Credentials { user, detail });
            }
            Some((RDKafkaErrorCode::SSL, detail)) => return Err(PreflightError::Tls(detail)),
            other if late => {
                let detail = other.map(|(_, detail)| format!(" ({detail})")).unwrap_or_default();
                let (brokers, seconds) = (setting("bootstrap.servers"), limit.as_secs());
                return Err(PreflightError::Unreachable { brokers, seconds, detail });
            }
            _ => {}
        }
    }
}
