//! `rotate`: new passwords, client certificates or authorities, one user after another, and the services begin anew with
//! them. The operator makes them; nothing secret passes through here, but for the dashboard's token.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::manifests::{ManifestArgs, Manifests};
use crate::object::{Reference, list, text};
use crate::progress::Progress;
use crate::readiness::State;
use crate::token;
use crate::wait::{self, Goal};

/// What `rotate` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct RotateArgs {
    /// What to renew
    #[arg(value_enum, required = true, value_delimiter = ',')]
    what: Vec<What>,
    #[command(flatten)]
    manifests: ManifestArgs,
    /// The longest time, in seconds, for each step
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time_limit: u64,
}

/// What can be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// The users' passwords.
    Passwords,
    /// The users' certificates.
    Clients,
    /// The certificates of both authorities, and with them all that they signed.
    Ca,
    /// The dashboard's token; whoever is logged in has to do it again.
    Token,
}

/// Renews.
///
/// # Errors
/// The operator does not do its part in time, or a service does not come up again.
pub async fn run(cluster: &Cluster, args: &RotateArgs) -> Result<()> {
    let manifests = Manifests::render(&args.manifests)?;
    let (progress, limit) = (Progress::default(), Duration::from_secs(args.time_limit));
    let rotation = Rotation { cluster, manifests: &manifests, progress, limit };
    rotation.everything_is_well().await?;
    for what in &args.what {
        match what {
            What::Passwords => rotation.users("scram-sha-512").await?,
            What::Clients => rotation.users("tls").await?,
            What::Ca => rotation.authorities().await?,
            What::Token => rotation.token().await?,
        }
    }
    Ok(())
}

struct Rotation<'a> {
    cluster: &'a Cluster,
    manifests: &'a Manifests,
    progress: Progress,
    limit: Duration,
}

impl Rotation<'_> {
    /// What is not well is not to be made worse.
    async fn everything_is_well(&self) -> Result<()> {
        for goal in wait::goals(&self.manifests.objects, &self.manifests.namespace) {
            if let State::Waiting(why) | State::Failed(why) = goal.state(self.cluster).await? {
                return Err(Error::Cluster(format!(
                    "{goal} is not ready ({why}), so nothing is renewed: storepulse-deploy status"
                )));
            }
        }
        Ok(())
    }

    /// Users of one kind. The operator makes the Secret of a user anew when it is gone.
    async fn users(&self, kind: &str) -> Result<()> {
        for user in self.manifests.of_kind("KafkaUser") {
            if text(user, "/spec/authentication/type") != kind {
                continue;
            }
            let name = text(user, "/metadata/name");
            let at = self.secret(name);
            let before = self.uid(&at).await?;
            self.cluster.delete(&at).await?;
            self.until(&format!("the operator to make {at} anew"), async || {
                let now = self.uid(&at).await?;
                Ok(!now.is_empty() && now != before)
            })
            .await?;
            let made = Reference::of(user);
            let goals: Vec<Goal> = made.into_iter().map(Goal::Object).collect();
            wait::all(self.cluster, &self.manifests.namespace, &goals, self.limit, &self.progress).await?;
            // Who uses it is restarted before the next: nobody is without a way in for longer than that.
            self.restart(Some(name)).await?;
        }
        Ok(())
    }

    async fn authorities(&self) -> Result<()> {
        let kafka = self.manifests.kafka()?;
        for name in ["clients-ca-cert", "cluster-ca-cert"] {
            let at = self.secret(&format!("{kafka}-{name}"));
            let before = self.certificate(&at).await?;
            let renew = json!({ "metadata": { "annotations": { "strimzi.io/force-renew": "true" } } });
            self.cluster.merge(&at, &renew).await?;
            self.until(&format!("the operator to renew {at}"), async || Ok(self.certificate(&at).await? != before))
                .await?;
            self.progress.done(&format!("{at} is renewed"));
        }
        // Nodes and users get theirs one after another.
        let mut objects = self.manifests.objects.clone();
        objects.retain(|object| ["Kafka", "KafkaNodePool", "KafkaUser"].contains(&text(object, "/kind")));
        let goals = wait::goals(&objects, &self.manifests.namespace);
        wait::all(self.cluster, &self.manifests.namespace, &goals, self.limit, &self.progress).await?;
        self.restart(None).await
    }

    async fn token(&self) -> Result<()> {
        self.cluster.apply(&token::new(&self.manifests.namespace)?, false).await?;
        self.restart(Some(token::SECRET)).await
    }

    /// Restarts the Deployments that use this Secret, or all that are Kafka's clients.
    async fn restart(&self, secret: Option<&str>) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
        let patch =
            json!({ "spec": { "template": { "metadata": { "annotations": { "storepulse.io/restarted-at": now } } } } });
        let mut goals = Vec::new();
        for deployment in self.manifests.of_kind("Deployment").filter(|deployment| uses(deployment, secret)) {
            let Some(at) = Reference::of(deployment) else { continue };
            self.cluster.merge(&at, &patch).await?;
            goals.push(Goal::Object(at));
        }
        wait::all(self.cluster, &self.manifests.namespace, &goals, self.limit, &self.progress).await
    }

    fn secret(&self, name: &str) -> Reference {
        Reference::new("v1", "Secret", &self.manifests.namespace, name)
    }

    async fn uid(&self, at: &Reference) -> Result<String> {
        Ok(self.cluster.get(at).await?.map(|object| text(&object, "/metadata/uid").to_owned()).unwrap_or_default())
    }

    async fn certificate(&self, at: &Reference) -> Result<String> {
        Ok(self.cluster.get(at).await?.map(|object| text(&object, "/data/ca.crt").to_owned()).unwrap_or_default())
    }

    async fn until(&self, what: &str, done: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        while !done().await? {
            if started.elapsed() >= self.limit {
                let why = format!("waited {} s for {what}: is the Strimzi operator running?", self.limit.as_secs());
                return Err(Error::NotReady(why));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }
}

fn uses(deployment: &Value, secret: Option<&str>) -> bool {
    let volumes = list(deployment, "/spec/template/spec/volumes");
    let whole = volumes.iter().map(|volume| text(volume, "/secret/secretName"));
    let sources = volumes.iter().flat_map(|volume| list(volume, "/projected/sources"));
    let mut names = sources.map(|source| text(source, "/secret/name")).chain(whole);
    match secret {
        Some(secret) => names.any(|name| name == secret),
        None => names.any(|name| name.ends_with("-cluster-ca-cert")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_uses_a_secret_is_restarted() {
        let deployment = json!({ "spec": { "template": { "spec": { "volumes": [
            { "name": "tmp", "emptyDir": {} },
            { "name": "key", "secret": { "secretName": "firestore-key" } },
            { "name": "kafka", "projected": { "sources": [
                { "secret": { "name": "analytics" } }, { "secret": { "name": "storepulse-cluster-ca-cert" } } ] } },
        ] } } } });
        assert!(uses(&deployment, Some("analytics")) && uses(&deployment, None));
        assert!(uses(&deployment, Some("firestore-key")));
        assert!(!uses(&deployment, Some("simulator")));
        assert!(!uses(&json!({}), None));
    }
}
