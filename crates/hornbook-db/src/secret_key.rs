//! Sealing the keys of endpoints, so that a copy of the database gives none away.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::DbError;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// The key that endpoint secrets are sealed with; shows nothing of itself.
pub struct SecretKey([u8; KEY_BYTES]);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SecretKey(..)")
    }
}

impl SecretKey {
    /// A key of these bytes.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Reads the key file, or makes one that only its owner can read.
    ///
    /// Two processes that start together agree on one key: the file appears whole or not at all,
    /// and the first to put it there wins.
    pub fn load_or_create(path: &Path) -> std::io::Result<Self> {
        match Self::load(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            outcome => return outcome,
        }
        let mut bytes = [0_u8; KEY_BYTES];
        fill(&mut bytes).map_err(|_| std::io::Error::other("no random source"))?;
        let draft = path.with_extension(format!("{}.new", Uuid::now_v7().simple()));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()));
        let linked = written.and_then(|()| std::fs::hard_link(&draft, path));
        // The draft holds the key too; a failure to remove it must not go unseen.
        let removed = match std::fs::remove_file(&draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        match linked {
            Ok(()) => removed.map(|()| Self(bytes)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                removed.and_then(|()| Self::load(path))
            }
            Err(error) => Err(error),
        }
    }

    fn load(path: &Path) -> std::io::Result<Self> {
        let mut content = Vec::with_capacity(KEY_BYTES + 1);
        std::fs::File::open(path)?.take(KEY_BYTES as u64 + 1).read_to_end(&mut content)?;
        let bytes = content.try_into().map_err(|_| {
            std::io::Error::new(ErrorKind::InvalidData, "the secret key file is not 32 bytes")
        })?;
        Ok(Self(bytes))
    }

    /// A key for another purpose, named by `label`; it gives nothing away about this one.
    pub fn derive(&self, label: &str) -> [u8; KEY_BYTES] {
        let mut hasher = Sha256::new();
        // The label's length keeps two labels from running into the key alike.
        hasher.update((label.len() as u64).to_be_bytes());
        hasher.update(label.as_bytes());
        hasher.update(self.0);
        hasher.finalize().into()
    }

    /// Seals `secret` for the endpoint `id`: 24 bytes of nonce, then the ciphertext.
    pub(crate) fn seal(&self, id: Uuid, secret: &str) -> Result<Vec<u8>, DbError> {
        let mut nonce = [0_u8; NONCE_BYTES];
        fill(&mut nonce)?;
        let payload = Payload { msg: secret.as_bytes(), aad: id.as_bytes() };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| DbError::Other("cannot seal a secret".to_owned()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the endpoint `id`.
    pub(crate) fn open(&self, id: Uuid, sealed: &[u8]) -> Result<String, DbError> {
        let refused = || DbError::Other("a stored secret does not open with this key".to_owned());
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(refused)?;
        let payload = Payload { msg: ciphertext, aad: id.as_bytes() };
        let bytes = self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| refused())?;
        String::from_utf8(bytes).map_err(|_| refused())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(self.0))
    }
}

/// Random bytes from the operating system; a key or nonce from anything else would be no secret.
fn fill(bytes: &mut [u8]) -> Result<(), DbError> {
    OsRng.try_fill_bytes(bytes).map_err(|_| DbError::Other("no random source".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_opens_for_its_endpoint_alone() {
        let key = SecretKey::from_bytes([7; KEY_BYTES]);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sealed = key.seal(one, "sk-hidden").unwrap();
        assert_eq!(key.open(one, &sealed).unwrap(), "sk-hidden");
        assert!(key.open(other, &sealed).is_err());
        assert!(SecretKey::from_bytes([8; KEY_BYTES]).open(one, &sealed).is_err());
        assert!(!sealed.windows(9).any(|window| window == b"sk-hidden"));
        assert_ne!(sealed, key.seal(one, "sk-hidden").unwrap(), "the nonce is used once");
        assert_eq!(format!("{key:?}"), "SecretKey(..)");
    }

    #[test]
    fn the_key_file_is_made_once_and_for_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.key");
        let keys: Vec<[u8; KEY_BYTES]> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| SecretKey::load_or_create(&path).unwrap().0))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "all agree");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
        std::fs::write(&path, b"short").unwrap();
        assert!(SecretKey::load_or_create(&path).is_err(), "a damaged key is not replaced");
    }
}
