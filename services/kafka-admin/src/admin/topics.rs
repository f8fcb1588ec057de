//! Topics: look, make, configure.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, MetadataRequest,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::Admin;
use crate::connection::check;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::plan::TopicPlan;

/// `ConfigResource.Type.TOPIC`.
const TOPIC: i8 = 2;
/// `AlterConfigOp.OpType.SET`.
const SET: i8 = 0;
/// How long the controller may take over a topic.
const CONTROLLER_LIMIT_MS: i32 = 15_000;

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// The name.
    pub name: String,
    /// Partition leaders by partition, as node ids; -1 where there is none now.
    pub leaders: Vec<i32>,
    /// The smallest number of copies of any partition.
    pub replication: usize,
    /// The smallest number of copies in step of any partition.
    pub in_sync: usize,
    /// Addresses of the brokers by node id.
    pub brokers: BTreeMap<i32, Endpoint>,
}

impl TopicInfo {
    /// Whether every partition has a leader.
    pub fn is_led(&self) -> bool {
        !self.leaders.is_empty() && self.leaders.iter().all(|leader| *leader >= 0)
    }

    /// The address of a partition's leader.
    pub fn leader_of(&self, partition: usize) -> Option<&Endpoint> {
        self.brokers.get(self.leaders.get(partition)?)
    }
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

impl Admin {
    /// A topic's partitions, or nothing when there is no such topic.
    ///
    /// # Errors
    /// The connection failed or the broker refused (for want of Describe, that is
    /// `TopicAuthorizationFailed`).
    pub async fn topic(&mut self, name: &str) -> Result<Option<TopicInfo>> {
        let topic = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let request = MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false);
        let answer = self.connection.call(&request).await?;
        let to = self.connection.peer();
        let found = answer
            .topics
            .iter()
            .find(|topic| topic.name.as_ref().is_some_and(|found| found.0.as_str() == name))
            .ok_or_else(|| Error::protocol(to, format!("no metadata of topic {name}")))?;
        let missing = ResponseError::UnknownTopicOrPartition.code();
        if found.error_code == missing {
            return Ok(None);
        }
        // A partition without a leader is reported per partition, not as a failure of the request.
        if found.error_code != ResponseError::LeaderNotAvailable.code() {
            check(to, format!("Metadata of topic {name}"), found.error_code, None)?;
        }
        let mut partitions: Vec<_> = found.partitions.iter().collect();
        partitions.sort_by_key(|partition| partition.partition_index);
        Ok(Some(TopicInfo {
            name: name.to_owned(),
            leaders: partitions.iter().map(|partition| partition.leader_id.0).collect(),
            replication: partitions.iter().map(|p| p.replica_nodes.len()).min().unwrap_or(0),
            in_sync: partitions.iter().map(|p| p.isr_nodes.len()).min().unwrap_or(0),
            brokers: answer
                .brokers
                .iter()
                .map(|broker| {
                    let port = u16::try_from(broker.port).unwrap_or_default();
                    (broker.node_id.0, Endpoint { host: broker.host.to_string(), port })
                })
                .collect(),
        }))
    }

    /// Makes a topic. Says false when it exists already (whatever its shape).
    ///
    /// # Errors
    /// The connection failed or the broker refused.
    pub async fn create_topic(&mut self, plan: &TopicPlan) -> Result<bool> {
        let configs = plan.configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string(name.clone()))
                .with_value(Some(StrBytes::from_string(value.clone())))
        });
        let topic = CreatableTopic::default()
            .with_name(topic_name(&plan.name))
            .with_num_partitions(plan.partitions)
            .with_replication_factor(plan.replication)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(CONTROLLER_LIMIT_MS);
        let answer = self.connection.call(&request).await?;
        let to = self.connection.peer();
        let Some(result) = answer.topics.first() else {
            return Err(Error::protocol(to, "CreateTopics was answered without a result"));
        };
        if result.error_code == ResponseError::TopicAlreadyExists.code() {
            return Ok(false);
        }
        let what = format!("CreateTopics {}", plan.name);
        check(to, what, result.error_code, result.error_message.as_ref())?;
        Ok(true)
    }

    /// Deletes a topic. Says false when there is none.
    ///
    /// # Errors
    /// The connection failed or the broker refused.
    pub async fn delete_topic(&mut self, name: &str) -> Result<bool> {
        // Version 5 still names topics; later ones can use ids.
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![topic_name(name)])
            .with_timeout_ms(CONTROLLER_LIMIT_MS);
        let answer = self.connection.call_at_most(&request, 5).await?;
        let to = self.connection.peer();
        let code = answer.responses.first().map_or(0, |result| result.error_code);
        if code == ResponseError::UnknownTopicOrPartition.code() {
            return Ok(false);
        }
        check(to, format!("DeleteTopics {name}"), code, None)?;
        Ok(true)
    }

    /// The settings of a topic that are in force, defaults included.
    ///
    /// # Errors
    /// The connection failed or the broker refused.
    pub async fn topic_configs(&mut self, name: &str) -> Result<BTreeMap<String, String>> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(StrBytes::from_string(name.to_owned()))
            .with_configuration_keys(None);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.connection.call(&request).await?;
        let to = self.connection.peer();
        let Some(result) = answer.results.first() else {
            return Err(Error::protocol(to, "DescribeConfigs was answered without a result"));
        };
        check(to, format!("DescribeConfigs {name}"), result.error_code, result.error_message.as_ref())?;
        let value = |value: &Option<StrBytes>| value.as_ref().map(ToString::to_string).unwrap_or_default();
        Ok(result.configs.iter().map(|config| (config.name.to_string(), value(&config.value))).collect())
    }

    /// Sets some settings of a topic; the others stay.
    ///
    /// # Errors
    /// The connection failed or the broker refused.
    pub async fn set_topic_configs(&mut self, name: &str, configs: &BTreeMap<String, String>) -> Result<()> {
        let configs = configs.iter().map(|(name, value)| {
            AlterableConfig::default()
                .with_name(StrBytes::from_string(name.clone()))
                .with_config_operation(SET)
                .with_value(Some(StrBytes::from_string(value.clone())))
        });
        let resource = AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(StrBytes::from_string(name.to_owned()))
            .with_configs(configs.collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.connection.call(&request).await?;
        let to = self.connection.peer();
        for result in &answer.responses {
            let what = format!("IncrementalAlterConfigs {name}");
            check(to, what, result.error_code, result.error_message.as_ref())?;
        }
        Ok(())
    }
}
