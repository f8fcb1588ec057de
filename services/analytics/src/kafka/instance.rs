//! A name for this instance that no other has, and that a restarted instance gets again.
//!
//! The name is the `transactional.id` of the instance's producer. A restarted instance with the same name makes the
//! broker abort at once what its dead predecessor left open; with another name, readers would have to wait for the
//! transaction's time-out.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;

/// A name held by this process until it ends, however it ends.
#[derive(Debug)]
pub struct Instance {
    /// The name.
    pub name: String,
    _lock: Option<File>,
}

impl Instance {
    /// Takes the name that was configured, or the host's name with the first number that no other process of this
    /// host holds for the same group.
    pub fn acquire(configured: Option<&str>, group: &str) -> Self {
        if let Some(name) = configured {
            return Self { name: name.to_owned(), _lock: None };
        }
        let host = host_name();
        let safe: String = group.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        for number in 0..1_000 {
            let path = std::env::temp_dir().join(format!("storepulse-{safe}-{number}.lock"));
            match try_lock(&path) {
                Some(lock) => return Self { name: format!("{host}-{number}"), _lock: Some(lock) },
                None => continue,
            }
        }
        Self { name: format!("{host}-pid{}", std::process::id()), _lock: None }
    }
}

fn try_lock(path: &PathBuf) -> Option<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).ok()?;
    match file.try_lock() {
        Ok(()) => Some(file),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
    }
}

fn host_name() -> String {
    let read = |path: &str| std::fs::read_to_string(path).ok().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    std::env::var("HOSTNAME")
        .ok()
        .filter(|h| !h.is_empty())
        .or_else(|| read("/proc/sys/kernel/hostname"))
        .unwrap_or_else(|| "host".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_instances_of_a_host_have_different_names_and_a_freed_one_is_taken_again() {
        let group = format!("test-{}", std::process::id());
        let first = Instance::acquire(None, &group);
        let second = Instance::acquire(None, &group);
        assert_ne!(first.name, second.name);
        let name = first.name.clone();
        drop(first);
        assert_eq!(Instance::acquire(None, &group).name, name);
        assert_eq!(Instance::acquire(Some("mine"), &group).name, "mine");
    }
}
