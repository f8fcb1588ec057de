//! The step itself: look at each item, keep or make it.

use std::path::Path;

use zeroize::Zeroizing;

use crate::authority::{Authority, Issued};
use crate::error::{Error, Result};
use crate::files;
use crate::inspect::{self, Found};
use crate::items::{self, Leaf, Place, Signer};
use crate::layout::Layout;
use crate::options::{Options, Rotate};
use crate::passwords;
use crate::report::{Item, Outcome, Report};

/// Makes what is missing, keeps what is sound, renews what `options` names.
///
/// Files are replaced one by one, each atomically; a run that is cut short is completed by the
/// next. Runs over the same directory wait for each other. Rotating the authority re-issues every
/// certificate it signed.
///
/// # Errors
/// A file can't be read or written, holds something else than its name says, or a name in
/// `extra_sans` is neither a DNS name nor an IP address. Nothing is overwritten then.
pub fn init(options: &Options) -> Result<Report> {
    let layout = Layout::new(&options.dir);
    let leaves = items::leaves(&layout, options)?;
    files::private_dir(layout.dir())?;
    let _lock = files::lock(layout.dir())?;

    let mut report = Report::default();
    let paths = (layout.ca_cert(), layout.ca_key());
    let real = ensure_ca(options, ("ca", Rotate::Ca), (&paths.0, &paths.1), None, &mut report)?;
    let resembled = inspect::key_id_of(&real.cert_pem);
    let paths = (layout.rogue_ca_cert(), layout.rogue_ca_key());
    let group = ("rogue-ca", Rotate::Attackers);
    let rogue = ensure_ca(options, group, (&paths.0, &paths.1), resembled, &mut report)?;
    for leaf in &leaves {
        let authority = match leaf.signer {
            Signer::Real => &real,
            Signer::Rogue => &rogue,
        };
        report.items.push(ensure_leaf(options, leaf, authority)?);
    }
    report.items.extend(passwords::ensure(options)?);
    Ok(report)
}

fn remedy(group: Rotate) -> String {
    format!("restore it, or replace it with `storepulse-pki init --rotate {group}`")
}

fn ensure_ca(
    options: &Options,
    (name, group): (&str, Rotate),
    (cert_path, key_path): (&Path, &Path),
    resembled: Option<Vec<u8>>,
    report: &mut Report,
) -> Result<Authority> {
    let mut outcome = Outcome::Created;
    if cert_path.exists() || key_path.exists() {
        if options.rotates(group) {
            outcome = Outcome::Renewed("asked to");
        } else {
            let (authority, found) = load_ca((name, group), (cert_path, key_path))?;
            if resembled.is_none() || found.key_id == resembled {
                files::set_mode(key_path, files::PRIVATE)?;
                let judge = Some((options.now, group));
                report.items.push(Item::certificate(name, cert_path, Outcome::Kept, found.not_after, judge));
                return Ok(authority);
            }
            outcome = Outcome::Renewed("the real authority was replaced");
        }
    }
    let params = items::ca_params(options.now);
    let expires = params.not_after;
    let (authority, issued) = Authority::make(name, params, resembled)?;
    files::replace(key_path, &issued.key_pem, files::PRIVATE)?;
    files::replace(cert_path, &issued.cert_pem, files::PUBLIC)?;
    report.items.push(Item::certificate(name, cert_path, outcome, expires, None));
    Ok(authority)
}

fn load_ca((name, group): (&str, Rotate), (cert_path, key_path): (&Path, &Path)) -> Result<(Authority, Found)> {
    let half = |missing: &Path, present: &Path| Error::HalfAuthority {
        missing: missing.to_path_buf(),
        present: present.to_path_buf(),
        group: group.name(),
    };
    let remedy = remedy(group);
    let cert = files::read(cert_path, &remedy)?.ok_or_else(|| half(cert_path, key_path))?;
    let key = files::read(key_path, &remedy)?.ok_or_else(|| half(key_path, cert_path))?;
    let key = Zeroizing::new(key);
    let found = inspect::inspect((cert_path, &cert), (key_path, &key), None, &[], &remedy)?;
    if !found.paired {
        return Err(Error::unusable(key_path, "it is not the key of the certificate", remedy));
    }
    if !found.signed {
        return Err(Error::unusable(cert_path, "it is not a self-signed authority", remedy));
    }
    Ok((Authority::load(name, &cert, &key)?, found))
}

fn ensure_leaf(options: &Options, leaf: &Leaf, authority: &Authority) -> Result<Item> {
    let (cert_path, key_path) = match &leaf.place {
        Place::Bundle(path) => (path, path),
        Place::Pair { cert, key } => (cert, key),
    };
    let mut outcome = Outcome::Created;
    if options.rotates(leaf.group) && (cert_path.exists() || key_path.exists()) {
        outcome = Outcome::Renewed("asked to");
    } else {
        let remedy = remedy(leaf.group);
        let cert = files::read(cert_path, &remedy)?;
        let key = files::read(key_path, &remedy)?.map(Zeroizing::new);
        if let (Some(cert), Some(key)) = (cert, key) {
            let signer = Some(authority.cert_pem.as_str());
            let cert = (cert_path.as_path(), cert.as_str());
            let key = (key_path.as_path(), key.as_str());
            let found = inspect::inspect(cert, key, signer, &leaf.names, &remedy)?;
            match inspect::fault(&found, leaf) {
                None => {
                    files::set_mode(key_path, files::PRIVATE)?;
                    let judge = (!leaf.born_expired).then_some((options.now, leaf.group));
                    return Ok(Item::certificate(&leaf.name, cert_path, Outcome::Kept, found.not_after, judge));
                }
                Some(reason) => outcome = Outcome::Renewed(reason),
            }
        }
    }
    write_leaf(leaf, &authority.sign(leaf)?, authority)?;
    Ok(Item::certificate(&leaf.name, cert_path, outcome, leaf.not_after, None))
}

fn write_leaf(leaf: &Leaf, issued: &Issued, authority: &Authority) -> Result<()> {
    match &leaf.place {
        Place::Bundle(path) => {
            let bundle = Zeroizing::new([issued.key_pem.as_str(), &issued.cert_pem, &authority.cert_pem].concat());
            files::replace(path, &bundle, files::PRIVATE)
        }
        Place::Pair { cert, key } => {
            files::replace(key, &issued.key_pem, files::PRIVATE)?;
            files::replace(cert, &issued.cert_pem, files::PUBLIC)
        }
    }
}
