//! Transparent decompression.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::read::MultiGzDecoder;

/// First bytes of every zstd frame (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// First bytes of every gzip member (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Size of the read buffer.
const BUFFER_BYTES: usize = 64 * 1024;

type Sniffed<R> = Chain<Cursor<Vec<u8>>, R>;

/// The input as plain bytes, decompressed if it begins like a zstd or gzip file.
pub(crate) fn plain<R: Read + Send + 'static>(mut input: R) -> io::Result<Box<dyn BufRead + Send>> {
    let mut head = Vec::with_capacity(ZSTD_MAGIC.len());
    input.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut head)?;
    let (is_zstd, is_gzip) = (head == ZSTD_MAGIC, head.starts_with(&GZIP_MAGIC));
    let whole: Sniffed<R> = Cursor::new(head).chain(input);
    if is_zstd {
        let decoder = zstd::stream::read::Decoder::new(whole)?;
        Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)))
    } else if is_gzip {
        let decoder = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, whole));
        Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)))
    } else {
        Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, whole)))
    }
}
