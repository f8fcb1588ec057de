//! Looks for passwords wherever they must not be.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two looks at the command lines of all processes.
const PAUSE: Duration = Duration::from_millis(100);

/// Passwords, and where they were seen. Its own messages name them and never show them.
#[derive(Debug, Default)]
pub struct Secrets {
    known: Mutex<Vec<(String, String)>>,
    seen: Mutex<BTreeSet<String>>,
    looks: AtomicUsize,
    services_seen: AtomicUsize,
    ended: AtomicBool,
}

impl Secrets {
    /// Knows nothing yet, and looks at the command lines of all processes from now on.
    pub fn watch() -> Arc<Self> {
        let secrets = Arc::new(Self::default());
        let weak = Arc::downgrade(&secrets);
        std::thread::spawn(move || {
            while let Some(secrets) = weak.upgrade().filter(|secrets| !secrets.ended.load(Ordering::Relaxed)) {
                secrets.look_at_command_lines();
                drop(secrets);
                std::thread::sleep(PAUSE);
            }
        });
        secrets
    }

    /// A password to look for, and what to call it.
    pub fn add(&self, name: &str, secret: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.len() >= 8 && !known.iter().any(|(_, known)| known == secret) {
            known.push((name.to_owned(), secret.to_owned()));
        }
    }

    /// Looks into something.
    pub fn look(&self, place: &str, content: &[u8]) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let content = String::from_utf8_lossy(content);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, secret) in known.iter() {
            if content.contains(secret.as_str()) {
                self.seen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(format!("the password of {name} is in {place}"));
            }
        }
    }

    /// Looks into every log in a directory and below it; says how many there were.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn look_into_logs(&self, dir: &Path) -> std::io::Result<usize> {
        let mut count = 0;
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                count += self.look_into_logs(&path)?;
            } else if name.contains(".log") || name.ends_with(".out") || name.ends_with(".json") {
                self.look(&path.display().to_string(), &std::fs::read(&path)?);
                count += 1;
            }
        }
        Ok(count)
    }

    fn look_at_command_lines(&self) {
        let mut services = 0;
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            if !process.file_name().to_string_lossy().starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            // A process may end while one looks.
            let Ok(line) = std::fs::read(process.path().join("cmdline")) else { continue };
            let text = String::from_utf8_lossy(&line);
            let program = text.split('\0').next().unwrap_or_default();
            services += usize::from(program.contains("storepulse-") || program.ends_with("java"));
            self.look(&format!("the command line of {program}"), &line);
        }
        self.services_seen.fetch_max(services, Ordering::Relaxed);
    }

    /// Where passwords were seen: nowhere, as it should be.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// How many passwords are looked for, in how many places, and how many of our processes were looked at at once.
    pub fn effort(&self) -> (usize, usize, usize) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).len();
        (known, self.looks.load(Ordering::Relaxed), self.services_seen.load(Ordering::Relaxed))
    }

    /// Looks no more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_and_named_but_not_shown() {
        let secrets = Secrets::default();
        secrets.add("simulator", "correct horse");
        secrets.look("a log", b"all is well");
        assert!(secrets.seen().is_empty());
        secrets.look("a log", b"password=correct horse;");
        assert_eq!(secrets.seen(), ["the password of simulator is in a log"]);
    }
}
