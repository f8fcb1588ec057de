//! The certificates there are, and what each must look like.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SanType,
};
use time::{Duration, OffsetDateTime};

use crate::error::{Error, Result};
use crate::layout::{BROKERS, Layout, PRINCIPALS};
use crate::options::{Options, Rotate};

/// The authority's common name; the rogue one bears it too.
pub(crate) const CA_NAME: &str = "storepulse CA";
/// The organisation in every subject.
const ORGANISATION: &str = "storepulse";
/// Tolerated clock difference between machines: certificates start this much earlier.
const SKEW: Duration = Duration::hours(1);
/// Lifetime of an authority.
const CA_LIFE: Duration = Duration::days(3_650);
/// Lifetime of a leaf; browsers' former limit, a good habit for the rest.
const LEAF_LIFE: Duration = Duration::days(397);

/// Which authority signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signer {
    Real,
    Rogue,
}

/// Where a leaf's key and certificate go.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Key, certificate and authority in one file.
    Bundle(PathBuf),
    /// Certificate and key apart.
    Pair { cert: PathBuf, key: PathBuf },
}

/// One leaf certificate.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub name: String,
    pub group: Rotate,
    pub signer: Signer,
    pub place: Place,
    pub common_name: String,
    pub names: Vec<SanType>,
    pub usages: Vec<ExtendedKeyUsagePurpose>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
    /// Made to be out of date.
    pub born_expired: bool,
}

impl Leaf {
    pub(crate) fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(&self.common_name);
        params.subject_alt_names.clone_from(&self.names);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages.clone_from(&self.usages);
        params.use_authority_key_identifier_extension = true;
        params.is_ca = IsCa::ExplicitNoCa;
        params.not_before = self.not_before;
        params.not_after = self.not_after;
        params
    }
}

/// The parameters of an authority, real or rogue.
pub(crate) fn ca_params(now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(CA_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - SKEW;
    params.not_after = now + CA_LIFE;
    params
}

fn subject(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, ORGANISATION);
    name.push(DnType::CommonName, common_name);
    name
}

/// Every leaf, in the order it is reported.
pub(crate) fn leaves(layout: &Layout, options: &Options) -> Result<Vec<Leaf>> {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};

    let start = options.now - SKEW;
    let end = options.now + LEAF_LIFE;
    let pair = |cert, key| Place::Pair { cert, key };
    let leaf = |name: &str, group, place, common_name: &str, names, usages| Leaf {
        name: name.to_owned(),
        group,
        signer: Signer::Real,
        place,
        common_name: common_name.to_owned(),
        names,
        usages,
        not_before: start,
        not_after: end,
        born_expired: false,
    };

    let mut all = Vec::new();
    for n in 1..=BROKERS {
        let name = format!("broker-{n}");
        let mut names = vec![
            dns("localhost")?,
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
            dns(&format!("kafka-{n}"))?,
            dns(&format!("kafka-{n}.storepulse"))?,
            dns(&name)?,
        ];
        for extra in &options.extra_sans {
            let extra = parse_name(extra)?;
            if !names.contains(&extra) {
                names.push(extra);
            }
        }
        let place = Place::Bundle(layout.broker_pem(n));
        // Brokers are each other's clients, hence both usages.
        all.push(leaf(&name, Rotate::Brokers, place, &name, names, vec![ServerAuth, ClientAuth]));
    }
    for principal in PRINCIPALS {
        let place = pair(layout.client_cert(principal), layout.client_key(principal));
        all.push(leaf(principal, Rotate::Clients, place, principal, vec![], vec![ClientAuth]));
    }

    let attackers = Rotate::Attackers;
    let place = pair(layout.rogue_client_cert(), layout.rogue_client_key());
    all.push(Leaf {
        signer: Signer::Rogue,
        ..leaf("rogue-client", attackers, place, "simulator", vec![], vec![ClientAuth])
    });
    let place = pair(layout.expired_client_cert(), layout.expired_client_key());
    all.push(Leaf {
        not_before: options.now - Duration::days(30),
        not_after: options.now - Duration::days(1),
        born_expired: true,
        ..leaf("expired-client", attackers, place, "simulator", vec![], vec![ClientAuth])
    });
    let place = pair(layout.wrong_host_cert(), layout.wrong_host_key());
    let names = vec![dns("wrong.invalid")?];
    all.push(leaf("wrong-host-server", attackers, place, "wrong.invalid", names, vec![ServerAuth]));
    Ok(all)
}

fn dns(name: &str) -> Result<SanType> {
    let bad = || Error::BadName { name: name.to_owned() };
    let labels_ok = !name.is_empty()
        && name.len() <= 253
        && name.split('.').enumerate().all(|(i, label)| {
            let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let wildcard = i == 0 && label == "*";
            (plain || wildcard)
                && !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    if !labels_ok {
        return Err(bad());
    }
    name.to_ascii_lowercase().try_into().map(SanType::DnsName).map_err(|_| bad())
}

fn parse_name(name: &str) -> Result<SanType> {
    match name.parse::<IpAddr>() {
        Ok(ip) => Ok(SanType::IpAddress(ip)),
        Err(_) => dns(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_are_neither_dns_nor_ip() {
        for bad in ["", "a b", "-a", "a..b", "ünicode", "a_b", "a/b", &"x".repeat(64)] {
            assert!(parse_name(bad).is_err(), "{bad:?} was accepted");
        }
        for good in ["host", "Host.Example", "*.example.org", "10.0.0.1", "fe80::1"] {
            assert!(parse_name(good).is_ok(), "{good:?} was refused");
        }
    }
}
