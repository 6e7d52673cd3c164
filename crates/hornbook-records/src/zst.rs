//! Transparent decompression.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

/// First bytes of every zstd frame (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Size of the read buffer.
const BUFFER_BYTES: usize = 64 * 1024;

type Sniffed<R> = Chain<Cursor<Vec<u8>>, R>;

/// The input as plain bytes, decompressed if it begins like a zstd file.
pub(crate) fn plain<R: Read + Send + 'static>(mut input: R) -> io::Result<Box<dyn BufRead + Send>> {
    let mut head = Vec::with_capacity(ZSTD_MAGIC.len());
    input.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut head)?;
    let compressed = head == ZSTD_MAGIC;
    let whole: Sniffed<R> = Cursor::new(head).chain(input);
    if compressed {
        let decoder = zstd::stream::read::Decoder::new(whole)?;
        Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)))
    } else {
        Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, whole)))
    }
}
