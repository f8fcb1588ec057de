//! `status`: how each part is.

use std::process::ExitCode;

use crate::cluster::Cluster;
use crate::error::Result;
use crate::manifests::{ManifestArgs, Manifests};
use crate::object::{Reference, number, text};
use crate::readiness::{State, state, trouble};
use crate::token::how_to_look;
use crate::wait::{diagnose, goals};

/// What `status` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
}

/// Prints a line for each part. The exit code is 0 when all are well, 1 when not, 3 when nothing is there.
///
/// # Errors
/// The API server refuses or does not answer.
pub async fn run(cluster: &Cluster, args: &StatusArgs) -> Result<ExitCode> {
    let manifests = Manifests::render(&args.manifests)?;
    let namespace = manifests.namespace.as_str();
    if cluster.get(&Reference::new("v1", "Namespace", "", namespace)).await?.is_none() {
        println!("nothing is there: context {} has no namespace {namespace}", cluster.context());
        return Ok(ExitCode::from(3));
    }
    let mut rows = Vec::new();
    let mut well = true;
    for goal in goals(&manifests.objects, namespace) {
        let (word, why) = match goal.state(cluster).await? {
            State::Ready => ("ready", String::new()),
            State::Waiting(why) => ("waiting", why),
            State::Failed(why) => ("FAILED", why),
        };
        well &= word == "ready";
        rows.push([goal.to_string(), word.to_owned(), why]);
    }
    for pod in cluster.list("v1", "Pod", namespace, "").await? {
        let phase = text(&pod, "/status/phase");
        if phase == "Succeeded" {
            continue;
        }
        let word = if state(&pod) == State::Ready { "ready" } else { "waiting" };
        let restarts = number(&pod, "/status/containerStatuses/0/restartCount");
        let mut why = trouble(&pod).unwrap_or_default();
        if restarts > 0 {
            why = format!("{restarts} restarts {why}");
        }
        rows.push([format!("Pod {}", text(&pod, "/metadata/name")), word.to_owned(), why]);
    }
    println!(
        "{}: namespace {namespace} of context {}\n",
        if well { "healthy" } else { "not healthy" },
        cluster.context()
    );
    for [what, word, why] in rows {
        println!("{}", format!("{what:<44} {word:<8} {why}").trim_end());
    }
    if let Some(how) = how_to_look(&manifests) {
        println!("\n{how}");
    }
    if !well {
        for line in diagnose(cluster, namespace).await {
            println!("  {line}");
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
