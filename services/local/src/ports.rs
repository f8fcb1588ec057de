//! Free ports, and who has the ones that are not.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use rand::RngExt as _;

use crate::error::{Error, Result};

/// Where ports are drawn from: below those the kernel gives to outgoing connections (32768 and up).
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Hands out ports, none twice.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    taken: HashSet<u16>,
    /// What is worth telling the user.
    pub(crate) notes: Vec<String>,
}

impl Ports {
    /// `preferred` when it is free, another one when not, with a note that says who has it.
    ///
    /// Without a preference any free port will do.
    pub(crate) fn choose(&mut self, what: &str, preferred: Option<u16>) -> Result<u16> {
        if let Some(port) = preferred {
            if self.take(port) {
                return Ok(port);
            }
            let other = self.any(what)?;
            let owner = owner_of(port).unwrap_or_else(|| "another program".to_owned());
            self.notes.push(format!("port {port} for {what} is used by {owner}: using {other}"));
            return Ok(other);
        }
        self.any(what)
    }

    fn any(&mut self, what: &str) -> Result<u16> {
        let mut random = rand::rng();
        // Drawn at random, so that two clusters starting at once don't choose the same.
        (0..2_000)
            .map(|_| random.random_range(RANGE))
            .find(|port| self.take(*port))
            .ok_or_else(|| Error::NoFreePort(what.to_owned()))
    }

    fn take(&mut self, port: u16) -> bool {
        !self.taken.contains(&port) && is_free(port) && self.taken.insert(port)
    }
}

/// Can a server listen on this port of the loopback addresses?
pub(crate) fn is_free(port: u16) -> bool {
    let in_use = |address: SocketAddr| {
        TcpListener::bind(address).err().is_some_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
    };
    // `localhost` may mean ::1 to a client: a stranger there would be in the way too.
    !in_use((Ipv4Addr::LOCALHOST, port).into()) && !in_use((Ipv6Addr::LOCALHOST, port).into())
}

/// The process listening on a port, as `name (process 123)`, where the system lets us see it.
pub(crate) fn owner_of(port: u16) -> Option<String> {
    let inodes: HashSet<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let listens = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok()).any(|target| {
            target
                .to_str()
                .and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']'))
                .is_some_and(|inode| inodes.contains(inode))
        });
        if listens {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let pid = process.file_name();
            return Some(format!("{} (process {})", name.trim(), pid.to_string_lossy()));
        }
    }
    None
}

/// The socket inodes listening on `port` in a table like `/proc/net/tcp`.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == LISTEN;
            listens.then(|| fields.get(9).map(ToString::to_string))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_avoided_and_its_owner_named() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let mut ports = Ports::default();
        let chosen = ports.choose("the test", Some(port)).unwrap();
        assert_ne!(chosen, port);
        let note = &ports.notes[0];
        assert!(note.contains(&format!("port {port} for the test is used by")));
        // Not always our own number: a child of another test holds a copy of the socket for a moment.
        assert!(note.contains("(process "), "{note}");
    }

    #[test]
    fn no_port_is_given_twice() {
        let mut ports = Ports::default();
        let first = ports.choose("one", None).unwrap();
        assert_ne!(ports.choose("two", Some(first)).unwrap(), first);
    }
}
