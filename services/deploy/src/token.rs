//! The dashboard's token: a Secret that is made here, because nobody else would.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::manifests::Manifests;
use crate::object::Reference;

/// The Secret.
pub const SECRET: &str = "dashboard-token";
/// Its only key.
const KEY: &str = "token";
/// The Deployment and its Service.
const DASHBOARD: &str = "dashboard";
const PORT: u16 = 8800;

/// The Secret to apply, where the manifests want one and it is not there. One that is there stays.
///
/// # Errors
/// The API server refuses or does not answer.
pub async fn missing(cluster: &Cluster, manifests: &Manifests) -> Result<Option<Value>> {
    if !manifests.mounts_secret(SECRET) || cluster.get(&reference(&manifests.namespace)).await?.is_some() {
        return Ok(None);
    }
    Ok(Some(new(&manifests.namespace)?))
}

/// A Secret with a new token.
///
/// # Errors
/// The system has no random numbers.
pub fn new(namespace: &str) -> Result<Value> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::Cluster(format!("no random numbers: {error}")))?;
    Ok(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": SECRET, "namespace": namespace,
                      "labels": { "app.kubernetes.io/part-of": "storepulse" } },
        "data": { KEY: STANDARD.encode(URL_SAFE_NO_PAD.encode(bytes)) },
    }))
}

/// The Secret's name.
pub fn reference(namespace: &str) -> Reference {
    Reference::new("v1", "Secret", namespace, SECRET)
}

/// How to look at the page; nothing where the manifests have no dashboard.
pub fn how_to_look(manifests: &Manifests) -> Option<String> {
    manifests.mounts_secret(SECRET).then(|| {
        let namespace = &manifests.namespace;
        format!(
            "Look at the shop: kubectl -n {namespace} port-forward service/{DASHBOARD} {PORT}, then http://localhost:{PORT}\n\
             Its token:        kubectl -n {namespace} get secret {SECRET} -o go-template='{{{{.data.{KEY} | base64decode}}}}'"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::text;

    #[test]
    fn each_token_is_another_and_one_that_the_dashboard_takes() {
        let token = || {
            let secret = new("shop").unwrap();
            assert_eq!(text(&secret, "/metadata/namespace"), "shop");
            String::from_utf8(STANDARD.decode(text(&secret, "/data/token")).unwrap()).unwrap()
        };
        let first = token();
        assert!(first.len() >= 40 && first.chars().all(|c| c.is_ascii_graphic()), "{}", first.len());
        assert_ne!(first, token());
    }
}
