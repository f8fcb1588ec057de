//! TLS settings of a client.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, Result};

/// A client certificate with its chain, and its key.
pub struct Identity {
    /// The certificate, followed by those between it and the authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads PEM files.
    ///
    /// # Errors
    /// A file is missing, unreadable, or holds no certificate or key.
    pub fn load(cert: &Path, key: &Path) -> Result<Self> {
        let chain = certificates(cert)?;
        let key = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| Error::Config(format!("cannot read a private key from {}: {error}", key.display())))?;
        Ok(Self { chain, key })
    }
}

/// Reads every certificate of a PEM file.
///
/// # Errors
/// The file is missing, unreadable, or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bad = |error: &dyn std::fmt::Display| {
        Error::Config(format!("cannot read a certificate from {}: {error}", path.display()))
    };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(|blocks| blocks.collect::<Result<_, _>>())
        .map_err(|error| bad(&error))?;
    if found.is_empty() { Err(bad(&"it holds none")) } else { Ok(found) }
}

/// A client that trusts the authorities in `ca`, verifies host names, speaks TLS 1.2 and 1.3, and
/// presents `identity` whatever authorities the broker names.
///
/// # Errors
/// The authority's file can't be used, or key and certificate don't fit together.
pub fn client_config(ca: &Path, identity: Option<Identity>) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(ca)? {
        roots
            .add(authority)
            .map_err(|error| Error::Config(format!("{} is not a usable authority: {error}", ca.display())))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Config(format!("TLS is unusable: {error}")))?
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { chain, key }) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| Error::Config(format!("the client certificate and key do not fit together: {error}")))?,
    };
    Ok(Arc::new(config))
}
