//! What runs, and where: written before and after every start, so that a killed run can be cleaned up.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, FileContext, Result};
use crate::files::write_private;
use crate::paths::Paths;
use crate::process::ProcessId;

/// Bumped when the file's form changes.
const VERSION: u32 = 1;

/// Everything about one cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// Kafka's cluster id.
    pub cluster_id: String,
    /// When it was brought up (RFC 3339, UTC).
    pub started_at: String,
    /// How far it got.
    pub phase: Phase,
    /// The Kafka nodes.
    pub nodes: Vec<Node>,
    /// Where documents go.
    pub store: Store,
    /// Where services started against this cluster answer `/metrics`, by service name.
    pub http_ports: Vec<(String, u16)>,
    /// Services that `run` has started against this cluster, by name.
    #[serde(default)]
    pub services: Vec<(String, ProcessId)>,
    /// The `run` that looks after them.
    #[serde(default)]
    pub runner: Option<ProcessId>,
    /// Was it brought up by a `run`, to be taken down with it?
    #[serde(default)]
    pub temporary: bool,
    /// Recognises the certificates the brokers were started with.
    pub certificates: String,
}

/// How far a cluster got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Being made; when nobody is at it, it was abandoned half-way.
    Starting,
    /// Proven to work once.
    Ready,
}

/// One Kafka node, broker and controller in one process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Node {
    /// Kafka's `node.id`.
    pub id: u32,
    /// Clients connect here.
    pub client_port: u16,
    /// Brokers connect to each other here.
    pub internal_port: u16,
    /// Controllers connect to each other here.
    pub controller_port: u16,
    /// The process last started.
    pub process: Option<ProcessId>,
}

impl Node {
    /// Does its process run?
    pub fn is_alive(&self) -> bool {
        self.process.as_ref().is_some_and(ProcessId::is_alive)
    }
}

/// Where documents go.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Store {
    /// Google's Firestore emulator.
    Firestore {
        /// The emulator's jar.
        jar: PathBuf,
        /// Its gRPC and HTTP port.
        port: u16,
        /// The process last started.
        process: Option<ProcessId>,
    },
    /// A file.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
}

impl State {
    /// A cluster of which nothing runs yet.
    pub(crate) fn new(
        cluster_id: String,
        nodes: Vec<Node>,
        store: Store,
        http_ports: Vec<(String, u16)>,
        certificates: String,
    ) -> Self {
        Self {
            version: VERSION,
            cluster_id,
            started_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            phase: Phase::Starting,
            nodes,
            store,
            http_ports,
            services: Vec::new(),
            runner: None,
            temporary: false,
            certificates,
        }
    }

    /// Reads the state; `None` when there is no cluster.
    pub(crate) fn load(paths: &Paths) -> Result<Option<Self>> {
        let path = paths.state();
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.file("read", &path)?,
        };
        let corrupt =
            |reason: String| Error::Corrupt { path: path.clone(), what: "the state of a local cluster", reason };
        let state: Self = serde_json::from_slice(&text).map_err(|error| corrupt(error.to_string()))?;
        if state.version != VERSION {
            return Err(corrupt(format!("it is of version {}, this program writes {VERSION}", state.version)));
        }
        Ok(Some(state))
    }

    /// Writes the state.
    pub(crate) fn save(&self, paths: &Paths) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| Error::Corrupt {
            path: paths.state(),
            what: "the state of a local cluster",
            reason: error.to_string(),
        })?;
        write_private(&paths.state(), &text)
    }

    /// The value of `KAFKA_BROKERS`.
    pub fn brokers(&self) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(|node| format!("localhost:{}", node.client_port)).collect();
        addresses.join(",")
    }

    /// Where a service is to answer HTTP.
    pub fn http_port(&self, service: &str) -> Option<u16> {
        self.http_ports.iter().find_map(|(name, port)| (name == service).then_some(*port))
    }

    /// The node called `id`.
    pub(crate) fn node_mut(&mut self, id: u32) -> Result<&mut Node> {
        let known = self.nodes.len();
        self.nodes
            .iter_mut()
            .find(|node| node.id == id)
            .ok_or_else(|| Error::Usage(format!("there is no broker {id}: brokers are 1 to {known}")))
    }

    /// Every process of the cluster itself there may be, with its name. Services are not among them.
    pub fn processes(&self) -> Vec<(String, ProcessId)> {
        let mut all: Vec<(String, ProcessId)> = self
            .nodes
            .iter()
            .filter_map(|node| Some((format!("Kafka node {}", node.id), node.process.clone()?)))
            .collect();
        if let Store::Firestore { process: Some(process), .. } = &self.store {
            all.push(("Firestore emulator".to_owned(), process.clone()));
        }
        all
    }
}
