//! Users: a file of lines `name:hash`, the hash as `storepulse-dashboard hash-password` makes it (Argon2id, PHC string).

use std::collections::BTreeMap;
use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use storepulse_platform::Secret;

/// The largest cost that a hash may ask for: a mistyped file must not stop the server.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_ROUNDS: u32 = 64;

/// Names and hashes.
#[derive(Clone, Debug)]
pub struct Users {
    hashes: Arc<BTreeMap<String, String>>,
    /// What is hashed for a name that is not known, so that it takes as long.
    decoy: Arc<str>,
}

impl Users {
    /// Reads lines; empty ones and those that begin with `#` are passed over.
    ///
    /// # Errors
    ///
    /// Names the line that is not right, and what is allowed; never its hash.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut hashes = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = line.split_once(':').ok_or_else(|| format!("line {number} is not name:hash"))?;
            if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
                return Err(format!("line {number}: a name has 1 to 100 characters, none of them a control character"));
            }
            check_hash(hash).map_err(|why| format!("line {number}, user {name}: {why}"))?;
            if hashes.insert(name.to_owned(), hash.to_owned()).is_some() {
                return Err(format!("line {number}: user {name} is there twice"));
            }
        }
        let decoy = hashes.values().next().cloned().ok_or("it names no user")?;
        Ok(Self { hashes: Arc::new(hashes), decoy: decoy.into() })
    }

    /// Whether it is this user's password. Takes a while, for unknown names as well.
    pub fn check(&self, name: &str, password: &Secret) -> bool {
        let hash = self.hashes.get(name);
        let text = hash.map_or(&*self.decoy, String::as_str);
        let Ok(parsed) = PasswordHash::new(text) else { return false };
        let is_right = Argon2::default().verify_password(password.expose().as_bytes(), &parsed).is_ok();
        is_right && hash.is_some()
    }
}

fn check_hash(hash: &str) -> Result<(), String> {
    let advice = "its hash is not one that `storepulse-dashboard hash-password` makes";
    let parsed = PasswordHash::new(hash).map_err(|_| advice.to_owned())?;
    if argon2::Algorithm::try_from(parsed.algorithm).is_err() || parsed.hash.is_none() || parsed.salt.is_none() {
        return Err(advice.to_owned());
    }
    let params = argon2::Params::try_from(&parsed).map_err(|_| advice.to_owned())?;
    if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_ROUNDS {
        return Err(format!("its hash costs too much: allowed are {MAX_MEMORY_KIB} KiB and {MAX_ROUNDS} rounds"));
    }
    Ok(())
}

/// The hash of a password, for the file.
///
/// # Errors
///
/// If the system has no random numbers.
pub fn hash(password: &Secret) -> Result<String, String> {
    let salt = super::random()?;
    let salt = SaltString::encode_b64(&salt[..16]).map_err(|e| e.to_string())?;
    let hashed = Argon2::default().hash_password(password.expose().as_bytes(), &salt);
    hashed.map(|hash| hash.to_string()).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_not_right_are_named_without_their_hash() {
        let good = hash(&Secret::new("x")).unwrap();
        assert!(good.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{good}");
        assert!(Users::parse(&format!("# people\n\nada:{good}\nbob:{good}\n")).is_ok());
        for (text, told) in [
            (String::new(), "no user"),
            ("ada".to_owned(), "line 1"),
            (format!("ada:{good}\nada:{good}"), "twice"),
            (format!(":{good}"), "line 1"),
            ("ada:$2y$10$abcdefghijklmnopqrstuu".to_owned(), "hash-password"),
            ("ada:plain".to_owned(), "user ada"),
            (format!("ada:{}", good.replace("m=19456", "m=99999999")), "costs too much"),
        ] {
            let error = Users::parse(&text).unwrap_err();
            assert!(error.contains(told) && !error.contains("plain"), "{text}: {error}");
        }
    }
}
