//! Certificates and passwords: made by `storepulse-pki`, looked up here.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use storepulse_pki::{EnvFile, Layout, Options};

use crate::error::{Error, FileContext, Result};
use crate::paths::Paths;

/// Kafka's own user between brokers; it has a password, and the brokers' certificates.
pub(crate) const BROKER: &str = "broker";
/// The user that may do everything.
pub(crate) const ADMIN: &str = "admin";

/// The certificates and passwords of the deployment.
#[derive(Clone)]
pub(crate) struct Security {
    layout: Layout,
    env_file: PathBuf,
    passwords: Vec<(String, String)>,
}

/// Shows where things are, never what they are.
impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            .field("layout", &self.layout)
            .field("env_file", &self.env_file)
            .finish_non_exhaustive()
    }
}

impl Security {
    /// Makes what is missing and reads the rest. Returns warnings about expiring certificates too.
    pub(crate) fn init(paths: &Paths) -> Result<(Self, Vec<String>)> {
        // The same variables as `storepulse-pki` reads.
        let place = |variable: &str, default: &str| {
            let given = std::env::var_os(variable).filter(|place| !place.is_empty());
            let place = given.map_or_else(|| paths.root().join(default), PathBuf::from);
            std::path::absolute(&place).file("resolve", &place)
        };
        let dir = place("STOREPULSE_CERTS_DIR", "certs/generated")?;
        Self::init_at(dir, place("STOREPULSE_ENV_FILE", ".env")?)
    }

    /// The same, with certificates in `dir` and passwords in `env_file`.
    pub(crate) fn init_at(dir: PathBuf, env_file: PathBuf) -> Result<(Self, Vec<String>)> {
        let report =
            storepulse_pki::init(&Options::new(&dir, &env_file)).map_err(|error| Error::Pki(error.to_string()))?;
        let warnings = report.warnings().map(str::to_owned).collect();
        Ok((Self::load(dir, env_file)?, warnings))
    }

    fn load(dir: PathBuf, env_file: PathBuf) -> Result<Self> {
        let file = EnvFile::load(&env_file).map_err(|error| Error::Pki(error.to_string()))?;
        let principals = storepulse_pki::PRINCIPALS.into_iter().chain([BROKER]);
        let mut passwords = Vec::new();
        for principal in principals {
            let key = format!("KAFKA_{}_PASSWORD", principal.to_uppercase());
            let password = file
                .get(&key)
                .ok_or_else(|| Error::Pki(format!("{} has no {key}: run `make init`", env_file.display())))?;
            // These two pass through Kafka's `--add-scram NAME=[…]`, whose quoting we don't want to depend on.
            if matches!(principal, ADMIN | BROKER) && !is_plain(password) {
                return Err(Error::Pki(format!(
                    "{key} in {} may only have ASCII letters, digits and -_.~+/=: change it, or remove the line and run `make init`",
                    env_file.display()
                )));
            }
            passwords.push((principal.to_owned(), password.to_owned()));
        }
        Ok(Self { layout: Layout::new(dir), env_file, passwords })
    }

    /// A principal's password.
    pub(crate) fn password(&self, principal: &str) -> &str {
        self.passwords
            .iter()
            .find_map(|(name, password)| (name == principal).then_some(password.as_str()))
            .unwrap_or_default()
    }

    /// The file of the passwords.
    pub(crate) fn env_file(&self) -> &Path {
        &self.env_file
    }

    /// Where each certificate is.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What every party trusts.
    pub(crate) fn ca(&self) -> PathBuf {
        self.layout.ca_cert()
    }

    /// A principal's certificate.
    pub(crate) fn certificate(&self, principal: &str) -> PathBuf {
        self.layout.client_cert(principal)
    }

    /// A principal's private key.
    pub(crate) fn key(&self, principal: &str) -> PathBuf {
        self.layout.client_key(principal)
    }

    /// Key and certificates of broker `id`.
    pub(crate) fn broker_store(&self, id: u32) -> PathBuf {
        self.layout.broker_pem(u8::try_from(id).unwrap_or(u8::MAX))
    }

    /// Removes passwords from text that is about to be shown.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.passwords.iter().fold(text.to_owned(), |text, (_, password)| text.replace(password, "[hidden]"))
    }

    /// Tells whether brokers that were started with these certificates have them still.
    pub(crate) fn fingerprint(&self, nodes: impl Iterator<Item = u32>) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        let mut add = |path: &Path| -> Result<()> {
            std::fs::read(path).file("read", path)?.hash(&mut hasher);
            Ok(())
        };
        add(&self.ca())?;
        for node in nodes {
            add(&self.broker_store(node))?;
        }
        Ok(format!("{:016x}", hasher.finish()))
    }
}

fn is_plain(password: &str) -> bool {
    password.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~+/=".contains(&byte))
}
