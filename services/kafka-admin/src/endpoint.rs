//! Addresses of brokers.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// DNS name or IP address (IPv6 without brackets).
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// Parses a comma-separated list, as in `KAFKA_BROKERS`.
    ///
    /// # Errors
    /// The list is empty or an entry isn't `host:port`.
    pub fn parse_list(text: &str) -> Result<Vec<Self>> {
        let list: Vec<Self> =
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect::<Result<_>>()?;
        if list.is_empty() {
            return Err(Error::Config("the list of brokers is empty; give host:port[,host:port…]".into()));
        }
        Ok(list)
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::Config(format!("`{text}` is not a broker address; give host:port"));
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?;
        if host.is_empty() { Err(bad()) } else { Ok(Self { host: host.to_owned(), port }) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_addresses() {
        let list = Endpoint::parse_list("localhost:9092, [::1]:9093,10.0.0.1:1").unwrap();
        assert_eq!(list.len(), 3);
        assert_eq!(list[1].host, "::1");
        assert_eq!(list[1].to_string(), "[::1]:9093");
        for bad in ["", "host", "host:", ":1", "host:0", "host:99999", "host:x"] {
            assert!(Endpoint::parse_list(bad).is_err(), "{bad:?}");
        }
    }
}
