//! `audit`: compares every document with the topics, inside the cluster, as the auditor.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::error::Result;
use crate::job::{Job, container_of, papers, unique};
use crate::manifests::{ManifestArgs, Manifests};
use crate::object::{list, text};

/// What `audit` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct AuditArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// The longest time, in seconds, that it may take
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time_limit: u64,
}

/// Runs the audit; says whether there is no difference.
///
/// # Errors
/// It could not be run.
pub async fn run(cluster: &Cluster, args: &AuditArgs) -> Result<bool> {
    let manifests = Manifests::render(&args.manifests)?;
    let namespace = manifests.namespace.as_str();
    let analytics = container_of(cluster, namespace, "analytics").await?;
    // The service's own settings, as another principal.
    let mut env: Vec<Value> = list(&analytics, "/env").to_vec();
    env.retain(|variable| text(variable, "/name") != "KAFKA_SASL_USERNAME");
    env.push(json!({ "name": "KAFKA_SASL_USERNAME", "value": "auditor" }));
    let mut volumes =
        vec![("kafka".to_owned(), "/run/secrets/kafka".to_owned(), papers("auditor", &manifests.kafka()?))];
    if env.iter().any(|variable| text(variable, "/name") == "GOOGLE_APPLICATION_CREDENTIALS") {
        let key = json!({ "secret": { "secretName": "firestore-key", "defaultMode": 0o440 } });
        volumes.push(("firestore-key".to_owned(), "/run/secrets/firestore".to_owned(), key));
    }
    let job = Job {
        name: unique("audit")?,
        namespace,
        image: text(&analytics, "/image"),
        labels: json!({ "storepulse.io/kafka-client": "true", "storepulse.io/store-client": "true" }),
        command: ["/usr/local/bin/storepulse-analytics", "audit"].map(str::to_owned).to_vec(),
        environment: json!({ "env": env, "envFrom": list(&analytics, "/envFrom") }),
        volumes,
        limit: Duration::from_secs(args.time_limit),
    };
    let ended = job.run(cluster).await?;
    print!("{}", ended.log);
    Ok(ended.code == 0)
}
