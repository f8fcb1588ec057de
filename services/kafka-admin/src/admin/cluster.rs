//! What the cluster consists of.

use kafka_protocol::messages::DescribeClusterRequest;

use super::Admin;
use crate::connection::check;
use crate::endpoint::Endpoint;
use crate::error::Result;

/// The cluster as one broker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterInfo {
    /// The cluster's id.
    pub id: String,
    /// A broker that takes requests for the controller.
    pub controller: i32,
    /// Live brokers: node id and address, in order of id.
    pub brokers: Vec<(i32, Endpoint)>,
}

impl Admin {
    /// The cluster's id and live brokers.
    ///
    /// # Errors
    /// The connection failed or the broker refused.
    pub async fn describe_cluster(&mut self) -> Result<ClusterInfo> {
        let request = DescribeClusterRequest::default().with_endpoint_type(1);
        let answer = self.connection.call(&request).await?;
        let message = answer.error_message.as_ref();
        check(self.connection.peer(), "DescribeCluster", answer.error_code, message)?;
        let mut brokers: Vec<_> = answer
            .brokers
            .iter()
            .map(|broker| {
                let port = u16::try_from(broker.port).unwrap_or_default();
                (broker.broker_id.0, Endpoint { host: broker.host.to_string(), port })
            })
            .collect();
        brokers.sort_by_key(|(id, _)| *id);
        Ok(ClusterInfo { id: answer.cluster_id.to_string(), controller: answer.controller_id.0, brokers })
    }
}
