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

/// Counts refusals in a row, to tell those that pass from those that stay.
#[derive(Debug, Default)]
pub struct Refusals(u32);

impl Refusals {
    /// So many in a row are taken for final: one may come from a broker that has not heard of a new ACL yet.
    const FINAL: u32 = 2;

    /// Takes in a failure, and the permission that it is about, if it is about one. Gives it back once it is final.
    pub fn note(&mut self, denied: Option<Denied>) -> Option<Denied> {
        self.0 = if denied.is_some() { self.0 + 1 } else { 0 };
        denied.filter(|_| self.0 >= Self::FINAL)
    }
}
