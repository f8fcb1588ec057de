//! What `init` promises: sound certificates, idempotence, rotation, tight permissions.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use storepulse_pki::{BROKERS, Error, Layout, Options, Outcome, PASSWORDS, PRINCIPALS, Report, Rotate, init};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

struct Fixture {
    _dir: TempDir,
    options: Options,
    layout: Layout,
}

impl Fixture {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let options = Options::new(dir.path().join("certs"), dir.path().join(".env"));
        let layout = Layout::new(&options.dir);
        Self { _dir: dir, options, layout }
    }

    fn init(&self) -> Report {
        init(&self.options).unwrap()
    }

    fn rotating(&self, groups: &[Rotate]) -> Report {
        let mut options = self.options.clone();
        options.rotate = groups.iter().copied().collect();
        init(&options).unwrap()
    }

    fn contents(&self) -> HashMap<PathBuf, Vec<u8>> {
        let mut all: HashMap<_, _> = fs::read_dir(&self.options.dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        let env = &self.options.env_file;
        all.insert(env.clone(), fs::read(env).unwrap());
        all
    }
}

/// The first certificate of a PEM file, as DER.
fn der(path: &Path) -> Vec<u8> {
    Pem::iter_from_buffer(&fs::read(path).unwrap())
        .map(Result::unwrap)
        .find(|block| block.label == "CERTIFICATE")
        .unwrap()
        .contents
}

fn parse(der: &[u8]) -> X509Certificate<'_> {
    x509_parser::parse_x509_certificate(der).unwrap().1
}

fn signed_by(leaf: &Path, ca: &Path) -> bool {
    let (leaf, ca) = (der(leaf), der(ca));
    parse(&leaf).verify_signature(Some(parse(&ca).public_key())).is_ok()
}

fn outcomes(report: &Report) -> HashMap<&str, Outcome> {
    report.items.iter().map(|item| (item.name.as_str(), item.outcome)).collect()
}

#[test]
fn every_certificate_is_signed_by_its_authority_and_only_by_it() {
    let at = Fixture::new();
    at.init();
    let (l, real, rogue) = (&at.layout, at.layout.ca_cert(), at.layout.rogue_ca_cert());
    let mut leaves: Vec<_> = (1..=BROKERS).map(|n| l.broker_pem(n)).collect();
    leaves.extend(PRINCIPALS.map(|principal| l.client_cert(principal)));
    leaves.extend([l.expired_client_cert(), l.wrong_host_cert()]);
    for leaf in leaves {
        assert!(signed_by(&leaf, &real), "{leaf:?}");
        assert!(!signed_by(&leaf, &rogue), "{leaf:?}");
    }
    assert!(signed_by(&l.rogue_client_cert(), &rogue));
    assert!(!signed_by(&l.rogue_client_cert(), &real));
}

#[test]
fn brokers_carry_their_names_and_both_usages() {
    let mut at = Fixture::new();
    at.options.extra_sans = vec!["shop.example".to_owned(), "10.1.2.3".to_owned()];
    at.init();
    let der = der(&at.layout.broker_pem(2));
    let cert = parse(&der);
    let names = &cert.subject_alternative_name().unwrap().unwrap().value.general_names;
    for name in ["localhost", "kafka-2", "kafka-2.storepulse", "broker-2", "shop.example"] {
        assert!(names.contains(&GeneralName::DNSName(name)), "{name}");
    }
    let v6 = std::net::Ipv6Addr::LOCALHOST.octets();
    for ip in [&[127, 0, 0, 1][..], &[10, 1, 2, 3], &v6] {
        assert!(names.contains(&GeneralName::IPAddress(ip)), "{ip:?}");
    }
    let usage = cert.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && usage.client_auth);
    assert_eq!(cert.subject().to_string(), "O=storepulse, CN=broker-2");
}

#[test]
fn clients_may_only_be_clients() {
    let at = Fixture::new();
    at.init();
    let der = der(&at.layout.client_cert("analytics"));
    let cert = parse(&der);
    let usage = cert.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
}

#[test]
fn the_rogue_resembles_the_real_one_in_all_but_the_key() {
    let at = Fixture::new();
    at.init();
    let (real, rogue) = (der(&at.layout.ca_cert()), der(&at.layout.rogue_ca_cert()));
    let (real, rogue) = (parse(&real), parse(&rogue));
    assert_eq!(real.subject().as_raw(), rogue.subject().as_raw());
    assert_ne!(real.public_key().raw, rogue.public_key().raw);
    let (client, impostor) = (der(&at.layout.client_cert("simulator")), der(&at.layout.rogue_client_cert()));
    assert_eq!(parse(&client).subject().as_raw(), parse(&impostor).subject().as_raw());
    assert_eq!(parse(&client).issuer().as_raw(), parse(&impostor).issuer().as_raw());
}

#[test]
fn the_expired_client_has_expired_and_the_others_have_not() {
    let at = Fixture::new();
    at.init();
    let expired = der(&at.layout.expired_client_cert());
    assert!(!parse(&expired).validity().is_valid());
    let fresh = der(&at.layout.client_cert("simulator"));
    assert!(parse(&fresh).validity().is_valid());
}

#[test]
fn a_second_run_changes_nothing() {
    let at = Fixture::new();
    assert!(at.init().changed());
    let before = at.contents();
    assert!(!at.init().changed());
    assert_eq!(at.contents(), before);
}

#[test]
fn keys_and_passwords_are_for_their_owner_only() {
    let at = Fixture::new();
    at.init();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&at.options.dir), 0o700);
    assert_eq!(mode(&at.options.env_file), 0o600);
    let private = |path: &Path| path.extension().is_some_and(|end| end == "key" || end == "pem");
    let check = || {
        let keys: Vec<_> = at.contents().into_keys().filter(|path| private(path)).collect();
        assert_eq!(keys.len(), 2 + 3 + PRINCIPALS.len() + 3);
        for key in keys {
            assert_eq!(mode(&key), 0o600, "{key:?}");
        }
    };
    check();
    // A run tightens what was loosened since.
    fs::set_permissions(at.layout.ca_key(), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&at.options.env_file, fs::Permissions::from_mode(0o644)).unwrap();
    at.init();
    check();
    assert_eq!(mode(&at.options.env_file), 0o600);
}

#[test]
fn rotation_renews_what_it_names_and_nothing_else() {
    let at = Fixture::new();
    at.init();
    let before = at.contents();
    let report = at.rotating(&[Rotate::Brokers]);
    let outcomes = outcomes(&report);
    assert!(matches!(outcomes["broker-1"], Outcome::Renewed(_)));
    assert_eq!(outcomes["ca"], Outcome::Kept);
    let after = at.contents();
    for (path, text) in &before {
        let broker = path.to_string_lossy().contains("broker-");
        assert_eq!(&after[path] != text, broker, "{path:?}");
    }
}

#[test]
fn rotating_the_authority_renews_every_leaf() {
    let at = Fixture::new();
    at.init();
    let report = at.rotating(&[Rotate::Ca]);
    for (name, outcome) in outcomes(&report) {
        let kept = PASSWORDS.contains(&name);
        assert_eq!(outcome == Outcome::Kept, kept, "{name}");
    }
    assert!(signed_by(&at.layout.client_cert("admin"), &at.layout.ca_cert()));
    assert!(!at.init().changed());
}

#[test]
fn rotating_passwords_keeps_the_users_lines() {
    let at = Fixture::new();
    fs::write(&at.options.env_file, "# mine\nGCLOUD_PROJECT=shop\nKAFKA_ADMIN_PASSWORD=\n").unwrap();
    at.init();
    let read = || fs::read_to_string(&at.options.env_file).unwrap();
    let first = read();
    assert!(first.starts_with("# mine\nGCLOUD_PROJECT=shop\nKAFKA_ADMIN_PASSWORD="));
    at.rotating(&[Rotate::Passwords]);
    let second = read();
    assert!(second.contains("GCLOUD_PROJECT=shop"));
    for key in PASSWORDS {
        let value = |text: &str| {
            text.lines().find_map(|line| line.strip_prefix(&format!("{key}=")).map(str::to_owned)).unwrap()
        };
        assert!(value(&first).len() >= 32, "{key}");
        assert_ne!(value(&first), value(&second), "{key}");
    }
}

#[test]
fn a_new_host_name_renews_the_brokers() {
    let mut at = Fixture::new();
    at.init();
    at.options.extra_sans = vec!["shop.example".to_owned()];
    let report = at.init();
    assert_eq!(outcomes(&report)["broker-3"], Outcome::Renewed("a host name was added"));
    assert!(!at.init().changed());
}

#[test]
fn damage_is_named_and_nothing_is_overwritten() {
    let at = Fixture::new();
    at.init();
    let path = at.layout.client_key("simulator");
    fs::write(&path, "-----BEGIN PRIVATE KEY-----\nrubbish\n-----END PRIVATE KEY-----\n").unwrap();
    let before = at.contents();
    let error = init(&at.options).unwrap_err().to_string();
    assert!(error.contains("simulator.key") && error.contains("--rotate clients"), "{error}");
    assert!(!error.contains("rubbish"));
    assert_eq!(at.contents(), before);
    at.rotating(&[Rotate::Clients]);
    assert!(!at.init().changed());
}

#[test]
fn half_an_authority_is_refused() {
    let at = Fixture::new();
    at.init();
    fs::remove_file(at.layout.ca_key()).unwrap();
    assert!(matches!(init(&at.options), Err(Error::HalfAuthority { .. })));
}

#[test]
fn a_swapped_key_is_noticed() {
    let at = Fixture::new();
    at.init();
    fs::copy(at.layout.client_key("admin"), at.layout.client_key("analytics")).unwrap();
    let report = at.init();
    assert!(matches!(outcomes(&report)["analytics"], Outcome::Renewed(_)));
}

#[test]
fn certificates_near_their_end_are_reported_with_the_remedy() {
    let mut at = Fixture::new();
    at.options.now = OffsetDateTime::now_utc() - Duration::days(380);
    at.init();
    at.options.now = OffsetDateTime::now_utc();
    let report = at.init();
    assert!(!report.changed());
    let warnings: Vec<_> = report.warnings().collect();
    assert_eq!(warnings.len(), 3 + PRINCIPALS.len() + 2, "{warnings:?}");
    assert!(warnings[0].contains("--rotate brokers"), "{warnings:?}");
}

#[test]
fn a_bad_name_is_refused_before_anything_is_written() {
    let mut at = Fixture::new();
    at.options.extra_sans = vec!["no good".to_owned()];
    assert!(matches!(init(&at.options), Err(Error::BadName { .. })));
    assert!(!at.options.dir.exists());
}
