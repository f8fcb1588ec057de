//! Where the files are.

use std::path::{Path, PathBuf};

/// Number of brokers that get a certificate: `broker-1` … `broker-3`.
pub const BROKERS: u8 = 3;

/// The principals that get a client certificate.
pub const PRINCIPALS: [&str; 5] = ["admin", "simulator", "analytics", "auditor", "viewer"];

/// The certificate directory, and the name of each file in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The layout under `dir` (usually `certs/generated`).
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.join(name)
    }

    /// The authority's certificate: what every client and broker trusts.
    pub fn ca_cert(&self) -> PathBuf {
        self.file("ca.crt")
    }

    /// The authority's private key. Only [`init`](crate::init) needs it.
    pub fn ca_key(&self) -> PathBuf {
        self.file("ca.key")
    }

    /// Key (PKCS#8), certificate and authority of broker `n` (1 to [`BROKERS`]) in one PEM file,
    /// as Kafka's `ssl.keystore.type=PEM` takes it.
    pub fn broker_pem(&self, n: u8) -> PathBuf {
        self.file(format!("broker-{n}.pem"))
    }

    /// A principal's client certificate.
    pub fn client_cert(&self, principal: &str) -> PathBuf {
        self.file(format!("{principal}.crt"))
    }

    /// A principal's private key (PKCS#8 PEM).
    pub fn client_key(&self, principal: &str) -> PathBuf {
        self.file(format!("{principal}.key"))
    }

    /// The rogue authority: same subject and key identifier as the real one, another key.
    pub fn rogue_ca_cert(&self) -> PathBuf {
        self.file("rogue-ca.crt")
    }

    /// The rogue authority's key.
    pub fn rogue_ca_key(&self) -> PathBuf {
        self.file("rogue-ca.key")
    }

    /// The simulator's name, signed by the rogue authority.
    pub fn rogue_client_cert(&self) -> PathBuf {
        self.file("rogue-client.crt")
    }

    /// The key of [`Self::rogue_client_cert`].
    pub fn rogue_client_key(&self) -> PathBuf {
        self.file("rogue-client.key")
    }

    /// The simulator's name, signed by the real authority, expired yesterday.
    pub fn expired_client_cert(&self) -> PathBuf {
        self.file("expired-client.crt")
    }

    /// The key of [`Self::expired_client_cert`].
    pub fn expired_client_key(&self) -> PathBuf {
        self.file("expired-client.key")
    }

    /// A server certificate of the real authority for the host `wrong.invalid`.
    pub fn wrong_host_cert(&self) -> PathBuf {
        self.file("wrong-host-server.crt")
    }

    /// The key of [`Self::wrong_host_cert`].
    pub fn wrong_host_key(&self) -> PathBuf {
        self.file("wrong-host-server.key")
    }
}
