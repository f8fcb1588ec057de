//! `probe`: from inside a pod, which addresses can be reached. `verify` runs it in pods of several roles.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::net::{TcpStream, lookup_host};

/// How long a single attempt may take. A packet that a policy drops is never answered.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How long the network may take to know a new pod and its policies.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a probe should find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// A connection.
    Open,
    /// None.
    Closed,
}

/// One address to try: `NAME=HOST:PORT=open` or `…=closed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What it is.
    pub name: String,
    /// `host:port`.
    pub target: String,
    /// What is right.
    pub expected: Expected,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = if self.expected == Expected::Open { "open" } else { "closed" };
        write!(f, "{}={}={expected}", self.name, self.target)
    }
}

impl FromStr for Probe {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let wrong = || format!("{given:?} is not NAME=HOST:PORT=open or NAME=HOST:PORT=closed");
        let mut parts = given.split('=');
        let (Some(name), Some(target), Some(expected), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let expected = match expected {
            "open" => Expected::Open,
            "closed" => Expected::Closed,
            _ => return Err(wrong()),
        };
        Ok(Self { name: name.to_owned(), target: target.to_owned(), expected })
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The probe's name.
    pub name: String,
    /// `host:port`.
    pub target: String,
    /// What is right.
    pub expected: Expected,
    /// `open`, `refused`, `no answer`, or why it could not be tried.
    pub answer: String,
    /// Whether a connection was made.
    pub open: bool,
    /// Whether it could be tried.
    pub tried: bool,
}

/// Tries all, and writes a line of JSON for each.
pub async fn run(probes: &[Probe]) {
    let tasks: Vec<_> = probes.iter().cloned().map(|probe| tokio::spawn(patiently(probe))).collect();
    for task in tasks {
        if let Ok(found) = task.await {
            println!("{}", serde_json::to_string(&found).unwrap_or_default());
        }
    }
}

/// Network plugins take a moment to apply policies to a new pod: tries until the answer is right, or is likely to stay.
async fn patiently(probe: Probe) -> Found {
    let started = Instant::now();
    loop {
        let (answer, open, tried) = attempt(&probe.target).await;
        let right = tried && open == (probe.expected == Expected::Open);
        if right || started.elapsed() >= PATIENCE {
            let Probe { name, target, expected } = probe;
            return Found { name, target, expected, answer, open, tried };
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn attempt(target: &str) -> (String, bool, bool) {
    let addresses = match tokio::time::timeout(ATTEMPT, lookup_host(target)).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(error)) => return (format!("the name can't be resolved: {error}"), false, false),
        Err(_) => return ("the name can't be resolved: no answer".to_owned(), false, false),
    };
    let Some(address) = addresses.first() else { return ("the name has no address".to_owned(), false, false) };
    match tokio::time::timeout(ATTEMPT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => ("open".to_owned(), true, true),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => ("refused".to_owned(), false, true),
        Ok(Err(error)) => (error.to_string(), false, true),
        Err(_) => ("no answer".to_owned(), false, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_read_and_written() {
        for text in ["brokers=kafka:9093=open", "api=10.0.0.1:443=closed"] {
            assert_eq!(text.parse::<Probe>().unwrap().to_string(), text);
        }
        for text in ["", "a=b", "a=b:1=maybe", "a=b:1=open=x"] {
            assert!(text.parse::<Probe>().unwrap_err().contains("HOST:PORT"), "{text}");
        }
    }

    #[tokio::test]
    async fn tells_open_from_refused() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(attempt(&address).await, ("open".to_owned(), true, true));
        drop(listener);
        assert_eq!(attempt(&address).await, ("refused".to_owned(), false, true));
    }
}
