//! Forged papers: a rogue authority that bears the real one's name, and a client certificate of it. Made anew for each
//! run; nothing here is worth stealing.

use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::object::text;

/// The forged files, under the names by which attackers know them, as the data of a Secret.
///
/// `authority` is the Secret with the certificate of the authority that signs clients. Brokers tell the names of the
/// authorities that they trust, and a client library shows a certificate only if its issuer is among them: so the rogue
/// must bear the same name.
pub(super) fn forge(authority: &Value) -> Result<Value> {
    let encoded = text(authority, "/data/ca.crt");
    let unusable = |why: String| Error::Cluster(format!("the certificate of Kafka's authority for clients: {why}"));
    let pem = base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|error| unusable(error.to_string()))?;
    let pem = String::from_utf8(pem).map_err(|error| unusable(error.to_string()))?;
    let made = |error: rcgen::Error| unusable(error.to_string());

    let rogue_key = KeyPair::generate().map_err(made)?;
    let rogue_pem = rogue_key.serialize_pem();
    let names = names(&pem).map_err(unusable)?;
    let mut rogue = CertificateParams::default();
    rogue.distinguished_name = names;
    rogue.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    rogue.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let rogue_certificate = rogue.self_signed(&rogue_key).map_err(made)?;
    let issuer = Issuer::new(rogue, rogue_key);

    let client_key = KeyPair::generate().map_err(made)?;
    let mut client = CertificateParams::default();
    client.distinguished_name.push(DnType::CommonName, "simulator-tls");
    client.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client_certificate = client.signed_by(&client_key, &issuer).map_err(made)?;
    Ok(json!({
        "rogue-ca.crt": rogue_certificate.pem(),
        "rogue-ca.key": rogue_pem,
        "rogue-client.crt": client_certificate.pem(),
        "rogue-client.key": client_key.serialize_pem(),
    }))
}

/// The subject of a certificate, part by part, in its order and its encoding.
fn names(pem: &str) -> std::result::Result<DistinguishedName, String> {
    // rcgen reads an issuer's subject, but does not tell it; the parts of Strimzi's authorities are these two.
    let (_, parsed) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
    let certificate = parsed.parse_x509().map_err(|error| error.to_string())?;
    let mut names = DistinguishedName::new();
    for part in certificate.subject().iter_attributes() {
        let oid: Vec<u64> = part.attr_type().iter().map(Iterator::collect).unwrap_or_default();
        let value = part.as_str().map_err(|error| error.to_string())?;
        let kind = match oid.as_slice() {
            [2, 5, 4, 3] => DnType::CommonName,
            [2, 5, 4, 10] => DnType::OrganizationName,
            [2, 5, 4, 11] => DnType::OrganizationalUnitName,
            [2, 5, 4, 6] => DnType::CountryName,
            other => DnType::CustomDnType(other.to_vec()),
        };
        names.push(kind, value);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rogue_bears_the_real_name_and_has_another_key() {
        let key = KeyPair::generate().unwrap();
        let mut real = CertificateParams::default();
        real.distinguished_name = DistinguishedName::new();
        real.distinguished_name.push(DnType::OrganizationName, "io.strimzi");
        real.distinguished_name.push(DnType::CommonName, "clients-ca v0");
        real.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let real = real.self_signed(&key).unwrap().pem();
        let encoded = base64::engine::general_purpose::STANDARD.encode(&real);
        let forged = forge(&json!({ "data": { "ca.crt": encoded } })).unwrap();
        let read = |pem: &str| {
            let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
            let certificate = pem.parse_x509().unwrap();
            let raw = |name: &x509_parser::x509::X509Name| name.as_raw().to_vec();
            (raw(certificate.subject()), raw(certificate.issuer()), certificate.public_key().raw.to_vec())
        };
        let (real, rogue) = (read(&real), read(text(&forged, "/rogue-ca.crt")));
        let client = read(text(&forged, "/rogue-client.crt"));
        assert_eq!(real.0, rogue.0, "the same name, byte for byte");
        assert_ne!(real.2, rogue.2);
        assert_eq!(client.1, real.0);
    }

    #[test]
    fn an_authority_that_is_none_is_named() {
        let error = forge(&json!({ "data": { "ca.crt": "!" } })).unwrap_err().to_string();
        assert!(error.contains("authority for clients"), "{error}");
    }
}
