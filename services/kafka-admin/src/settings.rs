//! The `KAFKA_…` variables of a client (DESIGN §5), from wherever they come.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::connection::{ConnectOptions, Transport};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::sasl::Credentials;
use crate::scram::Mechanism;
use crate::secret::Secret;
use crate::tls::{self, Identity};

/// What a client needs to reach a cluster and be let in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `KAFKA_BROKERS`.
    pub brokers: Vec<Endpoint>,
    /// `KAFKA_SSL_CA_LOCATION`: the authority that signed the brokers' certificates.
    pub ca: PathBuf,
    /// `KAFKA_SSL_CERTIFICATE_LOCATION`: the client's certificate.
    pub certificate: PathBuf,
    /// `KAFKA_SSL_KEY_LOCATION`: its key.
    pub key: PathBuf,
    /// `KAFKA_SASL_MECHANISM`: `SCRAM-SHA-256` (default) or `SCRAM-SHA-512`.
    pub mechanism: Mechanism,
    /// `KAFKA_SASL_USERNAME`.
    pub user: String,
    /// `KAFKA_SASL_PASSWORD`, or the contents of `KAFKA_SASL_PASSWORD_FILE`.
    pub password: Secret,
}

impl Settings {
    /// Reads the variables through `lookup`.
    ///
    /// # Errors
    /// The first variable that is missing or bad, with its name and what is allowed.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let required = |name: &str| {
            lookup(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| Error::Config(format!("{name} is not set; see --help")))
        };
        let brokers = Endpoint::parse_list(&required("KAFKA_BROKERS")?)
            .map_err(|error| Error::Config(format!("KAFKA_BROKERS: {error}")))?;
        let mechanism = match lookup("KAFKA_SASL_MECHANISM").filter(|value| !value.is_empty()).as_deref() {
            None | Some("SCRAM-SHA-256") => Mechanism::Sha256,
            Some("SCRAM-SHA-512") => Mechanism::Sha512,
            Some(other) => {
                let allowed = "SCRAM-SHA-256 and SCRAM-SHA-512 are allowed";
                return Err(Error::Config(format!("KAFKA_SASL_MECHANISM is `{other}`; {allowed}")));
            }
        };
        Ok(Self {
            brokers,
            ca: required("KAFKA_SSL_CA_LOCATION")?.into(),
            certificate: required("KAFKA_SSL_CERTIFICATE_LOCATION")?.into(),
            key: required("KAFKA_SSL_KEY_LOCATION")?.into(),
            mechanism,
            user: required("KAFKA_SASL_USERNAME")?,
            password: secret_from(&lookup, "KAFKA_SASL_PASSWORD")?,
        })
    }

    /// The SCRAM credentials.
    pub fn credentials(&self) -> Credentials {
        Credentials::Scram(self.mechanism, self.user.clone(), self.password.clone())
    }

    /// Connection options: TLS with the client certificate, then SCRAM.
    ///
    /// # Errors
    /// A certificate or key file can't be used.
    pub fn connect_options(&self, client_id: &str, time_limit: Duration) -> Result<ConnectOptions> {
        let identity = Identity::load(&self.certificate, &self.key)?;
        Ok(ConnectOptions {
            transport: Transport::Tls(tls::client_config(&self.ca, Some(identity))?),
            credentials: Some(self.credentials()),
            client_id: client_id.to_owned(),
            time_limit,
            settle: Duration::ZERO,
        })
    }
}

/// A password from the variable `name`, or from the file that `<name>_FILE` names (its line end
/// is not part of the password).
///
/// # Errors
/// Neither or both are set, or the file can't be read.
pub fn secret_from(lookup: impl Fn(&str) -> Option<String>, name: &str) -> Result<Secret> {
    let file_name = format!("{name}_FILE");
    let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
    match (set(name), set(&file_name)) {
        (Some(_), Some(_)) => Err(Error::Config(format!("both {name} and {file_name} are set; set one"))),
        (None, None) => Err(Error::Config(format!("neither {name} nor {file_name} is set"))),
        (Some(value), None) => Ok(Secret::new(value)),
        (None, Some(path)) => {
            let text = fs::read_to_string(&path)
                .map_err(|error| Error::Config(format!("{file_name}: cannot read {path}: {error}")))?;
            match text.trim_end_matches(['\r', '\n']) {
                "" => Err(Error::Config(format!("{file_name}: {path} is empty"))),
                password => Ok(Secret::new(password)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(without: &'static str, with: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        const ALL: [(&str, &str); 6] = [
            ("KAFKA_BROKERS", "localhost:9092"),
            ("KAFKA_SSL_CA_LOCATION", "ca.crt"),
            ("KAFKA_SSL_CERTIFICATE_LOCATION", "a.crt"),
            ("KAFKA_SSL_KEY_LOCATION", "a.key"),
            ("KAFKA_SASL_USERNAME", "admin"),
            ("KAFKA_SASL_PASSWORD", "hunter2"),
        ];
        move |name| {
            let mut all = with.iter().chain(ALL.iter().filter(|(key, _)| *key != without));
            all.find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn reads_the_variables() {
        let settings = Settings::from_lookup(lookup("", &[])).unwrap();
        assert_eq!(settings.brokers[0].port, 9092);
        assert_eq!(settings.password.reveal(), "hunter2");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn names_what_is_missing_or_bad() {
        for name in ["KAFKA_BROKERS", "KAFKA_SSL_CA_LOCATION", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"] {
            let error = Settings::from_lookup(lookup(name, &[])).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        let error = Settings::from_lookup(lookup("", &[("KAFKA_SASL_MECHANISM", "PLAIN")])).unwrap_err().to_string();
        assert!(error.contains("`PLAIN`") && error.contains("SCRAM-SHA-512"), "{error}");
        let both = lookup("", &[("KAFKA_SASL_PASSWORD_FILE", "/x")]);
        assert!(Settings::from_lookup(both).unwrap_err().to_string().contains("both"));
    }
}
