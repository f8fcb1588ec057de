//! The passwords of the SCRAM users.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::env_file::EnvFile;
use crate::error::{Error, Result};
use crate::files;
use crate::options::{Options, Rotate};
use crate::report::{Item, Outcome};

/// The variables of the env file that hold passwords.
pub const PASSWORDS: [&str; 6] = [
    "KAFKA_BROKER_PASSWORD",
    "KAFKA_ADMIN_PASSWORD",
    "KAFKA_SIMULATOR_PASSWORD",
    "KAFKA_ANALYTICS_PASSWORD",
    "KAFKA_AUDITOR_PASSWORD",
    "KAFKA_VIEWER_PASSWORD",
];

/// 27 bytes, 216 bits, are 36 characters of base64.
const BYTES: usize = 27;

/// Makes the passwords that are missing or to be renewed.
pub(crate) fn ensure(options: &Options) -> Result<Vec<Item>> {
    let path = &options.env_file;
    let mut file = EnvFile::load(path)?;
    let rotate = options.rotates(Rotate::Passwords);
    let mut items = Vec::new();
    let mut changed = false;
    for key in PASSWORDS {
        let outcome = match (file.get(key).is_some(), rotate) {
            (true, false) => Outcome::Kept,
            (true, true) => Outcome::Renewed("asked to"),
            (false, _) => Outcome::Created,
        };
        if outcome != Outcome::Kept {
            if !changed && !file.existed() {
                file.comment("Passwords of the Kafka users, made by storepulse-pki. Keep out of git.");
            }
            file.set(key, &random()?);
            changed = true;
        }
        items.push(Item::password(key, path, outcome));
    }
    if changed {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(Error::io("make the directory", parent))?;
        }
        file.save()?;
    } else {
        files::set_mode(path, files::PRIVATE)?;
    }
    Ok(items)
}

fn random() -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| Error::Random(error.to_string()))?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_url_safe_and_different() {
        let (a, b) = (random().unwrap(), random().unwrap());
        assert_eq!(a.len(), 36);
        assert!(a.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_ne!(*a, *b);
    }
}
