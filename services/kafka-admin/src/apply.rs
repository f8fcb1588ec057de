//! Bringing about a plan, and telling how far a cluster is from it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::admin::{AclBinding, Admin, ClusterInfo, TopicInfo};
use crate::connection::{ConnectOptions, Connection};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::plan::{Passwords, Plan, TopicPlan};
use crate::report::{Outcome, Report};
use crate::sasl::Credentials;
use crate::scram::Mechanism;
use crate::secret::Secret;
use crate::settings::Settings;

/// Pause before trying again.
const PAUSE: Duration = Duration::from_millis(100);
/// The users' mechanism.
const MECHANISM: Mechanism = Mechanism::Sha256;

/// How to reach the cluster as its administrator.
#[derive(Clone)]
pub struct AdminConnectConfig {
    /// Brokers, tried in order.
    pub brokers: Vec<Endpoint>,
    /// TLS, the administrator's credentials, the time limit of each step.
    pub options: ConnectOptions,
    /// How long to go on trying while the cluster isn't ready (electing, starting).
    pub patience: Duration,
}

impl AdminConnectConfig {
    /// From a client's settings.
    ///
    /// # Errors
    /// A certificate or key file can't be used.
    pub fn new(settings: &Settings, patience: Duration) -> Result<Self> {
        let options = settings.connect_options("storepulse-kafka-admin", Duration::from_secs(10))?;
        Ok(Self { brokers: settings.brokers.clone(), options, patience })
    }
}

/// Makes topics, users and ACLs as planned; what is right already stays. Returns when every topic
/// has its leaders, every user can log in and the ACLs are in force on the broker spoken to.
///
/// # Errors
/// The cluster refuses, stays unready for longer than the patience, or has a topic of another
/// number of partitions or copies. What was done until then stays; a second call goes on from there.
pub async fn apply(config: &AdminConnectConfig, plan: &Plan, passwords: &Passwords) -> Result<Report> {
    let deadline = Instant::now() + config.patience;
    let mut report = Report::default();
    loop {
        match apply_once(config, plan, passwords, deadline, &mut report).await {
            Ok(()) => return Ok(report),
            Err(error) if error.is_retriable() && Instant::now() < deadline => sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
    }
}

async fn apply_once(
    config: &AdminConnectConfig,
    plan: &Plan,
    passwords: &Passwords,
    deadline: Instant,
    report: &mut Report,
) -> Result<()> {
    let mut admin = Admin::connect(&config.brokers, &config.options).await?;
    for topic in &plan.topics {
        apply_topic(&mut admin, topic, deadline, report).await?;
    }
    apply_acls(&mut admin, plan, deadline, report).await?;

    let existing = admin.scram_users(MECHANISM, &plan.users).await?;
    for user in &plan.users {
        let password =
            passwords.get(user).ok_or_else(|| Error::Config(format!("no password for user {user} was given")))?;
        let login = login_options(config, user, password);
        let known = existing.contains(user);
        let outcome = if known && logs_in(&config.brokers, &login).await? {
            Outcome::Kept
        } else {
            admin.set_scram_user(MECHANISM, user, password).await?;
            while !logs_in(&config.brokers, &login).await? {
                wait(deadline, admin.connection.peer(), "a new user to be able to log in").await?;
            }
            if known { Outcome::Changed } else { Outcome::Created }
        };
        let detail = if outcome == Outcome::Changed { "another password" } else { "" };
        report.record("user", user, outcome, detail.to_owned());
    }
    Ok(())
}

async fn apply_topic(admin: &mut Admin, plan: &TopicPlan, deadline: Instant, report: &mut Report) -> Result<()> {
    let mut outcome = Outcome::Kept;
    let mut detail = format!("{} partitions, {} copies", plan.partitions, plan.replication);
    if admin.topic(&plan.name).await?.is_none() && admin.create_topic(plan).await? {
        outcome = Outcome::Created;
    }
    // A broker learns of a topic, and of its leaders, a moment after the controller.
    let info = loop {
        match admin.topic(&plan.name).await? {
            Some(info) if info.is_led() => break info,
            _ => wait(deadline, admin.connection.peer(), "the leaders of a topic").await?,
        }
    };
    check_shape(&info, plan)?;
    if outcome == Outcome::Kept {
        let differing = differing(plan, &admin.topic_configs(&plan.name).await?);
        if !differing.is_empty() {
            admin.set_topic_configs(&plan.name, &differing).await?;
            outcome = Outcome::Changed;
            let list: Vec<_> = differing.iter().map(|(key, value)| format!("{key}={value}")).collect();
            detail = list.join(", ");
        }
    }
    report.record("topic", &plan.name, outcome, detail);
    Ok(())
}

async fn apply_acls(admin: &mut Admin, plan: &Plan, deadline: Instant, report: &mut Report) -> Result<()> {
    let existing = admin.acls().await?;
    let missing: Vec<_> = plan.acls.iter().filter(|acl| !existing.contains(acl)).cloned().collect();
    admin.create_acls(&missing).await?;
    for acl in &plan.acls {
        let outcome = if missing.contains(acl) { Outcome::Created } else { Outcome::Kept };
        report.record("acl", &acl.to_string(), outcome, String::new());
    }
    report.unplanned = unplanned(plan, &existing);
    // In force on this broker once it lists them.
    while !missing.is_empty() {
        let now = admin.acls().await?;
        if missing.iter().all(|acl| now.contains(acl)) {
            break;
        }
        wait(deadline, admin.connection.peer(), "new ACLs to be in force").await?;
    }
    Ok(())
}

async fn wait(deadline: Instant, to: &str, action: &'static str) -> Result<()> {
    if Instant::now() >= deadline {
        return Err(Error::Timeout { to: to.to_owned(), action, limit: Duration::ZERO });
    }
    sleep(PAUSE / 2).await;
    Ok(())
}

/// The administrator's certificate with a user's password: Kafka doesn't bind the two together.
fn login_options(config: &AdminConnectConfig, user: &str, password: &Secret) -> ConnectOptions {
    let credentials = Credentials::Scram(MECHANISM, user.to_owned(), password.clone());
    ConnectOptions { credentials: Some(credentials), ..config.options.clone() }
}

async fn logs_in(brokers: &[Endpoint], options: &ConnectOptions) -> Result<bool> {
    let mut last = Error::Config("the list of brokers is empty".to_owned());
    let mut reached = false;
    // Every broker checks credentials on its own copy of the metadata.
    for broker in brokers {
        match Connection::open(broker, options).await {
            Ok(_) => reached = true,
            Err(Error::SaslAuthenticationFailed { .. }) => return Ok(false),
            Err(error) if error.is_retriable() => last = error,
            Err(error) => return Err(error),
        }
    }
    if reached { Ok(true) } else { Err(last) }
}

fn check_shape(info: &TopicInfo, plan: &TopicPlan) -> Result<()> {
    let shape = |partitions: usize, copies: usize| format!("{partitions} partitions of {copies} copies");
    let found = shape(info.leaders.len(), info.replication);
    let planned = shape(
        usize::try_from(plan.partitions).unwrap_or_default(),
        usize::try_from(plan.replication).unwrap_or_default(),
    );
    if found == planned { Ok(()) } else { Err(Error::TopicShape { topic: plan.name.clone(), found, planned }) }
}

fn differing(plan: &TopicPlan, found: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let differs = |(key, value): &(&String, &String)| found.get(*key) != Some(value);
    plan.configs.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn unplanned(plan: &Plan, existing: &[AclBinding]) -> Vec<String> {
    let ours = |acl: &&AclBinding| plan.acls.iter().any(|planned| planned.principal == acl.principal);
    existing.iter().filter(ours).filter(|acl| !plan.acls.contains(acl)).map(ToString::to_string).collect()
}

/// How a cluster compares with a plan. Displays as a table.
#[derive(Debug, Clone)]
pub struct Drift {
    /// The cluster.
    pub cluster: ClusterInfo,
    /// The plan's topics as they are.
    pub topics: Vec<TopicInfo>,
    /// Number of ACLs as planned.
    pub acls: usize,
    /// The plan's users that exist.
    pub users: Vec<String>,
    /// What is missing or differs, a line each; empty when all is as planned.
    pub problems: Vec<String>,
    /// ACLs of the plan's users beyond the plan.
    pub unplanned: Vec<String>,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cluster  {}", self.cluster.id)?;
        for (id, endpoint) in &self.cluster.brokers {
            writeln!(f, "broker   {id}  {endpoint}")?;
        }
        for topic in &self.topics {
            let TopicInfo { name, leaders, replication, in_sync, .. } = topic;
            writeln!(
                f,
                "topic    {name}  {} partitions, {replication} copies, at least {in_sync} in step",
                leaders.len()
            )?;
        }
        for user in &self.users {
            writeln!(f, "user     {user}")?;
        }
        writeln!(f, "acls     {} as planned", self.acls)?;
        for acl in &self.unplanned {
            writeln!(f, "warning: not in the plan: {acl}")?;
        }
        for problem in &self.problems {
            writeln!(f, "PROBLEM: {problem}")?;
        }
        Ok(())
    }
}

/// Compares the cluster with the plan and changes nothing.
///
/// # Errors
/// The cluster can't be reached or refuses.
pub async fn status(config: &AdminConnectConfig, plan: &Plan) -> Result<Drift> {
    let mut admin = Admin::connect(&config.brokers, &config.options).await?;
    let mut problems = Vec::new();
    let cluster = admin.describe_cluster().await?;
    let mut topics = Vec::new();
    for topic in &plan.topics {
        let Some(info) = admin.topic(&topic.name).await? else {
            problems.push(format!("topic {} is missing", topic.name));
            continue;
        };
        if let Err(error) = check_shape(&info, topic) {
            problems.push(error.to_string());
        }
        if !info.is_led() {
            problems.push(format!("topic {} has a partition without a leader", topic.name));
        } else if info.in_sync < info.replication {
            problems.push(format!("topic {} has copies that are behind", topic.name));
        }
        for (key, value) in differing(topic, &admin.topic_configs(&topic.name).await?) {
            problems.push(format!("topic {} should have {key}={value}", topic.name));
        }
        topics.push(info);
    }
    let users = admin.scram_users(MECHANISM, &plan.users).await?;
    problems
        .extend(plan.users.iter().filter(|user| !users.contains(*user)).map(|user| format!("user {user} is missing")));
    let existing = admin.acls().await?;
    let missing: Vec<_> = plan.acls.iter().filter(|acl| !existing.contains(acl)).collect();
    problems.extend(missing.iter().map(|acl| format!("ACL missing: {acl}")));
    Ok(Drift {
        cluster,
        topics,
        acls: plan.acls.len() - missing.len(),
        users: users.into_iter().collect(),
        problems,
        unplanned: unplanned(plan, &existing),
    })
}
