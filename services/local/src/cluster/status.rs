//! How a cluster is.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpStream;

use crate::firestore;
use crate::process::ProcessId;
use crate::state::{Phase, State, Store};

/// A part on this machine that takes longer to accept a connection is not well.
const PATIENCE: Duration = Duration::from_secs(2);

/// The whole of a cluster's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Every part runs and answers.
    Healthy,
    /// Some do not.
    Degraded,
    /// A start is under way, or was cut short.
    Starting,
}

/// How one part is.
#[derive(Debug, Clone, Serialize)]
pub struct PartStatus {
    /// `Kafka node 1`, `Firestore emulator`, `SQLite store`.
    pub name: String,
    /// `running`, `stopped`, `not answering`.
    pub state: &'static str,
    /// Its process, when it runs.
    pub pid: Option<i32>,
    /// Where it answers: host and port, or a file.
    pub address: String,
}

/// How every part is. Displays as a table.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The sum.
    pub health: Health,
    /// When the cluster was brought up (RFC 3339, UTC).
    pub started_at: String,
    /// The value of `KAFKA_BROKERS`.
    pub brokers: String,
    /// The parts.
    pub parts: Vec<PartStatus>,
}

impl Status {
    pub(super) async fn of(state: &State) -> Self {
        let mut parts = Vec::new();
        for node in &state.nodes {
            let answers = accepts(node.client_port).await;
            parts.push(part(
                format!("Kafka node {}", node.id),
                node.process.as_ref(),
                format!("localhost:{}", node.client_port),
                answers,
            ));
        }
        match &state.store {
            Store::Firestore { port, process, .. } => {
                let answers = firestore::is_ready(*port).await;
                let address = format!("127.0.0.1:{port}");
                parts.push(part("Firestore emulator".to_owned(), process.as_ref(), address, answers));
            }
            Store::Sqlite { path } => parts.push(PartStatus {
                name: "SQLite store".to_owned(),
                state: RUNNING,
                pid: None,
                address: path.display().to_string(),
            }),
        }
        let health = match state.phase {
            Phase::Starting => Health::Starting,
            Phase::Ready if parts.iter().all(|part| part.state == RUNNING) => Health::Healthy,
            Phase::Ready => Health::Degraded,
        };
        Self { health, started_at: state.started_at.clone(), brokers: state.brokers(), parts }
    }
}

const RUNNING: &str = "running";

fn part(name: String, process: Option<&ProcessId>, address: String, answers: bool) -> PartStatus {
    let alive = process.filter(|process| process.is_alive());
    let state = match (alive, answers) {
        (Some(_), true) => RUNNING,
        (Some(_), false) => "not answering",
        (None, _) => "stopped",
    };
    PartStatus { name, state, pid: alive.map(ProcessId::pid), address }
}

async fn accepts(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    matches!(tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)))
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let health = match self.health {
            Health::Healthy => "healthy",
            Health::Degraded => "degraded: `make local-up` starts what is missing",
            Health::Starting => "starting, or cut short while starting (then `make local-up` starts over)",
        };
        writeln!(f, "{health}, since {}\n", self.started_at)?;
        writeln!(f, "{:<20} {:<14} {:>8}  ADDRESS", "PART", "STATE", "PID")?;
        for part in &self.parts {
            let pid = part.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
            writeln!(f, "{:<20} {:<14} {pid:>8}  {}", part.name, part.state, part.address)?;
        }
        Ok(())
    }
}
