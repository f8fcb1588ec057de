//! Signing.

use rcgen::{CertificateParams, Issuer, KeyIdMethod, KeyPair, PKCS_ECDSA_P256_SHA256};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::items::Leaf;

/// A key and its certificate as PEM.
pub(crate) struct Issued {
    pub cert_pem: String,
    pub key_pem: Zeroizing<String>,
}

/// An authority ready to sign.
pub(crate) struct Authority {
    pub cert_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a self-signed authority. With `key_id` it claims that subject key identifier instead
    /// of one derived from its key (what the rogue one does, to resemble the real one fully).
    pub(crate) fn make(what: &str, mut params: CertificateParams, key_id: Option<Vec<u8>>) -> Result<(Self, Issued)> {
        let key = new_key(what)?;
        if let Some(id) = key_id {
            params.key_identifier_method = KeyIdMethod::PreSpecified(id);
        }
        let cert = params.self_signed(&key).map_err(issue(what))?;
        let issued = Issued { cert_pem: cert.pem(), key_pem: Zeroizing::new(key.serialize_pem()) };
        let authority = Self { cert_pem: cert.pem(), issuer: Issuer::new(params, key) };
        Ok((authority, issued))
    }

    /// An authority from its files, already judged sound.
    pub(crate) fn load(what: &str, cert_pem: &str, key_pem: &str) -> Result<Self> {
        let key = KeyPair::from_pem(key_pem).map_err(issue(what))?;
        let issuer = Issuer::from_ca_cert_pem(cert_pem, key).map_err(issue(what))?;
        Ok(Self { cert_pem: cert_pem.to_owned(), issuer })
    }

    /// Makes a key for `leaf` and signs its certificate.
    pub(crate) fn sign(&self, leaf: &Leaf) -> Result<Issued> {
        let key = new_key(&leaf.name)?;
        let cert = leaf.params().signed_by(&key, &self.issuer).map_err(issue(&leaf.name))?;
        Ok(Issued { cert_pem: cert.pem(), key_pem: Zeroizing::new(key.serialize_pem()) })
    }
}

fn new_key(what: &str) -> Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(issue(what))
}

fn issue(what: &str) -> impl FnOnce(rcgen::Error) -> Error {
    let what = what.to_owned();
    move |source| Error::Issue { what, source }
}
