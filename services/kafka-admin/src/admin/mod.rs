//! Single admin operations. In KRaft any broker takes them and forwards what the controller does.

mod acls;
mod cluster;
mod topics;
mod users;

pub use acls::{AclBinding, Operation, Pattern, ResourceType};
pub use cluster::ClusterInfo;
pub use topics::TopicInfo;

use crate::connection::{ConnectOptions, Connection};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};

/// An admin client over one connection.
pub struct Admin {
    pub(crate) connection: Connection,
}

impl Admin {
    /// Connects to the first of `brokers` that answers.
    ///
    /// # Errors
    /// None answers: the last broker's error. A refusal (TLS, SASL) ends the search, as the others
    /// would refuse too.
    pub async fn connect(brokers: &[Endpoint], options: &ConnectOptions) -> Result<Self> {
        let mut last = Error::Config("the list of brokers is empty".to_owned());
        for broker in brokers {
            match Connection::open(broker, options).await {
                Ok(connection) => return Ok(Self { connection }),
                Err(error) if error.is_retriable() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Uses an open connection.
    pub fn over(connection: Connection) -> Self {
        Self { connection }
    }

    /// The connection, for requests that have no method here.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
