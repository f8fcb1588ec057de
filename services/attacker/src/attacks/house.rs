//! Attacks in the house: clients with good papers that do what their ACLs don't allow.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::{FindCoordinatorRequest, GroupId, JoinGroupRequest};
use kafka_protocol::protocol::StrBytes;
use storepulse_events::topics::{ANALYTICS_GROUP, DELTAS, EVENTS};
use storepulse_kafka_admin::plan::TopicPlan;
use storepulse_kafka_admin::{
    AclBinding, Admin, Connection, Error, Operation, Pattern, ResourceType, Secret, Settings, records,
};

use super::door::marked;
use crate::answer::{Answer, Refusal, answer};
use crate::world::World;

/// The name of what an attacker would make.
fn loot(world: &World) -> String {
    format!("storepulse-attack-{}", world.run_id())
}

fn loot_acl(world: &World) -> AclBinding {
    AclBinding {
        principal: format!("User:{}", world.simulator.user),
        resource_type: ResourceType::Topic,
        resource: loot(world),
        pattern: Pattern::Literal,
        operation: Operation::Read,
    }
}

/// Opens, as `who`, a connection to the leader of partition 0, which the admin looks up: the
/// attacker may not be allowed to see the topic, and the request itself is to be refused.
async fn at_leader(world: &World, who: &Settings, topic: &str) -> Result<Connection, Error> {
    let mut admin = Admin::over(world.enter(&world.admin).await?);
    let leader = admin.topic(topic).await?.and_then(|info| info.leader_of(0).cloned());
    let leader = leader.ok_or_else(|| Error::Config(format!("topic {topic} is missing or has no leader")))?;
    Connection::open(&leader, &world.good(who)?).await
}

async fn write(world: &World, who: &Settings, topic: &str) -> Answer {
    let attempt = async {
        let mut connection = at_leader(world, who, topic).await?;
        records::produce(&mut connection, topic, 0, &marked(world)).await
    };
    answer(attempt.await, |offset| format!("{} wrote {topic}-0 at offset {offset}", who.user))
}

pub(super) async fn simulator_reads(world: &World) -> Answer {
    let attempt = async {
        let mut connection = at_leader(world, &world.simulator, EVENTS).await?;
        records::fetch(&mut connection, EVENTS, 0, 0, Duration::from_millis(500)).await
    };
    answer(attempt.await, |fetched| format!("the simulator read {} bytes of {EVENTS}-0", fetched.batches.len()))
}

pub(super) async fn analytics_writes(world: &World) -> Answer {
    write(world, &world.analytics, EVENTS).await
}

pub(super) async fn auditor_writes(world: &World) -> Answer {
    write(world, &world.auditor, EVENTS).await
}

pub(super) async fn other_topic(world: &World) -> Answer {
    write(world, &world.simulator, DELTAS).await
}

pub(super) async fn foreign_group(world: &World) -> Answer {
    join(world, &world.simulator, ANALYTICS_GROUP).await
}

pub(super) async fn other_group(world: &World) -> Answer {
    join(world, &world.analytics, &loot(world)).await
}

/// The first half of joining: it asks for a member id, which has no effect on the group's members.
async fn join(world: &World, who: &Settings, group: &str) -> Answer {
    let attempt = async {
        let coordinator = {
            let mut admin = world.enter(&world.admin).await?;
            coordinator_of(&mut admin, group).await?
        };
        let mut connection = Connection::open(&coordinator, &world.good(who)?).await?;
        let protocol = JoinGroupRequestProtocol::default().with_name(StrBytes::from_static_str("range"));
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
            .with_session_timeout_ms(6_000)
            .with_rebalance_timeout_ms(6_000)
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(vec![protocol]);
        connection.call(&request).await
    };
    match attempt.await {
        Err(error) => error.into(),
        Ok(response) => match ResponseError::try_from_code(response.error_code) {
            None | Some(ResponseError::MemberIdRequired) => {
                Answer::LetIn(format!("{} was admitted to group {group}", who.user))
            }
            Some(code) => Answer::Refused(Refusal::Code(code, format!("JoinGroup {group}"))),
        },
    }
}

/// The broker in charge of a group.
pub(crate) async fn coordinator_of(
    connection: &mut Connection,
    group: &str,
) -> Result<storepulse_kafka_admin::Endpoint, Error> {
    let request =
        FindCoordinatorRequest::default().with_coordinator_keys(vec![StrBytes::from_string(group.to_owned())]);
    // A new cluster makes its topic of offsets at the first question.
    for _ in 0..40 {
        let response = connection.call(&request).await?;
        let Some(found) = response.coordinators.first() else { break };
        match ResponseError::try_from_code(found.error_code) {
            None => {
                let port = u16::try_from(found.port).unwrap_or_default();
                return Ok(storepulse_kafka_admin::Endpoint { host: found.host.to_string(), port });
            }
            Some(code) if code.is_retriable() => tokio::time::sleep(Duration::from_millis(100)).await,
            Some(code) => {
                let (to, what) = (connection.peer().to_owned(), format!("FindCoordinator {group}"));
                return Err(Error::Kafka { to, what, code, message: None });
            }
        }
    }
    Err(Error::Config(format!("group {group} has no coordinator")))
}

pub(super) async fn create_topic(world: &World) -> Answer {
    let attempt = async {
        let mut client = Admin::over(world.enter(&world.simulator).await?);
        let plan = TopicPlan { name: loot(world), partitions: 1, replication: 1, configs: BTreeMap::new() };
        client.create_topic(&plan).await
    };
    answer(attempt.await, |_| format!("the simulator made topic {}", loot(world)))
}

pub(super) async fn create_acl(world: &World) -> Answer {
    let attempt = async {
        let mut client = Admin::over(world.enter(&world.simulator).await?);
        client.create_acls(&[loot_acl(world)]).await
    };
    answer(attempt.await, |()| "the simulator gave itself a permission".to_owned())
}

pub(super) async fn describe_users(world: &World) -> Answer {
    let attempt = async {
        let mut client = Admin::over(world.enter(&world.analytics).await?);
        client.scram_users(world.analytics.mechanism, std::slice::from_ref(&world.admin.user)).await
    };
    answer(attempt.await, |_| "analytics listed the users".to_owned())
}

/// Makes a user of its own rather than overwriting a real one: the same permission is needed, and
/// if there is a hole nobody is locked out.
pub(super) async fn take_over_user(world: &World) -> Answer {
    let attempt = async {
        let mut client = Admin::over(world.enter(&world.analytics).await?);
        let password: Secret = world.wrong_password();
        client.set_scram_user(world.analytics.mechanism, &loot(world), &password).await
    };
    answer(attempt.await, |()| format!("analytics made user {}", loot(world)))
}

/// Removes, as the admin, what attackers would have made through a hole. An observer only finds it.
pub(crate) async fn clean_up(world: &World) -> Result<Vec<String>, Error> {
    let mut admin = Admin::over(world.enter(&world.admin).await?);
    if world.observer {
        return look(world, &mut admin).await;
    }
    let mut found = Vec::new();
    if admin.delete_topic(&loot(world)).await? {
        found.push(format!("topic {}", loot(world)));
    }
    if admin.delete_acls(&[loot_acl(world)]).await? > 0 {
        found.push(format!("ACL {}", loot_acl(world)));
    }
    let mechanism = world.admin.mechanism;
    if !admin.scram_users(mechanism, &[loot(world)]).await?.is_empty() {
        admin.delete_scram_user(mechanism, &loot(world)).await?;
        found.push(format!("user {}", loot(world)));
    }
    Ok(found)
}

async fn look(world: &World, observer: &mut Admin) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    if observer.topic(&loot(world)).await?.is_some() {
        found.push(format!("topic {}", loot(world)));
    }
    if observer.acls().await?.contains(&loot_acl(world)) {
        found.push(format!("ACL {}", loot_acl(world)));
    }
    if !observer.scram_users(world.admin.mechanism, &[loot(world)]).await?.is_empty() {
        found.push(format!("user {}", loot(world)));
    }
    Ok(found)
}
