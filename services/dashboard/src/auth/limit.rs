//! How often an address may guess: five times a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong ones within a window.
const ALLOWED: u32 = 5;
const WINDOW: Duration = Duration::from_secs(60);
/// The most addresses that are remembered. With more, all that are not wait.
const MAX_ADDRESSES: usize = 10_000;

/// Wrong log-in data, by address.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Guesses {
    /// How long the address must wait before it may try again; none: not at all.
    pub fn wait(&self, from: IpAddr, now: Instant) -> Option<Duration> {
        let mut guesses = self.lock();
        let network = network(from);
        match guesses.get(&network) {
            Some((begun, wrong)) if now.duration_since(*begun) < WINDOW => {
                (*wrong >= ALLOWED).then(|| WINDOW - now.duration_since(*begun))
            }
            _ => {
                guesses.remove(&network);
                if guesses.len() >= MAX_ADDRESSES {
                    guesses.retain(|_, (begun, _)| now.duration_since(*begun) < WINDOW);
                }
                (guesses.len() >= MAX_ADDRESSES).then_some(WINDOW)
            }
        }
    }

    /// Counts a wrong one.
    pub fn wrong(&self, from: IpAddr, now: Instant) {
        self.lock().entry(network(from)).or_insert((now, 0)).1 += 1;
    }

    /// Takes one back that turned out to be right.
    pub fn right(&self, from: IpAddr) {
        if let Some((_, wrong)) = self.lock().get_mut(&network(from)) {
            *wrong = wrong.saturating_sub(1);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, (Instant, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of IPv6 the /64 that one customer has; an IPv4 address in IPv6 is that address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn five_wrong_ones_close_an_address_for_the_rest_of_the_minute() {
        let (guesses, begin) = (Guesses::default(), Instant::now());
        for n in 0..5 {
            assert_eq!(guesses.wait(ip("192.0.2.1"), begin + Duration::from_secs(n)), None);
            guesses.wrong(ip("192.0.2.1"), begin + Duration::from_secs(n));
        }
        assert_eq!(guesses.wait(ip("192.0.2.1"), begin + Duration::from_secs(20)), Some(Duration::from_secs(40)));
        assert_eq!(guesses.wait(ip("192.0.2.2"), begin), None);
        assert_eq!(guesses.wait(ip("192.0.2.1"), begin + Duration::from_secs(60)), None);
    }

    #[test]
    fn another_address_of_the_same_network_is_no_way_around() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for n in 0..5 {
            guesses.wrong(ip(&format!("2001:db8::{n}")), now);
        }
        assert!(guesses.wait(ip("2001:db8::ffff"), now).is_some());
        assert!(guesses.wait(ip("2001:db8:0:1::1"), now).is_none());
        for n in 0..MAX_ADDRESSES {
            guesses.wrong(IpAddr::V4((n as u32).into()), now);
        }
        assert!(guesses.wait(ip("203.0.113.9"), now).is_some(), "too many addresses to remember");
        assert!(guesses.wait(ip("203.0.113.9"), now + WINDOW).is_none());
    }
}
