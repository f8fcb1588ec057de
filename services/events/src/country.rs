//! Country codes of ISO 3166-1 alpha-2.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::reject::IMPOSSIBLE_COUNTRY;

/// The officially assigned codes of ISO 3166-1 alpha-2, in order.
const ASSIGNED: &str = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZ\
CACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGY\
HKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMS\
MTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSV\
SXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

const TABLE: [bool; 26 * 26] = {
    let bytes = ASSIGNED.as_bytes();
    let mut table = [false; 26 * 26];
    let mut i = 0;
    while i < bytes.len() {
        table[(bytes[i] - b'A') as usize * 26 + (bytes[i + 1] - b'A') as usize] = true;
        i += 2;
    }
    table
};

/// An officially assigned country code of ISO 3166-1 alpha-2, such as `DE`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// Parses two upper-case letters; `None` when the code is not assigned.
    pub const fn parse(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        if b.len() != 2 || !b[0].is_ascii_uppercase() || !b[1].is_ascii_uppercase() {
            return None;
        }
        let index = (b[0] - b'A') as usize * 26 + (b[1] - b'A') as usize;
        if TABLE[index] { Some(Self([b[0], b[1]])) } else { None }
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }

    /// All assigned codes, in alphabetical order.
    pub fn all() -> impl Iterator<Item = Self> {
        ASSIGNED.as_bytes().chunks_exact(2).map(|c| Self([c[0], c[1]]))
    }

    /// A dense number below 676 (26 × 26), the same for the same code: an index for tables.
    pub const fn index(self) -> u16 {
        (self.0[0] - b'A') as u16 * 26 + (self.0[1] - b'A') as u16
    }

    /// The inverse of [`Self::index`]; `None` when no code has this number.
    pub fn from_index(index: u16) -> Option<Self> {
        let index_in_table = usize::from(index);
        if index_in_table < TABLE.len() && TABLE[index_in_table] {
            Some(Self([b'A' + (index / 26) as u8, b'A' + (index % 26) as u8]))
        } else {
            None
        }
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CountryCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = CountryCode;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a country code of ISO 3166-1 alpha-2 in upper case")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<CountryCode, E> {
                CountryCode::parse(v).ok_or_else(|| {
                    E::custom(format_args!("{IMPOSSIBLE_COUNTRY} {:?}", v.chars().take(16).collect::<String>()))
                })
            }
        }
        deserializer.deserialize_str(V)
    }
}

impl schemars::JsonSchema for CountryCode {
    fn schema_name() -> Cow<'static, str> {
        "CountryCode".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "An officially assigned code of ISO 3166-1 alpha-2.",
            "enum": Self::all().map(|c| c.to_string()).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_assigns_249_codes() {
        assert_eq!(CountryCode::all().count(), 249);
        assert!(CountryCode::all().map(|c| c.0).is_sorted());
        for code in CountryCode::all() {
            assert_eq!(CountryCode::parse(code.as_str()), Some(code));
            assert_eq!(CountryCode::from_index(code.index()), Some(code));
        }
    }

    #[test]
    fn codes_that_are_not_assigned_are_refused() {
        for bad in ["", "D", "de", "XX", "ZZ", "DEU", "D1", "ÄÖ", "UK"] {
            assert_eq!(CountryCode::parse(bad), None, "{bad}");
        }
    }
}
