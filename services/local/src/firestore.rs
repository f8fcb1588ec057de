//! Google's Firestore emulator.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::files::{last_lines, make_private_dir};
use crate::http;
use crate::java::Java;
use crate::paths::Paths;
use crate::process::{ProcessId, spawn_detached};

/// The project documents are kept under.
pub(crate) const PROJECT: &str = "storepulse-local";
/// It takes 3 to 4 s on an idle machine.
const START_PATIENCE: Duration = Duration::from_secs(60);
const JAR: &str = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar";
/// The most memory for its documents and for a query's whole answer beside them, in the form of Java's `-Xmx`: a variable,
/// and what it is unless set. A bound, not a need.
const HEAP_VARIABLE: &str = "STOREPULSE_LOCAL_FIRESTORE_HEAP";
const HEAP: &str = "1g";
/// The variable that names the jar.
const VARIABLE: &str = "FIRESTORE_EMULATOR_JAR";

/// Looks for the emulator where Google's installers put it.
///
/// # Errors
/// When `FIRESTORE_EMULATOR_JAR` names a file that is not there.
pub(crate) fn find_jar() -> Result<Option<PathBuf>> {
    if let Some(jar) = std::env::var_os(VARIABLE).filter(|jar| !jar.is_empty()) {
        let jar = PathBuf::from(jar);
        if jar.is_file() {
            return Ok(Some(jar));
        }
        return Err(Error::Usage(format!(
            "{VARIABLE}={} is not a file: set it to the emulator's jar, or unset it",
            jar.display()
        )));
    }
    let by_variable = std::env::var_os("CLOUDSDK_ROOT_DIR").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join("google-cloud-sdk"));
    let usual = [
        "/usr/lib/google-cloud-sdk",
        "/usr/share/google-cloud-sdk",
        "/opt/google-cloud-sdk",
        "/snap/google-cloud-cli/current",
    ];
    Ok(by_variable
        .into_iter()
        .chain(usual.map(PathBuf::from))
        .chain(home)
        .chain(root_of_gcloud())
        .map(|root| root.join(JAR))
        .find(|jar| jar.is_file()))
}

/// The directory above the `bin` that the `gcloud` in `PATH` is in.
fn root_of_gcloud() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let gcloud = std::env::split_paths(&path).map(|dir| dir.join("gcloud")).find(|gcloud| gcloud.is_file())?;
    Some(gcloud.canonicalize().ok()?.parent()?.parent()?.to_owned())
}

/// Starts the emulator in the background. Its documents live in memory, and end with it.
pub(crate) fn start(paths: &Paths, java: &Java, jar: &Path, port: u16) -> Result<ProcessId> {
    let dir = paths.firestore();
    make_private_dir(&dir)?;
    let heap = std::env::var(HEAP_VARIABLE).ok().filter(|heap| !heap.is_empty());
    let mut command = java.command();
    command
        .arg(format!("-Xmx{}", heap.as_deref().unwrap_or(HEAP)))
        .args(["-XX:-UsePerfData", "-cp"])
        .arg(jar)
        .args(["com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start", "--host=127.0.0.1"])
        .arg(format!("--port={port}"))
        .current_dir(&dir);
    spawn_detached(command, &dir.join("firestore.log"))
}

/// Does it answer?
pub(crate) async fn is_ready(port: u16) -> bool {
    matches!(http::get(port, "/", Duration::from_secs(1)).await, Some((200, _)))
}

/// Waits until it answers.
pub(crate) async fn wait(paths: &Paths, process: &ProcessId, port: u16, context: &Context) -> Result<()> {
    let start = Instant::now();
    loop {
        let is_alive = process.is_alive();
        // Asked only while ours lives: another program might have the port.
        if is_alive && context.unless_cancelled(is_ready(port)).await? {
            return Ok(());
        }
        let failed = |what: String| Error::Process {
            name: "the Firestore emulator".to_owned(),
            what,
            cause: last_lines(&paths.firestore().join("firestore.log"), 3).join("; "),
        };
        if !is_alive {
            return Err(failed("ended while starting".to_owned()));
        }
        if start.elapsed() > START_PATIENCE {
            return Err(failed(format!("did not answer within {} s", START_PATIENCE.as_secs())));
        }
        context.sleep(Duration::from_millis(100)).await?;
    }
}
