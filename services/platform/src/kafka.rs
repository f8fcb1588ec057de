//! The Kafka client's settings, from the environment or flags.
//!
//! There is no way to switch the locks off: every client verifies the broker's certificate and host name, presents a
//! certificate of its own, and logs in by SCRAM.

use std::path::{Path, PathBuf};

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::Secret;

/// How a client logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mechanism {
    /// SCRAM with SHA-256 (RFC 7677).
    #[default]
    #[value(name = "SCRAM-SHA-256")]
    ScramSha256,
    /// SCRAM with SHA-512, which Strimzi's user operator makes.
    #[value(name = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Mechanism {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// A setting that can't work. Starting again without changing it can't help.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable has a value that is not allowed.
    #[error("{variable} is {value:?}: allowed is {allowed}")]
    Value {
        /// The variable's name.
        variable: &'static str,
        /// Its value; never a password's.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A file can't be used.
    #[error("{variable} is {path}: {problem}")]
    File {
        /// The variable that names the file.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The password is missing or can't be read.
    #[error("{0}")]
    Password(String),
}

/// Where the cluster is and who the client is.
#[derive(Clone, Debug, clap::Args)]
#[command(
    next_help_heading = "Kafka",
    after_help = "The password comes from KAFKA_SASL_PASSWORD, or from the file that KAFKA_SASL_PASSWORD_FILE names; \
                  it has no flag, because command lines can be seen by others."
)]
pub struct KafkaArgs {
    /// Brokers to start from: host:port, comma-separated
    #[arg(long = "kafka-brokers", env = "KAFKA_BROKERS", value_name = "KAFKA_BROKERS")]
    pub brokers: String,
    /// Certificate authority that the brokers' certificates must come from (PEM)
    #[arg(long = "kafka-ssl-ca-location", env = "KAFKA_SSL_CA_LOCATION", value_name = "KAFKA_SSL_CA_LOCATION")]
    pub ca: PathBuf,
    /// The client's certificate (PEM)
    #[arg(
        long = "kafka-ssl-certificate-location",
        env = "KAFKA_SSL_CERTIFICATE_LOCATION",
        value_name = "KAFKA_SSL_CERTIFICATE_LOCATION"
    )]
    pub certificate: PathBuf,
    /// The private key of the client's certificate (PEM, PKCS#8)
    #[arg(long = "kafka-ssl-key-location", env = "KAFKA_SSL_KEY_LOCATION", value_name = "KAFKA_SSL_KEY_LOCATION")]
    pub key: PathBuf,
    /// How the client logs in
    #[arg(
        long = "kafka-sasl-mechanism",
        env = "KAFKA_SASL_MECHANISM",
        value_name = "KAFKA_SASL_MECHANISM",
        default_value = "SCRAM-SHA-256"
    )]
    pub mechanism: Mechanism,
    /// Who logs in; the password is KAFKA_SASL_PASSWORD, or in the file that KAFKA_SASL_PASSWORD_FILE names
    #[arg(long = "kafka-sasl-username", env = "KAFKA_SASL_USERNAME", value_name = "KAFKA_SASL_USERNAME")]
    pub username: String,
}

impl KafkaArgs {
    /// The settings as librdkafka takes them, after checking what can be checked without the network.
    ///
    /// # Errors
    ///
    /// Names the variable whose value, file or password can't work.
    pub fn client_config(&self) -> Result<ClientConfig, ConfigError> {
        self.check_brokers()?;
        check_pem("KAFKA_SSL_CA_LOCATION", &self.ca, "CERTIFICATE")?;
        check_pem("KAFKA_SSL_CERTIFICATE_LOCATION", &self.certificate, "CERTIFICATE")?;
        check_pem("KAFKA_SSL_KEY_LOCATION", &self.key, "PRIVATE KEY")?;
        if self.username.is_empty() {
            return Err(ConfigError::Value {
                variable: "KAFKA_SASL_USERNAME",
                value: String::new(),
                allowed: "the name of a SCRAM user",
            });
        }
        let password = Secret::from_env("KAFKA_SASL_PASSWORD").map_err(ConfigError::Password)?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("security.protocol", "SASL_SSL")
            .set("ssl.ca.location", text(&self.ca))
            .set("ssl.certificate.location", text(&self.certificate))
            .set("ssl.key.location", text(&self.key))
            .set("ssl.endpoint.identification.algorithm", "https")
            .set("enable.ssl.certificate.verification", "true")
            .set("sasl.mechanism", self.mechanism.as_str())
            .set("sasl.username", &self.username)
            .set("sasl.password", password.expose())
            .set("client.id", format!("storepulse-{}", self.username))
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000")
            .set_log_level(RDKafkaLogLevel::Warning);
        Ok(config)
    }

    fn check_brokers(&self) -> Result<(), ConfigError> {
        let valid = |broker: &str| {
            broker.trim().rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|p| p != 0)
            })
        };
        if self.brokers.split(',').all(valid) {
            return Ok(());
        }
        let allowed = "host:port, comma-separated, such as kafka-1:9092,kafka-2:9092";
        Err(ConfigError::Value { variable: "KAFKA_BROKERS", value: self.brokers.clone(), allowed })
    }
}

/// Checks that a file can be read and holds a PEM block whose label ends in `label`.
fn check_pem(variable: &'static str, path: &Path, label: &str) -> Result<(), ConfigError> {
    let error = |problem: String| ConfigError::File { variable, path: path.to_owned(), problem };
    let text =
        std::fs::read(path).map_err(|e| error(format!("cannot be read: {e}; `make init` makes certificates")))?;
    let text = String::from_utf8_lossy(&text);
    let has = text.lines().any(|l| {
        l.strip_prefix("-----BEGIN ")
            .and_then(|l| l.trim_end().strip_suffix("-----"))
            .is_some_and(|l| l.ends_with(label))
    });
    if has { Ok(()) } else { Err(error(format!("holds no PEM block of a {}", label.to_lowercase()))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(brokers: &str, dir: &Path) -> KafkaArgs {
        KafkaArgs {
            brokers: brokers.into(),
            ca: dir.join("ca.crt"),
            certificate: dir.join("client.crt"),
            key: dir.join("client.key"),
            mechanism: Mechanism::ScramSha256,
            username: "simulator".into(),
        }
    }

    #[test]
    fn brokers_without_a_port_are_refused() {
        for bad in ["", "localhost", "localhost:", "localhost:0", "localhost:70000", "a:1,,b:2", "ssl://a:1/"] {
            let error = args(bad, Path::new("none")).client_config().unwrap_err().to_string();
            assert!(error.starts_with("KAFKA_BROKERS is "), "{bad}: {error}");
        }
    }

    #[test]
    fn each_file_is_checked_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = || args("localhost:9092", dir.path()).client_config().unwrap_err().to_string();
        assert!(error().starts_with("KAFKA_SSL_CA_LOCATION is "), "{}", error());
        std::fs::write(dir.path().join("ca.crt"), "-----BEGIN CERTIFICATE-----\n").unwrap();
        assert!(error().starts_with("KAFKA_SSL_CERTIFICATE_LOCATION is "), "{}", error());
        std::fs::write(dir.path().join("client.crt"), "-----BEGIN CERTIFICATE-----\n").unwrap();
        std::fs::write(dir.path().join("client.key"), "-----BEGIN CERTIFICATE-----\n").unwrap();
        assert!(error().contains("holds no PEM block of a private key"), "{}", error());
    }
}
