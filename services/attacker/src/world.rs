//! What the attackers have: the papers of every principal, stolen or forged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use storepulse_kafka_admin::tls::{Identity, client_config};
use storepulse_kafka_admin::{ConnectOptions, Connection, Credentials, Endpoint, Plan, Secret, Settings, Transport};
use storepulse_pki::{EnvFile, Layout};

use crate::attacks::Attack;
use crate::error::{Error, Result};

/// How long to listen for an alert after a TLS 1.3 handshake.
const SETTLE: Duration = Duration::from_millis(600);

/// What a run needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the principals' `<principal>.env` files.
    pub env_dir: PathBuf,
    /// Directory of the certificates.
    pub certs: PathBuf,
    /// The longest any step of a connection may take.
    pub time_limit: Duration,
    /// Whether the cluster has the user `viewer`.
    pub viewer: bool,
    /// The papers of `admin.env` are an observer's, who may change nothing.
    pub observer: bool,
    /// Attacks that are left out.
    pub without: Vec<Attack>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            env_dir: PathBuf::from(".local"),
            certs: PathBuf::from("certs/generated"),
            time_limit: Duration::from_secs(5),
            viewer: false,
            observer: false,
            without: Vec::new(),
        }
    }
}

/// Everything an attack or a control can use.
pub(crate) struct World {
    pub simulator: Settings,
    pub analytics: Settings,
    pub auditor: Settings,
    pub admin: Settings,
    pub layout: Layout,
    /// Marks everything this run writes; unique.
    pub marker: String,
    pub time_limit: Duration,
    has_viewer: bool,
    /// Whether `admin` is an observer, who may change nothing.
    pub observer: bool,
}

/// What an attacker shows at the TLS handshake.
pub(crate) enum Show<'a> {
    Nothing,
    Pair(&'a Path, &'a Path),
}

impl World {
    /// Reads the papers.
    pub(crate) fn load(config: &Config) -> Result<Self> {
        Ok(Self {
            simulator: settings(&config.env_dir, "simulator")?,
            analytics: settings(&config.env_dir, "analytics")?,
            auditor: settings(&config.env_dir, "auditor")?,
            admin: settings(&config.env_dir, "admin")?,
            layout: Layout::new(&config.certs),
            marker: format!("storepulse-attack:{}", random_hex()?),
            time_limit: config.time_limit,
            has_viewer: config.viewer,
            observer: config.observer,
        })
    }

    /// The permissions that there should be.
    pub(crate) fn plan(&self) -> Plan {
        match (self.observer, self.has_viewer) {
            (true, _) => Plan::observed_by(&self.admin.user),
            (false, true) => Plan::storepulse().with_viewer(),
            (false, false) => Plan::storepulse(),
        }
    }

    /// The brokers to attack.
    pub(crate) fn brokers(&self) -> &[Endpoint] {
        &self.simulator.brokers
    }

    /// The part of the marker that can go into a topic or group name.
    pub(crate) fn run_id(&self) -> &str {
        self.marker.rsplit(':').next().unwrap_or(&self.marker)
    }

    /// The options of a principal with its own good papers.
    pub(crate) fn good(&self, who: &Settings) -> Result<ConnectOptions, storepulse_kafka_admin::Error> {
        who.connect_options("storepulse-attacker-control", self.time_limit)
    }

    /// The same, but showing another certificate, and listening for the alert.
    pub(crate) fn showing(
        &self,
        who: &Settings,
        show: Show<'_>,
    ) -> Result<ConnectOptions, storepulse_kafka_admin::Error> {
        let identity = match show {
            Show::Nothing => None,
            Show::Pair(cert, key) => Some(Identity::load(cert, key)?),
        };
        Ok(ConnectOptions {
            transport: Transport::Tls(client_config(&who.ca, identity)?),
            credentials: Some(who.credentials()),
            client_id: "storepulse-attacker".to_owned(),
            time_limit: self.time_limit,
            settle: SETTLE,
        })
    }

    /// A principal's good certificate with other credentials.
    pub(crate) fn claiming(
        &self,
        who: &Settings,
        credentials: Credentials,
    ) -> Result<ConnectOptions, storepulse_kafka_admin::Error> {
        let mut options = self.good(who)?;
        options.credentials = Some(credentials);
        Ok(options)
    }

    /// A password nobody has.
    pub(crate) fn wrong_password(&self) -> Secret {
        Secret::new(format!("wrong-{}", self.run_id()))
    }

    /// Connects somewhere in the cluster with good papers.
    pub(crate) async fn enter(&self, who: &Settings) -> Result<Connection, storepulse_kafka_admin::Error> {
        let options = self.good(who)?;
        let mut last = storepulse_kafka_admin::Error::Config("the list of brokers is empty".to_owned());
        for broker in &who.brokers {
            match Connection::open(broker, &options).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn settings(dir: &Path, principal: &str) -> Result<Settings> {
    let path = dir.join(format!("{principal}.env"));
    let file = EnvFile::load(&path)?;
    if !file.existed() {
        return Err(Error::NoEnvFile { path });
    }
    // Single quotes inside single quotes are written '\'' for the shell.
    let lookup = |name: &str| file.get(name).map(|value| value.replace(r"'\''", "'"));
    Settings::from_lookup(lookup).map_err(|source| Error::Settings { path, source })
}

fn random_hex() -> Result<String> {
    let mut bytes = [0_u8; 12];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_env_file_says_how_to_get_it() {
        let dir = tempfile::TempDir::new().unwrap();
        let error = settings(dir.path(), "simulator").unwrap_err().to_string();
        assert!(error.contains("simulator.env") && error.contains("make local-up"), "{error}");
    }

    #[test]
    fn reads_what_the_local_runner_writes() {
        let dir = tempfile::TempDir::new().unwrap();
        let text = "# comment\nKAFKA_BROKERS='localhost:1,localhost:2'\nKAFKA_SSL_CA_LOCATION='/it'\\''s/ca.crt'\n\
                    KAFKA_SSL_CERTIFICATE_LOCATION='c'\nKAFKA_SSL_KEY_LOCATION='k'\nKAFKA_SASL_USERNAME='u'\n\
                    KAFKA_SASL_PASSWORD='p'\n";
        std::fs::write(dir.path().join("admin.env"), text).unwrap();
        let settings = settings(dir.path(), "admin").unwrap();
        assert_eq!(settings.brokers.len(), 2);
        assert_eq!(settings.ca, Path::new("/it's/ca.crt"));
    }
}
