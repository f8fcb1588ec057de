//! Reading single values of the command line and environment. An error says what is allowed; clap adds the variable and
//! the value.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

/// A parser of whole numbers of a range. `u32::MAX` and `u64::MAX` stand for no upper bound.
pub fn whole<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let value = text.trim().parse().ok().filter(|value| range.contains(value));
        value.and_then(|value| T::try_from(value).ok()).ok_or_else(|| {
            let (least, most) = (range.start(), *range.end());
            if most == u64::MAX || most == u64::from(u32::MAX) {
                return format!("allowed is a whole number of at least {least}");
            }
            format!("allowed is a whole number from {least} to {most}")
        })
    }
}

/// An address to listen on.
///
/// # Errors
///
/// Says what is allowed.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let allowed = "allowed is an IP address and a port, such as 127.0.0.1:9102, 0.0.0.0:9102 or [::]:9102";
    text.trim().parse().map_err(|_| allowed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_allowed_is_answered_with_what_is() {
        assert_eq!(whole::<u16>(1..=256)("256"), Ok(256));
        for bad in ["many", "", "-1", "0", "257", "1.5"] {
            assert_eq!(whole::<u16>(1..=256)(bad), Err("allowed is a whole number from 1 to 256".into()), "{bad}");
        }
        let unbounded = whole::<u32>(7..=u64::from(u32::MAX));
        assert_eq!(unbounded("4294967296"), Err("allowed is a whole number of at least 7".into()));
        assert_eq!(address("127.0.0.1:0").map(|a| a.port()), Ok(0));
        assert!(address("here").is_err_and(|error| error.contains("127.0.0.1:9102")));
    }
}
