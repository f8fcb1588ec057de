//! The attackers against the cluster.

use std::process::ExitStatus;

use tokio::process::Command;

use crate::cluster::{Cluster, Found, StoreChoice};
use crate::context::Context;
use crate::error::{Error, FileContext, Result};
use crate::paths::Paths;
use crate::process::identify;
use crate::run::child::program;

/// Runs `storepulse-attacker` against the cluster of `paths`; brings one up for it, and takes it down again, where none runs.
///
/// The attackers' output is passed on, and their exit status returned.
///
/// # Errors
/// When the cluster does not come up, the program is missing, or `context` is cancelled.
pub async fn attack(paths: &Paths, arguments: &[String], context: &Context) -> Result<ExitStatus> {
    let program = program("attacker")?;
    // The attackers are after Kafka; whatever store there is will do.
    let (cluster, found) = Cluster::up(paths, StoreChoice::Sqlite, context).await?;
    let ours = found == Found::Nothing;
    let result = attack_cluster(&program, &cluster, arguments, context).await;
    if ours {
        let calm = Context { cancel: Default::default(), ..context.clone() };
        let failed = matches!(&result, Ok(status) if !status.success());
        Cluster::down_keeping_logs(paths, failed, &calm).await?;
        if failed {
            context.progress.note(&format!("the brokers' logs are in {}", paths.failure().display()));
        }
    }
    result
}

async fn attack_cluster(
    program: &std::path::Path,
    cluster: &Cluster,
    arguments: &[String],
    context: &Context,
) -> Result<ExitStatus> {
    let paths = cluster.paths();
    let mut command = Command::new(program);
    command.current_dir(paths.root()).process_group(0).kill_on_drop(true);
    if !paths.is_default() {
        // By default the attackers look where the default cluster is.
        command.arg("--env-dir").arg(paths.dir());
    }
    let mut child = command.args(arguments).spawn().file("start", program)?;
    let process = child.id().and_then(identify);
    tokio::select! {
        status = child.wait() => status.file("wait for", program),
        () = context.cancel.cancelled() => {
            if let Some(process) = process {
                process.kill();
            }
            Err(Error::Interrupted)
        }
    }
}
