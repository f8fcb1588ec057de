//! Good clients with good papers. Each of the plan's permissions is used, so that one that is
//! missing is named. None leaves a record that counts:
//!
//! - Writing is shown by a Produce to a partition that doesn't exist: a broker looks at the ACL
//!   first and at the partition second, so `UnknownTopicOrPartition` means "allowed".
//! - A real write and read go through `storepulse-ready`, which only the admin may use.
//! - Groups and transactions are asked with a member and a producer that don't exist; again the
//!   ACL is looked at first.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    DescribeGroupsRequest, EndTxnRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest, ProducerId,
    TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use storepulse_events::topics::{ANALYTICS_GROUP, DEAD_LETTERS, DELTAS, EVENTS, READY, SESSIONS};
use storepulse_kafka_admin::records::{self, Message};
use storepulse_kafka_admin::{AclBinding, Admin, Connection, Error, Plan, Settings};

use crate::attacks::with_librdkafka as rd;
use crate::world::World;

/// A partition no topic has.
const NOWHERE: i32 = 1_000_000;

/// One control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    RoundTrip,
    Permissions,
    SimulatorWrites,
    SimulatorLibrdkafka,
    AnalyticsReads,
    AnalyticsWrites,
    AnalyticsCoordinates,
    AuditorReads,
}

impl Control {
    pub(crate) const ALL: [Self; 8] = [
        Self::RoundTrip,
        Self::Permissions,
        Self::SimulatorWrites,
        Self::SimulatorLibrdkafka,
        Self::AnalyticsReads,
        Self::AnalyticsWrites,
        Self::AnalyticsCoordinates,
        Self::AuditorReads,
    ];

    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::RoundTrip => "admin-round-trip",
            Self::Permissions => "permissions",
            Self::SimulatorWrites => "simulator-may-write",
            Self::SimulatorLibrdkafka => "simulator-librdkafka",
            Self::AnalyticsReads => "analytics-may-read",
            Self::AnalyticsWrites => "analytics-may-write",
            Self::AnalyticsCoordinates => "analytics-may-coordinate",
            Self::AuditorReads => "auditor-may-read",
        }
    }

    pub(crate) fn tried(self) -> &'static str {
        match self {
            Self::RoundTrip => "write a record and read it back as the admin",
            Self::Permissions => "compare the ACLs with the plan",
            Self::SimulatorWrites => "ask to write events as the simulator, to a partition that does not exist",
            Self::SimulatorLibrdkafka => "look at the topic of events as the simulator, with librdkafka",
            Self::AnalyticsReads => "read events, deltas and sessions as analytics",
            Self::AnalyticsWrites => "ask to write deltas, sessions and dead letters as analytics",
            Self::AnalyticsCoordinates => "use analytics' groups and transactional ids",
            Self::AuditorReads => "read all four topics and see analytics' groups as the auditor",
        }
    }

    /// Carries it out; says what was seen.
    pub(crate) async fn attempt(self, world: &World) -> Result<String, Failure> {
        match self {
            Self::RoundTrip => round_trip(world).await,
            Self::Permissions => permissions(world).await,
            Self::SimulatorWrites => {
                let mut connection = world.enter(&world.simulator).await?;
                Admin::over(world.enter(&world.simulator).await?).topic(EVENTS).await?;
                may_write(&mut connection, &[EVENTS]).await
            }
            Self::SimulatorLibrdkafka => rd::look(rd::Papers::good(&world.simulator)).await.map_err(Failure::LockedOut),
            Self::AnalyticsReads => may_read(world, &world.analytics, &[EVENTS, DELTAS, SESSIONS]).await,
            Self::AnalyticsWrites => {
                let mut connection = world.enter(&world.analytics).await?;
                may_write(&mut connection, &[DELTAS, SESSIONS, DEAD_LETTERS]).await
            }
            Self::AnalyticsCoordinates => coordinate(world).await,
            Self::AuditorReads => {
                let seen = may_read(world, &world.auditor, &[EVENTS, DELTAS, SESSIONS, DEAD_LETTERS]).await?;
                describe_groups(world).await?;
                Ok(format!("{seen}, and saw the groups"))
            }
        }
    }
}

/// Why a control didn't get through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The cluster could not be reached.
    Unreachable(String),
    /// A good client was refused.
    LockedOut(String),
    /// There are permissions that the plan doesn't have.
    TooOpen(String),
}

impl Failure {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Unreachable(text) | Self::LockedOut(text) | Self::TooOpen(text) => text,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Io { .. } | Error::Timeout { .. } => Self::Unreachable(error.to_string()),
            other => Self::LockedOut(other.to_string()),
        }
    }
}

async fn round_trip(world: &World) -> Result<String, Failure> {
    let marker = format!("storepulse-control:{}", world.run_id());
    let trip = records::round_trip(&world.admin.brokers, &world.good(&world.admin)?, READY, &marker).await?;
    Ok(format!("a record went to {READY}-0 at offset {} and came back in {} ms", trip.offset, trip.took.as_millis()))
}

async fn permissions(world: &World) -> Result<String, Failure> {
    let mut admin = Admin::over(world.enter(&world.admin).await?);
    let found = admin.acls().await?;
    let plan = world.plan().acls;
    let list = |all: Vec<String>| all.join("; ");
    // The scaler's are of a component that may be installed: it sees how far analytics' group is.
    let tolerated = if world.observer { Plan::scaler_acls() } else { Vec::new() };
    let allowed = |acl: &&AclBinding| plan.contains(acl) || tolerated.contains(acl);
    let beyond: Vec<_> = found.iter().filter(|acl| !allowed(acl)).map(ToString::to_string).collect();
    if !beyond.is_empty() {
        return Err(Failure::TooOpen(format!("permissions that the plan does not have: {}", list(beyond))));
    }
    let missing: Vec<_> = plan.iter().filter(|acl| !found.contains(acl)).map(ToString::to_string).collect();
    if !missing.is_empty() {
        return Err(Failure::LockedOut(format!("permissions of the plan are missing: {}", list(missing))));
    }
    Ok(format!("all {} are there, and no others", plan.len()))
}

async fn may_write(connection: &mut Connection, topics: &[&str]) -> Result<String, Failure> {
    for topic in topics {
        match records::produce(connection, topic, NOWHERE, &Message::default()).await {
            Err(Error::Kafka { code: ResponseError::UnknownTopicOrPartition, .. }) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err(Failure::LockedOut(format!("{topic} has a partition {NOWHERE}"))),
        }
    }
    Ok(format!("allowed for {}", topics.join(", ")))
}

async fn may_read(world: &World, who: &Settings, topics: &[&str]) -> Result<String, Failure> {
    let options = world.good(who)?;
    for topic in topics {
        let mut connection = records::leader(&who.brokers, &options, topic, 0).await?;
        let end = records::end_offset(&mut connection, topic, 0).await?;
        let from = (end - 1).max(0);
        match records::fetch(&mut connection, topic, 0, from, Duration::from_millis(1)).await {
            // Retention or compaction may have removed that one record: still allowed.
            Ok(_) | Err(Error::Kafka { code: ResponseError::OffsetOutOfRange, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(format!("allowed for {}", topics.join(", ")))
}

fn allowed(code: i16, what: &str) -> Result<(), Failure> {
    match ResponseError::try_from_code(code) {
        Some(
            denied @ (ResponseError::GroupAuthorizationFailed | ResponseError::TransactionalIdAuthorizationFailed),
        ) => Err(Failure::LockedOut(format!("{denied:?} to {what}"))),
        _ => Ok(()),
    }
}

async fn coordinate(world: &World) -> Result<String, Failure> {
    let name = format!("{ANALYTICS_GROUP}-control-{}", world.run_id());
    let text = || StrBytes::from_string(name.clone());
    let mut connection = world.enter(&world.analytics).await?;

    let heartbeat = HeartbeatRequest::default()
        .with_group_id(GroupId(text()))
        .with_generation_id(0)
        .with_member_id(StrBytes::from_static_str("nobody"));
    allowed(connection.call(&heartbeat).await?.error_code, "Heartbeat")?;

    let find = FindCoordinatorRequest::default().with_key_type(1).with_coordinator_keys(vec![text()]);
    for found in connection.call(&find).await?.coordinators {
        allowed(found.error_code, "FindCoordinator of a transactional id")?;
    }
    let end = EndTxnRequest::default()
        .with_transactional_id(TransactionalId(text()))
        .with_producer_id(ProducerId(0))
        .with_producer_epoch(0)
        .with_committed(false);
    allowed(connection.call(&end).await?.error_code, "EndTxn")?;
    Ok(format!("allowed for {ANALYTICS_GROUP}*"))
}

async fn describe_groups(world: &World) -> Result<(), Failure> {
    let mut connection = world.enter(&world.auditor).await?;
    let group = GroupId(StrBytes::from_static_str(ANALYTICS_GROUP));
    let request = DescribeGroupsRequest::default().with_groups(vec![group]);
    for group in connection.call(&request).await?.groups {
        allowed(group.error_code, "DescribeGroups")?;
    }
    Ok(())
}
