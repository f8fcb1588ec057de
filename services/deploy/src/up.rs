//! `up`: applies the manifests and waits until everything works. Can be run again at any point and goes on from there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::ask::confirm;
use crate::cluster::{Cluster, FIELD_MANAGER, looks_like_production};
use crate::error::{Error, Result};
use crate::manifests::{ManifestArgs, Manifests};
use crate::object::{Reference, list, text};
use crate::progress::Progress;
use crate::{token, wait};

/// The API of Strimzi that the manifests are written for.
const STRIMZI: (&str, &str) = ("kafka.strimzi.io", "v1");
/// The Secret of the component `firestore-key`.
const KEY_SECRET: &str = "firestore-key";
const KEY_FILE: &str = "serviceAccountKey.json";
/// What is removed when the manifests no longer have it. Never Kafka's own kinds: their data goes with them.
const PRUNED: [(&str, &str); 8] = [
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "ConfigMap"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("keda.sh/v1alpha1", "ScaledObject"),
];

/// What `up` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct UpArgs {
    #[command(flatten)]
    pub(crate) manifests: ManifestArgs,
    /// The longest time, in seconds, to wait until everything is ready
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) time_limit: u64,
    /// Key of the service account that writes to Firestore, with --with firestore-key (JSON) [default: secret/serviceAccountKey.json]
    #[arg(long)]
    pub(crate) service_account_key: Option<PathBuf>,
    /// Ask nothing
    #[arg(long)]
    pub(crate) yes: bool,
    /// Say what would be done, and let the API server check it, but change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Brings everything up.
///
/// # Errors
/// A setting that can't work, a cluster that lacks something, or something that does not become ready.
pub async fn run(cluster: &Cluster, args: &UpArgs) -> Result<()> {
    let progress = Progress::default();
    let manifests = Manifests::render(&args.manifests)?;
    let namespace = manifests.namespace.as_str();
    check(cluster, &manifests).await?;
    if looks_like_production(cluster.context()) && args.manifests.overlay != "production" {
        let (context, overlay) = (cluster.context(), &args.manifests.overlay);
        confirm(&format!("context {context} looks like production, and the overlay is {overlay}"), context, args.yes)?;
    }
    let key = key_secret(cluster, args, &manifests).await?;
    progress.done(&format!("{} objects for namespace {namespace} at {}", manifests.objects.len(), cluster.server()));

    // Everything is checked by the server before anything is changed; that needs the namespace.
    let at = Reference::new("v1", "Namespace", "", namespace);
    let is_new = cluster.get(&at).await?.is_none();
    for object in manifests.objects.iter().filter(|object| !is_new || text(object, "/kind") == "Namespace") {
        cluster.apply(object, true).await?;
    }
    if args.dry_run {
        let rest = if is_new {
            "the namespace is not there yet, so the rest could not be checked"
        } else {
            "nothing was changed"
        };
        progress.done(&format!("the API server accepts them; {rest}"));
        return Ok(());
    }
    for object in manifests.objects.iter().filter(|object| text(object, "/kind") == "Namespace").chain(&key) {
        cluster.apply(object, false).await?;
    }
    if let Some(secret) = token::missing(cluster, &manifests).await? {
        cluster.apply(&secret, false).await?;
        progress.done("made a token for the dashboard");
    }
    for object in manifests.objects.iter().filter(|object| text(object, "/kind") != "Namespace") {
        cluster.apply(object, false).await?;
    }
    progress.done("applied");
    for gone in prune(cluster, &manifests).await? {
        progress.done(&format!("removed {gone}, which the manifests no longer have"));
    }
    let goals = wait::goals(&manifests.objects, namespace);
    wait::all(cluster, namespace, &goals, Duration::from_secs(args.time_limit), &progress).await?;
    let look = token::how_to_look(&manifests).map(|how| format!("{how}\n")).unwrap_or_default();
    eprintln!(
        "\nEverything is ready.\n{look}Look on with: storepulse-deploy status\nProve that nobody gets in: storepulse-deploy verify"
    );
    Ok(())
}

/// Refuses a cluster on which the manifests can't work.
async fn check(cluster: &Cluster, manifests: &Manifests) -> Result<()> {
    let (group, version) = STRIMZI;
    let versions = cluster.versions(group).await?;
    if versions.is_empty() {
        return Err(Error::Cluster(format!(
            "the cluster of context {} has no Strimzi (no API {group}): `scripts/k8s-start.sh` installs it",
            cluster.context()
        )));
    }
    if !versions.iter().any(|found| found == version) {
        return Err(Error::Cluster(format!(
            "the cluster's Strimzi is too old: it has {group}/{}, and needed is {version} (Strimzi 1.0 or newer)",
            versions.join(", ")
        )));
    }
    let mut checked = BTreeSet::new();
    for at in manifests.references() {
        if checked.insert((at.api_version.clone(), at.kind.clone()))
            && !cluster.serves(&at.api_version, &at.kind).await?
        {
            let who = match at.api_version.split('/').next() {
                Some("keda.sh") => "install KEDA, or leave out --with keda",
                Some("monitoring.coreos.com") => "install the Prometheus operator, or leave out --with monitoring",
                Some("kafka.strimzi.io") => "install all CRDs of Strimzi's release: scripts/k8s-start.sh",
                _ => "use a newer Kubernetes (1.30)",
            };
            return Err(Error::Cluster(format!("the cluster has no {} of {}: {who}", at.kind, at.api_version)));
        }
    }
    Ok(())
}

/// The Secret with the key of the service account, where the manifests want one.
async fn key_secret(cluster: &Cluster, args: &UpArgs, manifests: &Manifests) -> Result<Option<Value>> {
    if !manifests.mounts_secret(KEY_SECRET) {
        return match &args.service_account_key {
            Some(path) => Err(Error::Setting(format!(
                "--service-account-key is {}, but nothing uses a key: add --with firestore-key",
                path.display()
            ))),
            None => Ok(None),
        };
    }
    let default = Path::new("secret/serviceAccountKey.json");
    let path = args.service_account_key.as_deref().unwrap_or(default);
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let at = Reference::new("v1", "Secret", &manifests.namespace, KEY_SECRET);
            if args.service_account_key.is_none() && cluster.get(&at).await?.is_some() {
                return Ok(None);
            }
            return Err(Error::Setting(format!(
                "{} can't be read: {error}; save the key of the service account there, or name it with --service-account-key",
                path.display()
            )));
        }
    };
    // Not serde's own words: they might quote the key.
    let kind = serde_json::from_slice::<Value>(&bytes).map(|json| text(&json, "/type").to_owned()).unwrap_or_default();
    if kind != "service_account" {
        return Err(Error::Setting(format!(
            "{} is not the key of a service account (JSON of type service_account)",
            path.display()
        )));
    }
    let data = base64::engine::general_purpose::STANDARD.encode(bytes);
    Ok(Some(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": KEY_SECRET, "namespace": manifests.namespace,
                      "labels": { "app.kubernetes.io/part-of": "storepulse" } },
        "data": { KEY_FILE: data },
    })))
}

/// Removes what an earlier `up` applied and the manifests no longer have.
async fn prune(cluster: &Cluster, manifests: &Manifests) -> Result<Vec<Reference>> {
    let wanted: BTreeSet<Reference> = manifests.references().into_iter().collect();
    let mut removed = Vec::new();
    for (api_version, kind) in PRUNED {
        for object in
            cluster.list(api_version, kind, &manifests.namespace, "app.kubernetes.io/part-of=storepulse").await?
        {
            let Some(at) = Reference::of(&object) else { continue };
            let managers = list(&object, "/metadata/managedFields");
            let ours = managers
                .iter()
                .any(|entry| text(entry, "/manager") == FIELD_MANAGER && text(entry, "/operation") == "Apply");
            if ours && !wanted.contains(&at) && cluster.delete(&at).await? {
                removed.push(at);
            }
        }
    }
    Ok(removed)
}
