//! The certificate. TLS 1.2 and newer, HTTP/1.1.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use storepulse_platform::Failure;
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// Reads the certificate and its key.
///
/// # Errors
///
/// Names the variable and the file, and says what is wrong with it.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, Failure> {
    let failed =
        |variable: &str, file: &Path, why: String| Failure::config(format!("{variable} is {}: {why}", file.display()));
    let certificate = |why| failed("DASHBOARD_TLS_CERTIFICATE_LOCATION", &files.certificate, why);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&files.certificate)
        .map_err(|e| certificate(format!("cannot be read: {e}")))?
        .collect();
    let chain = chain.map_err(|e| certificate(format!("is not PEM: {e}")))?;
    if chain.is_empty() {
        return Err(certificate("holds no certificate".to_owned()));
    }
    // The library's own words might quote the key.
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|_| {
        failed("DASHBOARD_TLS_KEY_LOCATION", &files.key, "cannot be read, or holds no private key (PEM)".to_owned())
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Failure::config)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| certificate(format!("does not go with DASHBOARD_TLS_KEY_LOCATION: {e}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
