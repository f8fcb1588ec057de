//! The cluster: which one, and the few things that are asked of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, ValidationDirective};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::discovery::Scope;
use kube::{Client, Config};
use serde_json::Value;

use crate::error::{Error, Result, chain};
use crate::object::Reference;

/// Who we are to server-side apply: fields that others set stay theirs.
pub const FIELD_MANAGER: &str = "storepulse-deploy";
/// How long a connection, and an answer, may take.
const PATIENCE: Duration = Duration::from_secs(15);

type Kinds = HashMap<(String, String), Option<(ApiResource, Scope)>>;

/// A connection to one cluster.
pub struct Cluster {
    client: Client,
    context: String,
    server: String,
    kinds: Mutex<Kinds>,
}

impl Cluster {
    /// Connects by the kubeconfig (`KUBECONFIG`, `~/.kube/config`, or from within a pod), and asks for the version.
    ///
    /// # Errors
    /// No kubeconfig, no such context, or nobody answers.
    pub async fn connect(context: Option<&str>) -> Result<Self> {
        let (mut config, context) = config(context).await?;
        config.connect_timeout = Some(PATIENCE);
        config.read_timeout = Some(Duration::from_secs(60));
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config)
            .map_err(|error| Error::Cluster(format!("context {context} can't be used: {}", chain(&error))))?;
        let cluster = Self { client, context, server, kinds: Mutex::default() };
        cluster.client.apiserver_version().await.map_err(|error| match error {
            kube::Error::Api(status) => Error::Cluster(format!(
                "the cluster of context {} does not let you in: {}; log in again, or choose another with --context",
                cluster.context, status.message
            )),
            other => Error::Cluster(format!(
                "no cluster answers at {} (context {}): {}; is it running? `scripts/k8s-start.sh --create kind` makes one",
                cluster.server,
                cluster.context,
                chain(&other)
            )),
        })?;
        Ok(cluster)
    }

    /// The context's name.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The API server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether the cluster has such a kind.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn serves(&self, api_version: &str, kind: &str) -> Result<bool> {
        Ok(self.resource(api_version, kind).await?.is_some())
    }

    /// The versions of an API group that the cluster has, or none.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn versions(&self, group: &str) -> Result<Vec<String>> {
        let groups =
            self.client.list_api_groups().await.map_err(|error| Error::from_kube("list the kinds of API", &error))?;
        let found = groups.groups.into_iter().find(|found| found.name == group);
        Ok(found.map(|group| group.versions.into_iter().map(|version| version.version).collect()).unwrap_or_default())
    }

    async fn resource(&self, api_version: &str, kind: &str) -> Result<Option<(ApiResource, Scope)>> {
        let key = (api_version.to_owned(), kind.to_owned());
        let known = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(Some(known)) = known {
            return Ok(Some(known));
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let found = match kube::discovery::pinned_kind(&self.client, &gvk).await {
            Ok((resource, capabilities)) => Some((resource, capabilities.scope)),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(kube::Error::Discovery(_)) => None,
            Err(error) => return Err(Error::from_kube(format!("look up {kind} of {api_version}"), &error)),
        };
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
        Ok(found)
    }

    async fn api(&self, at: &Reference) -> Result<Api<DynamicObject>> {
        let Some((resource, scope)) = self.resource(&at.api_version, &at.kind).await? else {
            return Err(Error::Cluster(format!("the cluster has no {} of {}", at.kind, at.api_version)));
        };
        Ok(match scope {
            Scope::Namespaced if at.namespace.is_empty() => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => Api::namespaced_with(self.client.clone(), &at.namespace, &resource),
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
        })
    }

    /// An object, or nothing when there is none (or no such kind).
    ///
    /// # Errors
    /// The API server refuses or does not answer.
    pub async fn get(&self, at: &Reference) -> Result<Option<Value>> {
        if self.resource(&at.api_version, &at.kind).await?.is_none() {
            return Ok(None);
        }
        let found = self.api(at).await?.get_opt(&at.name).await;
        found.map_err(|error| Error::from_kube(format!("read {at}"), &error))?.map(|found| json(&found)).transpose()
    }

    /// All objects of a kind that a label selector chooses; none when there is no such kind.
    ///
    /// # Errors
    /// The API server refuses or does not answer.
    pub async fn list(&self, api_version: &str, kind: &str, namespace: &str, selector: &str) -> Result<Vec<Value>> {
        if self.resource(api_version, kind).await?.is_none() {
            return Ok(Vec::new());
        }
        let all = self.api(&Reference::new(api_version, kind, namespace, "")).await?;
        let found = all.list(&ListParams::default().labels(selector)).await;
        let found = found.map_err(|error| Error::from_kube(format!("list {kind}s"), &error))?;
        let typed = |object: &DynamicObject| {
            let mut object = json(object)?;
            object["apiVersion"] = api_version.into();
            object["kind"] = kind.into();
            Ok(object)
        };
        found.items.iter().map(typed).collect()
    }

    /// Server-side apply, strictly: unknown fields are refused. Says what the object is now; with `dry_run`, what it
    /// would be.
    ///
    /// # Errors
    /// The API server refuses or does not answer.
    pub async fn apply(&self, object: &Value, dry_run: bool) -> Result<Value> {
        let at = Reference::of(object).ok_or_else(|| Error::Setting("a manifest has no kind or no name".to_owned()))?;
        let mut how = PatchParams::apply(FIELD_MANAGER).force();
        how.dry_run = dry_run;
        how.field_validation = Some(ValidationDirective::Strict);
        let applied = self.api(&at).await?.patch(&at.name, &how, &Patch::Apply(object)).await;
        json(&applied.map_err(|error| Error::from_kube(format!("apply {at}"), &error))?)
    }

    /// A merge patch, by a field manager of its own, so that the next apply leaves it.
    ///
    /// # Errors
    /// The API server refuses or does not answer.
    pub async fn merge(&self, at: &Reference, patch: &Value) -> Result<()> {
        let how = PatchParams { field_manager: Some(format!("{FIELD_MANAGER}-rotate")), ..PatchParams::default() };
        let patched = self.api(at).await?.patch(&at.name, &how, &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| Error::from_kube(format!("change {at}"), &error))
    }

    /// Makes an object that is not there yet.
    ///
    /// # Errors
    /// The API server refuses or does not answer.
    pub async fn create(&self, object: &Value) -> Result<Value> {
        let at = Reference::of(object).ok_or_else(|| Error::Setting("an object has no kind or no name".to_owned()))?;
        let object = serde_json::from_value(object.clone())
            .map_err(|error| Error::Setting(format!("{at} is not an object: {error}")))?;
        let made = self.api(&at).await?.create(&PostParams::default(), &object).await;
        json(&made.map_err(|error| Error::from_kube(format!("make {at}"), &error))?)
    }

    /// Deletes an object and what it owns. Says false when there was none.
    ///
    /// # Errors
    /// The API server refuses or does not answer.
    pub async fn delete(&self, at: &Reference) -> Result<bool> {
        if self.resource(&at.api_version, &at.kind).await?.is_none() {
            return Ok(false);
        }
        match self.api(at).await?.delete(&at.name, &DeleteParams::background()).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(Error::from_kube(format!("delete {at}"), &error)),
        }
    }

    /// What the only container of a pod has written; `lines` from the end, or all.
    ///
    /// # Errors
    /// The API server refuses or does not answer.
    pub async fn logs(&self, namespace: &str, pod: &str, lines: Option<i64>) -> Result<String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let how = LogParams { tail_lines: lines, ..LogParams::default() };
        pods.logs(pod, &how).await.map_err(|error| Error::from_kube(format!("read the log of {pod}"), &error))
    }
}

fn json(object: &DynamicObject) -> Result<Value> {
    serde_json::to_value(object).map_err(|error| Error::Cluster(format!("the API server's answer: {error}")))
}

async fn config(context: Option<&str>) -> Result<(Config, String)> {
    let read = match Kubeconfig::read() {
        Ok(read) => read,
        Err(error) if context.is_none() => {
            return Config::incluster().map(|config| (config, "in-cluster".to_owned())).map_err(|_| {
                Error::Setting(format!(
                    "no cluster is configured: {}; set KUBECONFIG, or `scripts/k8s-start.sh --create kind` makes one",
                    chain(&error)
                ))
            });
        }
        Err(error) => return Err(Error::Setting(format!("the kubeconfig can't be read: {}", chain(&error)))),
    };
    let name = context.map(str::to_owned).or_else(|| read.current_context.clone()).unwrap_or_default();
    if !read.contexts.iter().any(|found| found.name == name) {
        let known: Vec<_> = read.contexts.iter().map(|found| found.name.as_str()).collect();
        return Err(Error::Setting(format!(
            "--context is {name:?}, which the kubeconfig does not have: it has {}",
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        )));
    }
    let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(read, &options).await;
    config
        .map(|config| (config, name.clone()))
        .map_err(|error| Error::Setting(format!("context {name}: {}", chain(&error))))
}

/// Whether a context's name says that people depend on what runs there.
pub fn looks_like_production(context: &str) -> bool {
    let mut words = context.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase);
    words.any(|word| matches!(word.as_str(), "prod" | "production" | "prd" | "live"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_of_production_is_told_by_a_word_of_its_name() {
        for (context, is) in [
            ("gke_shop-prod_europe-west1_main", true),
            ("Production", true),
            ("live.example.org", true),
            ("kind-storepulse", false),
            ("reproduction", false),
            ("minikube", false),
        ] {
            assert_eq!(looks_like_production(context), is, "{context}");
        }
    }
}
