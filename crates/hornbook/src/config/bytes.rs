//! Amounts of memory, as people write them.

use std::str::FromStr;

use serde::Deserialize;

/// Endings and how many bytes they stand for.
const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];

/// A number of bytes: `1073741824` or `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Bytes(pub(crate) u64);

/// What may stand in the configuration file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl TryFrom<Written> for Bytes {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse(),
        }
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || format!("'{text}' is no number of bytes such as 1073741824, 512MiB or 4GiB");
        let found =
            UNITS.iter().find_map(|(ending, unit)| Some((text.strip_suffix(ending)?, unit)));
        let (number, unit) = found.ok_or_else(fault)?;
        let number: u64 = number.trim_end().parse().map_err(|_| fault())?;
        number.checked_mul(*unit).map(Self).ok_or_else(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_units_and_without() {
        for (text, bytes) in
            [("0", 0), ("512", 512), ("1KiB", 1_024), ("3 MiB", 3 << 20), ("4GiB", 4 << 30)]
        {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for bad in ["", "GiB", "-1", "1.5GiB", "1GB", "1gib", "99999999999GiB"] {
            assert!(bad.parse::<Bytes>().is_err(), "{bad}");
        }
        let read =
            |text: &str| toml::from_str::<toml::Table>(text).unwrap()["x"].clone().try_into();
        assert_eq!(read("x = 7"), Ok(Bytes(7)));
        assert_eq!(read("x = '2KiB'"), Ok(Bytes(2_048)));
    }
}
