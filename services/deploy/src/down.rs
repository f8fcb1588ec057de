//! `down`: stops the services; with `--delete-data`, after asking, removes Kafka and all that is in it.

use std::time::Duration;

use crate::ask::confirm;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::manifests::{ManifestArgs, Manifests};
use crate::object::{Reference, text};
use crate::progress::Progress;
use crate::{audit, token, wait};

/// What `down` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct DownArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// Remove Kafka, too, with its topics, users and volumes: no event can be had back
    #[arg(long)]
    delete_data: bool,
    /// Ask nothing
    #[arg(long)]
    yes: bool,
    /// The longest time, in seconds, to wait for each thing to go
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    time_limit: u64,
}

/// Kinds that hold data, in the order in which they can go: the operator must be there to let go of topics and users, and
/// Kafka must be there for the operator.
const DATA: [&str; 4] = ["KafkaTopic", "KafkaUser", "Kafka", "KafkaNodePool"];

/// Takes it down.
///
/// # Errors
/// It was not confirmed, or something does not go away.
pub async fn run(cluster: &Cluster, args: &DownArgs) -> Result<()> {
    let manifests = Manifests::render(&args.manifests)?;
    let namespace = manifests.namespace.as_str();
    if cluster.get(&Reference::new("v1", "Namespace", "", namespace)).await?.is_none() {
        eprintln!("There is no namespace {namespace} in context {}: nothing to do.", cluster.context());
        return Ok(());
    }
    if args.delete_data {
        let question = format!(
            "Kafka in namespace {namespace} of context {} is about to be deleted, with every event, user and volume; \
             documents in Firestore stay, but can't be brought up to date again",
            cluster.context()
        );
        confirm(&question, namespace, args.yes)?;
    }
    let (progress, limit) = (Progress::default(), Duration::from_secs(args.time_limit));
    let at = |kind: &'static str| manifests.of_kind(kind).filter_map(Reference::of);
    // Writers first, so that what they have under way is drained by those that remain.
    let mut services: Vec<Reference> = at("ScaledObject").chain(at("HorizontalPodAutoscaler")).collect();
    services.extend(at("Deployment"));
    remove(cluster, &services, limit, &progress).await?;
    if !args.delete_data {
        eprintln!(
            "\nThe services are stopped. Kafka and its data stay: `storepulse-deploy up` goes on from there, and\n\
             `storepulse-deploy down --delete-data` removes them."
        );
        return Ok(());
    }
    for kind in DATA {
        remove(cluster, &at(kind).collect::<Vec<_>>(), limit, &progress).await?;
    }
    let kafka = manifests.kafka()?;
    let selector = format!("strimzi.io/cluster={kafka}");
    let claims = cluster.list("v1", "PersistentVolumeClaim", namespace, &selector).await?;
    remove(cluster, &claims.iter().filter_map(Reference::of).collect::<Vec<_>>(), limit, &progress).await?;
    let rest = manifests.objects.iter().filter(|object| {
        let kind = text(object, "/kind");
        kind != "Namespace" && kind != "Deployment" && !DATA.contains(&kind)
    });
    let mut rest: Vec<Reference> = rest.filter_map(Reference::of).collect();
    rest.push(Reference::new("v1", "Secret", namespace, "firestore-key"));
    rest.push(token::reference(namespace));
    rest.push(audit::reference(namespace));
    // Last what protects the others.
    rest.sort_by_key(|at| at.kind == "NetworkPolicy");
    remove(cluster, &rest, limit, &progress).await?;
    eprintln!(
        "\nAll is removed but the namespace {namespace}, in which the Strimzi operator may be: scripts/k8s-stop.sh removes both."
    );
    Ok(())
}

async fn remove(cluster: &Cluster, all: &[Reference], limit: Duration, progress: &Progress) -> Result<()> {
    let mut going = Vec::new();
    for at in all {
        if cluster.delete(at).await? {
            going.push(at);
        }
    }
    for at in going {
        if !wait::gone(cluster, at, limit).await? {
            let finalizers = cluster.get(at).await?;
            let finalizers = finalizers.as_ref().and_then(|object| object.pointer("/metadata/finalizers"));
            let why = match finalizers {
                Some(names) => format!("it waits for {names}: is the Strimzi operator running?"),
                None => "its pods may still be ending".to_owned(),
            };
            return Err(Error::NotReady(format!("{at} is still there after {} s: {why}", limit.as_secs())));
        }
        progress.done(&format!("{at} is gone"));
    }
    Ok(())
}
