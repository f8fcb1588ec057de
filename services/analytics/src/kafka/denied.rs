//! Missing permissions, told apart from failures that pass.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// A permission that the brokers refuse. Starting again can't help until an ACL is added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the user {user} may not {action}: add its ACLs with `storepulse-kafka-admin apply`")]
pub struct Denied {
    /// Who.
    pub user: String,
    /// What.
    pub action: String,
}

impl Denied {
    /// The permission that `error` is about, if it is about one. `topics` are those that the failed call used.
    pub fn of(error: &KafkaError, user: &str, group: &str, topics: &str) -> Option<Self> {
        let what = match error.rdkafka_error_code()? {
            RDKafkaErrorCode::TransactionalIdAuthorizationFailed => {
                format!("use transactional ids that begin with {group}")
            }
            RDKafkaErrorCode::GroupAuthorizationFailed => format!("use the consumer group {group}"),
            RDKafkaErrorCode::TopicAuthorizationFailed => format!("use the topic {topics}"),
            RDKafkaErrorCode::ClusterAuthorizationFailed => "write to any topic".to_owned(),
            _ => return None,
        };
        Some(Self { user: user.to_owned(), action: format!("{what} ({error})") })
    }
}

/// So many refusals in a row are taken for final: one may come from a broker that has not heard of a new ACL yet.
pub const FINAL: u32 = 2;
