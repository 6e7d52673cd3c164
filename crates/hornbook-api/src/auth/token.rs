//! The text form of an API key: `hb_<id>_<secret>`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use sha2::{Digest as _, Sha256};

/// Random bytes in a secret.
const SECRET_BYTES: usize = 32;
/// Random bytes in an id.
const ID_BYTES: usize = 8;
/// Longest id or secret that is looked at.
const PART_BYTES: usize = 128;
const PREFIX: &str = "hb_";

/// An API key as its holder has it.
#[derive(Clone)]
pub struct KeyToken {
    /// Id of the stored key: letters and digits.
    pub id: String,
    secret: String,
}

/// What is stored of a secret. The secret has 256 random bits, so one plain hash is enough.
pub fn secret_digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl KeyToken {
    /// A new key, with id and secret drawn from `random`.
    pub fn generate(random: &mut dyn RngCore) -> Self {
        let mut id = [0_u8; ID_BYTES];
        random.fill_bytes(&mut id);
        let mut secret = [0_u8; SECRET_BYTES];
        random.fill_bytes(&mut secret);
        Self { id: hex::encode(id), secret: URL_SAFE_NO_PAD.encode(secret) }
    }

    /// The key in `hb_<id>_<secret>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let fits = |part: &str| (1..=PART_BYTES).contains(&part.len());
        let well_formed = fits(id)
            && fits(secret)
            && id.bytes().all(|b| b.is_ascii_alphanumeric())
            && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        well_formed.then(|| Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// What is stored of it.
    pub fn digest(&self) -> [u8; 32] {
        secret_digest(&self.secret)
    }

    /// The whole key, to be shown once.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }
}

impl fmt::Debug for KeyToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("KeyToken").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_key_is_read_back_and_never_printed() {
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        let key = KeyToken::generate(&mut random);
        let text = key.reveal();
        let back = KeyToken::parse(&text).unwrap();
        assert_eq!((&back.id, back.digest()), (&key.id, key.digest()));
        assert!(!format!("{key:?}").contains(&key.secret));
        for bad in ["", "hb_", "hb_x", &text[1..], &text[..19], "hf_abc", "hb_a/b_c"] {
            assert!(KeyToken::parse(bad).is_none(), "{bad}");
        }
    }
}
