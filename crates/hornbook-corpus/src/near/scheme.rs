//! How many bands of how many rows a signature has.

use std::fmt;
use std::str::FromStr;

use super::limits::{BANDS_MAX, ROWS_MAX};

/// Bands and rows of MinHash: two texts of Jaccard `s` meet with probability `1 - (1 - s^rows)^bands`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NearScheme {
    bands: u32,
    rows: u32,
}

impl NearScheme {
    /// Version of words, shingles and permutations; signatures of other versions do not compare.
    pub const VERSION: u32 = 1;
    /// 20 bands of 6 rows, the default: pairs of Jaccard .7 meet with probability .92, of .75 with .98, of .8 with
    /// .998, of .85 with .9999; candidates are verified, so that those below .7 cost time and nothing else.
    pub const DEFAULT: Self = Self { bands: 20, rows: 6 };
    /// 14 bands of 8 rows, which others use.
    pub const COMPARABLE: Self = Self { bands: 14, rows: 8 };

    /// So many bands (1 to 256) of so many rows (1 to 64); `None` outside of that.
    pub fn new(bands: u32, rows: u32) -> Option<Self> {
        let is_sound = (1..=BANDS_MAX).contains(&bands) && (1..=ROWS_MAX).contains(&rows);
        is_sound.then_some(Self { bands, rows })
    }

    /// Number of bands.
    pub fn bands(self) -> usize {
        self.bands as usize
    }

    /// Rows of each band.
    pub fn rows(self) -> usize {
        self.rows as usize
    }

    /// Name under which stored signatures can be found again: `near1-20x6`.
    pub fn id(self) -> String {
        format!("near{}-{self}", Self::VERSION)
    }

    /// Bytes of a stored signature.
    pub fn signature_bytes(self) -> usize {
        self.bands() * size_of::<u64>()
    }
}

impl Default for NearScheme {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for NearScheme {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}x{}", self.bands, self.rows)
    }
}

impl FromStr for NearScheme {
    type Err = String;

    /// Reads `20x6`.
    fn from_str(name: &str) -> Result<Self, String> {
        let parts = name
            .split_once('x')
            .and_then(|(bands, rows)| Self::new(bands.parse().ok()?, rows.parse().ok()?));
        parts.ok_or_else(|| {
            format!("'{name}' is no scheme: it is bands (1 to {BANDS_MAX}) x rows (1 to {ROWS_MAX}), as in 20x6")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_has_a_name() {
        assert_eq!("14x8".parse(), Ok(NearScheme::COMPARABLE));
        assert_eq!(NearScheme::DEFAULT.id(), "near1-20x6");
        assert_eq!(NearScheme::DEFAULT.signature_bytes(), 160);
        for wrong in ["", "20", "0x6", "20x0", "257x6", "20x65", "-1x6", "20x6x1"] {
            assert!(wrong.parse::<NearScheme>().is_err_and(|it| it.contains(wrong)), "{wrong}");
        }
    }
}
