//! Formatting and starting one node.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::config::{self, Address, Log, Place};
use super::{Jars, cause};
use crate::context::Context;
use crate::error::{Error, FileContext, Result};
use crate::files::{make_private_dir, remove, write_private};
use crate::java::{Java, quote};
use crate::paths::Paths;
use crate::process::{ProcessId, spawn_detached};
use crate::security::{ADMIN, BROKER, Security};
use crate::state::Node;

/// A node that takes longer has a problem; on two busy cores it takes 20 s.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// What a node logs when it serves.
const SERVES: &str = "Kafka Server started";

/// How the JVM of a node runs.
pub(crate) const SERVER_OPTIONS: [&str; 5] =
    ["-Xms384m", "-Xmx384m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError"];
/// How the JVM that formats storage runs.
const FORMAT_OPTIONS: [&str; 3] = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// What is needed to start nodes.
#[derive(Debug, Clone)]
pub(crate) struct Launcher {
    paths: Paths,
    java: Java,
    jars: Jars,
    security: Security,
}

impl Launcher {
    /// Puts the parts together.
    pub(crate) fn new(paths: Paths, java: Java, jars: Jars, security: Security) -> Self {
        Self { paths, java, jars, security }
    }

    /// Writes a node's configuration. Done before every start, so that it is never out of date.
    pub(crate) fn configure(&self, node: &Node, nodes: &[Node]) -> Result<()> {
        let dir = self.paths.node(node.id);
        make_private_dir(&dir)?;
        let addresses: Vec<Address> = nodes.iter().map(Address::from).collect();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let place = Place {
            id: node.id,
            nodes: &addresses,
            listen_on: "127.0.0.1",
            data: &text(dir.join("data")),
            key_store: &text(self.security.broker_store(node.id)),
            trust_store: &text(self.security.ca()),
        };
        let mut properties = config::server_properties(&place, &self.security);
        if let Some(file) = extra_properties() {
            // Of two lines with the same key, the later counts.
            properties.push_str(&std::fs::read_to_string(&file).file("read", &file)?);
        }
        write_private(&dir.join("server.properties"), properties.as_bytes())?;
        let log4j2 = config::log4j2(Log::File(&dir.join("server.log")));
        write_private(&dir.join("log4j2.properties"), log4j2.as_bytes())
    }

    /// Formats a node's storage, with the two users that must exist before the first login.
    pub(crate) async fn format(&self, node: &Node, cluster_id: &str, context: &Context) -> Result<()> {
        let dir = self.paths.node(node.id);
        let mut arguments = self.jvm_arguments(&dir, "format.log");
        let properties = dir.join("server.properties");
        arguments.push_str(&format_arguments(cluster_id, &properties.to_string_lossy(), &self.security));
        // The command line is for everyone to see (`ps`); this file is not, and is gone a second later.
        let file = PrivateFile::write(dir.join("format.args"), &arguments)?;
        let mut command = self.java.command();
        command.arg(format!("@{}", file.path.display()));
        let what = format!("formatting the storage of Kafka node {}", node.id);
        match context.run(&what, command).await {
            Err(Error::Command { what, status, output }) => {
                // The tool prints what it derived from the passwords.
                let output = output
                    .lines()
                    .filter(|line| !line.contains("ScramCredential"))
                    .flat_map(|line| [line, "\n"])
                    .collect::<String>();
                let output = self.security.redact(output.trim_end());
                Err(Error::Command { what, status, output })
            }
            other => other.map(drop),
        }
    }

    /// Starts a node in the background.
    pub(crate) fn start(&self, node: &Node) -> Result<ProcessId> {
        let dir = self.paths.node(node.id);
        let mut arguments = self.jvm_arguments(&dir, "server.log");
        arguments.push_str(&quote_all(SERVER_OPTIONS));
        let file = dir.join("java.args");
        write_private(&file, arguments.as_bytes())?;
        let mut command = self.java.command();
        command
            .arg(format!("@{}", file.display()))
            .arg("kafka.Kafka")
            .arg(dir.join("server.properties"))
            .current_dir(&dir);
        spawn_detached(command, &dir.join("stdout.log"))
    }

    /// Waits until a node serves. `offset` is where this start's part of the log begins.
    pub(crate) async fn wait(&self, node: &Node, process: &ProcessId, offset: u64, context: &Context) -> Result<()> {
        let dir = self.paths.node(node.id);
        let start = Instant::now();
        let failed = |what: String| Error::Process {
            name: format!("Kafka node {}", node.id),
            what,
            cause: self.security.redact(&cause(&dir, offset)),
        };
        loop {
            let is_alive = process.is_alive();
            if read_from(&dir.join("server.log"), offset).contains(SERVES) {
                return Ok(());
            }
            if !is_alive {
                return Err(failed("ended while starting".to_owned()));
            }
            if start.elapsed() > START_PATIENCE {
                let seconds = START_PATIENCE.as_secs();
                return Err(failed(format!("did not serve within {seconds} s")));
            }
            context.sleep(Duration::from_millis(100)).await?;
        }
    }

    fn jvm_arguments(&self, dir: &Path, error_log: &str) -> String {
        let log4j2 = dir.join("log4j2.properties");
        [
            "-cp".to_owned(),
            self.jars.class_path().to_owned(),
            // Would show the whole command line to other tools of this user, and costs start-up time.
            "-XX:-UsePerfData".to_owned(),
            format!("-XX:ErrorFile={}/{error_log}.crash", dir.display()),
            "-Djava.awt.headless=true".to_owned(),
            format!("-Dlog4j2.configurationFile={}", log4j2.display()),
        ]
        .iter()
        .map(|argument| quote(argument))
        .collect()
    }
}

impl From<&Node> for Address {
    fn from(node: &Node) -> Self {
        Self {
            id: node.id,
            host: "localhost".to_owned(),
            client_port: node.client_port,
            internal_port: node.internal_port,
            controller_port: node.controller_port,
        }
    }
}

/// Lines of a Java argument file.
pub(crate) fn quote_all<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    arguments.into_iter().map(quote).collect()
}

/// The end of a Java argument file that formats a node's storage, with the two users that must exist before the first
/// login. It holds their passwords: write it privately.
pub(crate) fn format_arguments(cluster_id: &str, properties: &str, security: &Security) -> String {
    let mut arguments = quote_all(FORMAT_OPTIONS);
    arguments += &quote_all(["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", properties]);
    for user in [ADMIN, BROKER] {
        let password = security.password(user);
        arguments += &quote_all(["--add-scram", &format!("SCRAM-SHA-256=[name={user},password={password}]")]);
    }
    arguments
}

/// The file that `STOREPULSE_LOCAL_KAFKA_PROPERTIES` names: more lines for `server.properties` of every node, for
/// experiments, such as whether the attackers find a lock that was left open.
pub(crate) fn extra_properties() -> Option<PathBuf> {
    let file = std::env::var_os("STOREPULSE_LOCAL_KAFKA_PROPERTIES").filter(|file| !file.is_empty())?;
    Some(PathBuf::from(file))
}

/// Where a node's log ends now: what a start appends begins there.
pub(crate) fn started_log_offset(paths: &Paths, id: u32) -> u64 {
    std::fs::metadata(paths.node(id).join("server.log")).map_or(0, |metadata| metadata.len())
}

/// The part of a log that begins at `offset`; all of it when the log was rolled over since.
pub(super) fn read_from(path: &Path, offset: u64) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let start = usize::try_from(offset).ok().filter(|start| *start <= bytes.len()).unwrap_or(0);
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}

/// A file for this user only that is removed when no longer needed.
struct PrivateFile {
    path: PathBuf,
}

impl PrivateFile {
    fn write(path: PathBuf, content: &str) -> Result<Self> {
        write_private(&path, content.as_bytes())?;
        Ok(Self { path })
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        // In a directory that only this user can read, and that `down` removes.
        let _ = remove(&self.path);
    }
}
