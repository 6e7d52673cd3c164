//! What near deduplication remembers of a text: one key per band.

use super::scheme::NearScheme;

/// One key per band; two texts with an equal key in an equal band are compared.
///
/// A text without any word has no keys and is nobody's duplicate here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// No key is 0, except that all are in a text without words.
    pub(super) keys: Box<[u64]>,
}

impl Signature {
    /// Whether the text has no word.
    pub fn is_empty(&self) -> bool {
        self.keys.iter().all(|&key| key == 0)
    }

    /// The keys, little-endian: [`NearScheme::signature_bytes`] bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.keys.iter().flat_map(|key| key.to_le_bytes()).collect()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote under the same [`NearScheme::id`]; `None` if it cannot be that.
    pub fn from_bytes(scheme: NearScheme, bytes: &[u8]) -> Option<Self> {
        let (keys, rest) = bytes.as_chunks();
        let keys: Box<[u64]> = keys.iter().map(|&key| u64::from_le_bytes(key)).collect();
        let zeros = keys.iter().filter(|&&key| key == 0).count();
        let is_sound =
            rest.is_empty() && keys.len() == scheme.bands() && (zeros == 0 || zeros == keys.len());
        is_sound.then_some(Self { keys })
    }
}
