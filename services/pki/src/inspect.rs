//! Judging what exists.

use std::path::Path;

use rcgen::{KeyPair, PublicKeyData, SanType};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::Pem;

use crate::error::{Error, Result};
use crate::items::Leaf;

/// The facts about an existing certificate and its key.
#[derive(Debug)]
pub(crate) struct Found {
    pub not_after: OffsetDateTime,
    pub key_id: Option<Vec<u8>>,
    /// The key is the certificate's.
    pub paired: bool,
    /// The signature verifies under the authority given.
    pub signed: bool,
    /// It carries every name wanted.
    pub named: bool,
}

/// Reads a certificate and a key (which may be in one text), or says why it can't.
///
/// `authority` is the PEM of the signer; without it the certificate must have signed itself.
/// `wanted` are the names the certificate must carry.
pub(crate) fn inspect(
    cert: (&Path, &str),
    key: (&Path, &str),
    authority: Option<&str>,
    wanted: &[SanType],
    remedy: &str,
) -> Result<Found> {
    let (cert_path, cert_text) = cert;
    let (key_path, key_text) = key;
    let bad_cert = |reason: String| Error::unusable(cert_path, reason, remedy);

    let cert_der = first_certificate(cert_text).map_err(bad_cert)?;
    let parsed = parse(&cert_der).map_err(bad_cert)?;
    let key = KeyPair::from_pem(key_section(key_text))
        .map_err(|_| Error::unusable(key_path, "it holds no usable PKCS#8 private key", remedy))?;

    let authority_der = authority.map(first_certificate).transpose().map_err(bad_cert)?;
    let signed = match &authority_der {
        None => parsed.verify_signature(None).is_ok(),
        Some(der) => {
            let authority = parse(der).map_err(bad_cert)?;
            parsed.verify_signature(Some(authority.public_key())).is_ok()
        }
    };
    Ok(Found {
        not_after: parsed.validity().not_after.to_datetime(),
        key_id: key_id(&parsed),
        paired: parsed.public_key().raw == key.subject_public_key_info(),
        signed,
        named: wanted.iter().all(|name| has_name(&parsed, name)),
    })
}

/// What has to change about a leaf, if anything.
pub(crate) fn fault(found: &Found, leaf: &Leaf) -> Option<&'static str> {
    if !found.signed {
        Some("its authority was replaced")
    } else if !found.paired {
        Some("its key was another certificate's")
    } else if !found.named {
        Some("a host name was added")
    } else if leaf.born_expired && found.not_after > leaf.not_after {
        Some("it was not expired")
    } else {
        None
    }
}

/// The subject key identifier of a certificate.
pub(crate) fn key_id_of(cert_pem: &str) -> Option<Vec<u8>> {
    let der = first_certificate(cert_pem).ok()?;
    key_id(&parse(&der).ok()?)
}

fn first_certificate(text: &str) -> Result<Vec<u8>, String> {
    for block in Pem::iter_from_buffer(text.as_bytes()) {
        let block = block.map_err(|error| format!("its PEM is broken ({error})"))?;
        if block.label == "CERTIFICATE" {
            return Ok(block.contents);
        }
    }
    Err("it holds no certificate".to_owned())
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    x509_parser::parse_x509_certificate(der)
        .map(|(_, cert)| cert)
        .map_err(|error| format!("its certificate is broken ({error})"))
}

/// The private key's part of a text that may hold certificates too.
fn key_section(text: &str) -> &str {
    const END: &str = "-----END PRIVATE KEY-----";
    let start = text.find("-----BEGIN PRIVATE KEY-----").unwrap_or(0);
    let end = text.find(END).map_or(text.len(), |at| at + END.len());
    text.get(start..end).unwrap_or(text)
}

fn key_id(cert: &X509Certificate<'_>) -> Option<Vec<u8>> {
    cert.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    })
}

fn has_name(cert: &X509Certificate<'_>, wanted: &SanType) -> bool {
    let Ok(Some(names)) = cert.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| match (name, wanted) {
        (GeneralName::DNSName(have), SanType::DnsName(want)) => *have == want.as_str(),
        (GeneralName::IPAddress(have), SanType::IpAddress(want)) => match want {
            std::net::IpAddr::V4(ip) => *have == ip.octets(),
            std::net::IpAddr::V6(ip) => *have == ip.octets(),
        },
        _ => false,
    })
}
