//! Files that know their own size and SHA-256.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::AssembleError;

/// Counts and hashes what passes through.
pub(crate) struct Hashing<T> {
    inner: T,
    sha256: Sha256,
    bytes: u64,
}

impl<T> Hashing<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, sha256: Sha256::new(), bytes: 0 }
    }

    /// What it wrapped, the bytes that passed and their SHA-256 as 64 hex digits.
    pub(crate) fn finish(self) -> (T, u64, String) {
        (self.inner, self.bytes, hex::encode(self.sha256.finalize()))
    }

    fn note(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.note(&buffer[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.note(&buffer[..read]);
        Ok(read)
    }
}

/// SHA-256 of some bytes, as 64 hex digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// SHA-256 of everything that is left to read, as 64 hex digits.
pub(crate) fn sha256_of_file(file: &mut impl Read) -> io::Result<String> {
    let mut hashing = Hashing::new(io::sink());
    io::copy(file, &mut hashing)?;
    Ok(hashing.finish().2)
}

/// Creates a file that must be on disk, complete, before it counts.
pub(crate) fn create(path: &Path) -> Result<Hashing<File>, AssembleError> {
    File::create(path).map(Hashing::new).map_err(AssembleError::io(path))
}
