//! Topics, users and ACLs: `storepulse-kafka-admin` does it all over one connection.

use std::time::Duration;

use storepulse_kafka_admin::{AdminConnectConfig, Outcome, Passwords, Plan, Secret, Settings};

use crate::env_files::environment;
use crate::error::{Error, Result};
use crate::paths::Paths;
use crate::security::{ADMIN, Security};
use crate::state::State;

/// The nodes serve when this begins; electing leaders takes a moment more.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes what the services need. Returns a few words on what was made.
pub(crate) async fn apply(paths: &Paths, state: &State, security: &Security) -> Result<String> {
    apply_plan(paths, state, security).await.map_err(|error| Error::Admin(error.to_string()))
}

async fn apply_plan(paths: &Paths, state: &State, security: &Security) -> storepulse_kafka_admin::Result<String> {
    let environment = environment(ADMIN, paths, state, security);
    let settings = Settings::from_lookup(|name| {
        environment.iter().find_map(|(variable, value)| (*variable == name).then(|| value.clone()))
    })?;
    let config = AdminConnectConfig::new(&settings, PATIENCE)?;
    let plan = Plan::with_replication(i16::try_from(state.nodes.len()).unwrap_or(1));
    let mut passwords = Passwords::default();
    for user in &plan.users {
        passwords.insert(user, Secret::new(security.password(user)));
    }
    let report = storepulse_kafka_admin::apply(&config, &plan, &passwords).await?;
    let made = |kind| report.count(kind, Outcome::Created) + report.count(kind, Outcome::Changed);
    Ok(format!("made {} topics, {} users, {} permissions", made("topic"), made("user"), made("acl")))
}
