//! What an assembly knows of a document besides its text.

use crate::dedup::TextHash;

/// Everything that decisions need of one document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fact {
    /// Hash of the normalised text.
    pub(crate) hash: TextHash,
    /// Its number in its part; within a segment, the prompt's.
    pub(crate) seq: u64,
    /// How it begins; equal for documents that begin alike.
    pub(crate) opening: u64,
    /// Where its own id ends in the file of ids; where the one before ends if it has none.
    pub(crate) id_end: u64,
    /// How good it is; not a number when nobody said.
    pub(crate) score: f32,
    /// Bytes of its beginning that the gates let through.
    pub(crate) kept_bytes: u32,
    /// The tokens of these.
    pub(crate) tokens: u32,
    /// How far it is from what gates refuse; not a number when nobody measured.
    pub(crate) margin: f32,
    /// What its columns hold, by number among its part's classes.
    pub(crate) class: u16,
    /// The gate that refused it, by its place in `Reason::ALL`, and 1; 0 for none.
    pub(crate) gate: u8,
    /// Whether its text was cut.
    pub(crate) trimmed: bool,
}

/// Bytes of a stored fact.
pub(crate) const FACT_BYTES: usize = 60;

impl Fact {
    /// Its form in a file, little-endian.
    pub(crate) fn to_bytes(self) -> [u8; FACT_BYTES] {
        let mut bytes = [0; FACT_BYTES];
        bytes[..16].copy_from_slice(&self.hash.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.seq.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.opening.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.id_end.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.score.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.kept_bytes.to_le_bytes());
        bytes[48] = self.gate;
        bytes[49] = u8::from(self.trimmed);
        bytes[50..54].copy_from_slice(&self.tokens.to_le_bytes());
        bytes[54..58].copy_from_slice(&self.margin.to_le_bytes());
        bytes[58..60].copy_from_slice(&self.class.to_le_bytes());
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made.
    pub(crate) fn from_bytes(bytes: &[u8; FACT_BYTES]) -> Self {
        Self {
            hash: TextHash(u128::from_le_bytes(array(bytes, 0))),
            seq: u64::from_le_bytes(array(bytes, 16)),
            opening: u64::from_le_bytes(array(bytes, 24)),
            id_end: u64::from_le_bytes(array(bytes, 32)),
            score: f32::from_le_bytes(array(bytes, 40)),
            kept_bytes: u32::from_le_bytes(array(bytes, 44)),
            gate: bytes[48],
            trimmed: bytes[49] != 0,
            tokens: u32::from_le_bytes(array(bytes, 50)),
            margin: f32::from_le_bytes(array(bytes, 54)),
            class: u16::from_le_bytes(array(bytes, 58)),
        }
    }
}

fn array<const N: usize>(bytes: &[u8; FACT_BYTES], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_survives_its_file() {
        let fact = Fact {
            hash: TextHash(u128::MAX - 5),
            seq: 1 << 40,
            opening: u64::MAX - 3,
            id_end: 77,
            score: -0.25,
            kept_bytes: 9,
            tokens: 70_000,
            margin: 0.5,
            class: 300,
            gate: 3,
            trimmed: true,
        };
        assert_eq!(Fact::from_bytes(&fact.to_bytes()), fact);
    }
}
