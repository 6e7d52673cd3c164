//! A cursor over bytes that never reads past their end.

use crate::LoadError;

use super::TEXT_BYTES_MAX;

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Bytes that are left.
    pub(super) fn left_bytes(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    /// Fails unless that many bytes are left.
    pub(super) fn expect(&self, needed_bytes: u64, what: &'static str) -> Result<(), LoadError> {
        let left_bytes = self.left_bytes();
        if needed_bytes > left_bytes {
            return Err(LoadError::Truncated { what, needed_bytes, left_bytes });
        }
        Ok(())
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64, what: &'static str) -> Result<&'a [u8], LoadError> {
        self.expect(count, what)?;
        // `expect` just showed that `count` fits into what is left, so it fits into usize.
        let taken = &self.bytes[self.at..self.at + count as usize];
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], LoadError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64, what)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, LoadError> {
        Ok(u8::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, LoadError> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, LoadError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, LoadError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A text: its length in eight bytes, then UTF-8.
    pub(super) fn text(&mut self, what: &'static str) -> Result<&'a str, LoadError> {
        let bytes = self.u64(what)?;
        self.expect(bytes, what)?;
        LoadError::check_limit("a text in the model file, in bytes,", bytes, TEXT_BYTES_MAX)?;
        std::str::from_utf8(self.take(bytes, what)?)
            .map_err(|error| LoadError::malformed(what, format!("not UTF-8: {error}")))
    }
}
